import { ReadResult } from '../grpc/message-reader.ts';
import { GrpcStatus } from '../grpc/status.ts';
import type { ServerConnection } from './server-connection.ts';

/** A status to fail a call with. */
export interface MessageProblem {
  readonly code: number;
  readonly message: string;
}

/** The status for what a message reader refused, as grpc-go words it. */
export function prefixProblem(result: number, length: number, messageBytesMax: number): MessageProblem {
  if (result === ReadResult.tooLarge) {
    const message = `grpc: received message larger than max (${length} vs. ${messageBytesMax})`;
    return { code: GrpcStatus.resourceExhausted, message };
  }
  return { code: GrpcStatus.internal, message: 'grpc: received unexpected payload format' };
}

/** The decompressed message, or why there is none. */
export function decompressMessage(
  connection: ServerConnection,
  gzip: boolean,
  message: Uint8Array,
): Uint8Array | MessageProblem {
  const gunzip = connection.options.gunzip;
  if (!gzip || gunzip === null) {
    return {
      code: GrpcStatus.internal,
      message: 'grpc: compressed flag set with identity or empty encoding',
    };
  }
  const bytesMax = connection.limits.messageBytesMax;
  const result = gunzip(message, bytesMax);
  if (result === 'too-large') {
    return {
      code: GrpcStatus.resourceExhausted,
      message: `grpc: received message after decompression larger than max ${bytesMax}`,
    };
  }
  if (result === 'corrupt') {
    return { code: GrpcStatus.internal, message: 'grpc: failed to decompress the received message' };
  }
  return result;
}
