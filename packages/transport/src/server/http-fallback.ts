import type { Metadata } from '../grpc/metadata.ts';
import type { Peer } from '../http2/byte-stream.ts';

/** An HTTP/2 request that is not gRPC. Its body comes bit by bit; without a reader it is dropped. */
export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly authority: string;
  readonly headers: Metadata;
  readonly peer: Peer;
  /** Gets each part of the body, owned by the receiver. Set it (and `onEnd`) before the fallback returns. */
  onData(callback: (chunk: Uint8Array) => void): void;
  onEnd(callback: () => void): void;
  /** No more of the body is delivered until `resume`; the client is stopped by flow control. */
  pause(): void;
  resume(): void;
}

/** Where the answer goes. After the end, and when the client has gone, every method does nothing. */
export interface HttpResponse {
  /** A whole answer; `content-length` is added. Names in lower case; the body is the transport's from then on. */
  send(status: number, headers: readonly (readonly [string, string])[], body: Uint8Array): void;
  /** The head of an answer of unknown length. */
  begin(status: number, headers: readonly (readonly [string, string])[]): void;
  /** The chunk is the transport's from then on. False: over the high-water mark, wait for `onDrain` (it is sent all the same). */
  write(chunk: Uint8Array): boolean;
  end(): void;
  onDrain(callback: () => void): void;
  /** Calls back once the connection takes another large answer, or the client has gone: as of a gRPC call. */
  whenRoom(callback: () => void): void;
  /** Tells how many bytes of the answer are made; its end takes their place. */
  hold(bytes: number): void;
  /** Calls back when the client has gone; at once if it already has. */
  onCancel(callback: () => void): void;
}

/** Called when the headers of a request have come. */
export type HttpFallback = (request: HttpRequest, response: HttpResponse) => void;
