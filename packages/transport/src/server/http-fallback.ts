import type { Metadata } from '../grpc/metadata.ts';
import type { Peer } from '../http2/byte-stream.ts';

/** An HTTP/2 request that is not gRPC, complete with its body. */
export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly authority: string;
  readonly headers: Metadata;
  /** Owned by the receiver. */
  readonly body: Uint8Array;
  readonly peer: Peer;
}

/** Writes a body that comes bit by bit. Chunks belong to the transport from then on. */
export interface HttpBodyWriter {
  /** False: over the high-water mark of streams, wait for `onDrain` (it is sent all the same). */
  write(chunk: Uint8Array): boolean;
  end(): void;
  onDrain(callback: () => void): void;
  /** Calls back when the client has gone; at once if it already has. */
  onCancel(callback: () => void): void;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. `content-length` is added, unless `stream` is there. */
  readonly headers: readonly (readonly [string, string])[];
  /** Owned by the transport from then on. Ignored when `stream` is there. */
  readonly body: Uint8Array;
  /** Called at once with a writer for a body of unknown length. */
  readonly stream?: (writer: HttpBodyWriter) => void;
}

/** Answers by calling `respond` once, in this turn or later. */
export type HttpFallback = (request: HttpRequest, respond: (response: HttpResponse) => void) => void;
