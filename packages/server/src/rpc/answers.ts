import { type ErrorSymbol, errors, type MessageCodec } from '@quorate/api';
import { allocateUnsafe } from '@quorate/base';
import type { StreamCall, UnaryCall } from '@quorate/transport';

export { decodeRequest } from '@quorate/api';

/** Ends a call with a row of the error table. */
export function failCall(call: { fail(code: number, message: string): void }, symbol: ErrorSymbol): void {
  const { sentCode, message } = errors[symbol];
  call.fail(sentCode, message);
}

/** Answers above this size go out by reference instead of being copied. */
const copiedBytesMax = 32 * 1024;
const scratch = allocateUnsafe(copiedBytesMax);

/** Encodes a message as the answer of a unary call. */
export function replyMessage<M>(call: UnaryCall, codec: MessageCodec<M> | Encoder<M>, message: M): void {
  const size = codec.byteLength(message);
  if (size <= copiedBytesMax) {
    const end = codec.write(message, scratch, 0);
    call.reply(scratch, 0, end);
    return;
  }
  const bytes = allocateUnsafe(size);
  codec.write(message, bytes, 0);
  call.replyChunks([bytes]);
}

/** The part of a codec that answers need. */
export interface Encoder<M> {
  byteLength(message: M): number;
  write(message: M, target: Uint8Array, position: number): number;
}

/** Encodes a message onto a stream; false when the stream is over its high-water mark. */
export function writeMessage<M>(call: StreamCall, codec: Encoder<M>, message: M): boolean {
  const size = codec.byteLength(message);
  if (size <= copiedBytesMax) return call.write(scratch.subarray(0, codec.write(message, scratch, 0)));
  const bytes = allocateUnsafe(size);
  codec.write(message, bytes, 0);
  return call.writeChunks([bytes]);
}
