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

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. `content-length` is added. */
  readonly headers: readonly (readonly [string, string])[];
  /** Owned by the transport from then on. */
  readonly body: Uint8Array;
}

/** Answers by calling `respond` once, in this turn or later. */
export type HttpFallback = (request: HttpRequest, respond: (response: HttpResponse) => void) => void;
