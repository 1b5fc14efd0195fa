import type { Metadata } from '../grpc/metadata.ts';
import type { Peer } from '../http2/byte-stream.ts';

/** What unary and stream calls have in common. */
export interface Call {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly metadata: Metadata;
  readonly peer: Peer;
  /** In whose service it is made, for one from within the process that says so. */
  readonly parent?: Call | undefined;
  /** Absolute, on the clock; `Infinity` without a deadline. When it passes, the call is answered with status 4 and cancelled. */
  readonly deadlineMs: number;
  /** True once nobody waits for the answer: the client reset the stream or went away, or the deadline passed. */
  readonly cancelled: boolean;
  /** Calls back once when the call is cancelled; at once if it is already. Never after the call was answered. */
  onCancel(callback: () => void): void;
  /**
   * Calls back once the connection takes another large answer, or more of one: at once, unless it holds back as much as it may already. A
   * call that is cancelled meanwhile is called back, too, so that it lets go of what it has.
   */
  whenRoom(callback: () => void): void;
  /** Tells how many bytes of the answer are made and kept by the handler, in all; the answer itself or any other end takes their place. */
  hold(bytes: number): void;
  /** Ends the call with an error. After the end, and after a cancellation, every method does nothing. */
  fail(code: number, message: string): void;
}

/** A call with one request and one answer: `reply`, `replyChunks` or `fail`, in this turn or later. */
export interface UnaryCall extends Call {
  /** Answers with the message `source[start, end)`, copied before it returns. */
  reply(source: Uint8Array, start: number, end: number): void;
  /** Answers with a message in chunks that belong to the transport from then on: for large answers, which are not copied. */
  replyChunks(chunks: readonly Uint8Array[]): void;
}

/**
 * Handles a unary call. `message` is a view on the receive slab, valid ONLY during this synchronous call: copy what must live longer.
 */
export type UnaryHandler = (call: UnaryCall, message: Uint8Array) => void;

/** A call with any number of messages either way. */
export interface StreamCall extends Call {
  /** Gets each message, a view valid only during the callback. Set it (and the others) before the handler returns. */
  onMessage(callback: (message: Uint8Array) => void): void;
  /** Calls back when the client has half-closed. */
  onEnd(callback: () => void): void;
  /** Calls back when, after `write` said false, half of the high-water mark is free again. */
  onDrain(callback: () => void): void;
  /** Sends a message, copied before it returns. False: over the high-water mark, wait for `onDrain` (it is sent all the same). */
  write(message: Uint8Array): boolean;
  /**
   * The same for a message in two parts that nobody changes any more, so that many calls may share them: a small part is copied, a large
   * body is kept until it is sent.
   */
  writeShared(head: Uint8Array, body: Uint8Array): boolean;
  /** The same for a message in chunks that belong to the transport from then on. */
  writeChunks(chunks: readonly Uint8Array[]): boolean;
  /** What the last write would say now; when false, `onDrain` calls back. */
  hasRoom(): boolean;
  /** Sends the response headers now instead of with the first message. */
  sendHeaders(): void;
  /** Ends with status 0, behind all that was written. */
  end(): void;
  /** Bytes written that flow control or a slow reader still holds back. */
  readonly queuedBytes: number;
  /** No more messages are delivered until `resume`; the client is stopped by flow control. */
  pause(): void;
  resume(): void;
}

/** Handles a stream call: called when its headers have come. */
export type StreamHandler = (call: StreamCall) => void;

/** Values of the `grpc_type` label. */
export type GrpcType = 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';

/** Puts something around every handler of a server as it is registered. */
export interface HandlerWrapper {
  unary(handler: UnaryHandler): UnaryHandler;
  stream(handler: StreamHandler): StreamHandler;
}
