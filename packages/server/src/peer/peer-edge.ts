/*
 * Where the peers' protocol meets the network. `node/` implements this over sockets; a test or a simulation in memory.
 */

/** One request to another member, over HTTP/1.1. */
export interface PeerRequest {
  readonly method: 'GET' | 'POST';
  /** One of the member's peer URLs, as `http://10.0.0.1:2380`. */
  readonly url: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of a POST, or of the one GET that has a body; goes with its length. */
  readonly body?: Uint8Array;
}

export interface PeerReply {
  readonly status: number;
  /** A header by its name in lower case. */
  header(name: string): string | undefined;
  readonly body: Uint8Array;
}

/** A request under way. */
export interface PeerExchange {
  /** Rejects with a CodedError `peer/unreachable`: no connection, one that broke, or called off. */
  readonly reply: Promise<PeerReply>;
  /** Calls it off, also in the middle of a body. Nothing after the end. */
  cancel(): void;
}

/** How the answer to a long request comes in. */
export interface PeerStreamEvents {
  /** First; what follows is its body. */
  answered(status: number, header: (name: string) => string | undefined): void;
  /** The bytes are the receiver's own from now on. */
  data(chunk: Uint8Array): void;
  /** Last, once; with an error unless the body came to its proper end. Not after a cancel. */
  ended(error: Error | undefined): void;
}

/** The way out to other members. All events come in later turns than the calls that cause them. */
export interface PeerDialer {
  /** A request with a short answer, on a pooled connection; on one of its own with `fresh`. */
  request(request: PeerRequest, fresh?: boolean): PeerExchange;
  /** A request whose answer does not end, on a connection of its own. */
  openStream(request: PeerRequest, events: PeerStreamEvents): { cancel(): void };
  /**
   * A request with a long body, on a connection of its own; takes the next chunk when the last has gone out. Stops reading when the answer
   * comes early. A chunk may be used again once the next is asked for.
   */
  upload(request: PeerRequest, body: AsyncIterable<Uint8Array>): PeerExchange;
}

/** A request from another member. */
export interface IncomingPeerRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** Host and port of the sender, for log and metrics. */
  readonly remote: string;
  /** A header by its name in lower case. */
  header(name: string): string | undefined;
  /** Chunks as they come, each the receiver's own. Once at most. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** The writing end of a long answer. Several writes in one turn go out together. */
export interface PeerSink {
  /** Bytes that are written and that the network has not taken. */
  readonly queuedBytes: number;
  /** The bytes must not change after. */
  write(bytes: Uint8Array): void;
  close(): void;
}

/** What a sink tells its writer. */
export interface PeerSinkEvents {
  /** The network took something. */
  flushed(): void;
  /** Once, unless closed by the writer: the other end is gone. */
  closed(): void;
}

export type PeerAnswer =
  | {
      readonly kind: 'whole';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Uint8Array | string;
      /** The connection ends behind it. */
      readonly isLast?: boolean;
    }
  /** 200 with a body that goes on; its head goes out at once. */
  | {
      readonly kind: 'stream';
      readonly headers: Readonly<Record<string, string>>;
      attach(sink: PeerSink): PeerSinkEvents;
    }
  /** The connection is cut without an answer. */
  | { readonly kind: 'abort' };

/** Answers what comes in on the peer listeners. */
export interface PeerHandler {
  handle(request: IncomingPeerRequest): Promise<PeerAnswer>;
}
