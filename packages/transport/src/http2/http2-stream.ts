import type { SendQueue } from './send-queue.ts';

/**
 * One stream as the connection sees it; server calls and client calls extend it. The states of RFC 9113 section 5.1 are the two flags:
 * open (neither), half-closed (one), closed (both, and gone from the table).
 */
export abstract class Http2Stream {
  /** 0 for a client's call that is not a stream yet. */
  id: number;
  /** Bytes that the peer still lets us send; negative after it shrank its initial window. */
  sendWindow: number;
  /** Bytes the peer may still send. */
  receiveWindow: number;
  /** Received bytes that the peer has not been credited for. */
  uncreditedBytes = 0;
  /** DATA payload bytes received in all, to compare with content-length. */
  receivedBytes = 0;
  /** Declared content-length, or -1. */
  expectedBytes = -1;
  /** Bytes held of a message that is not complete; kept by the connection. */
  unfinishedBytes = 0;
  /** The reader wants no more for now: received bytes are not credited. */
  readingPaused = false;
  /** We sent END_STREAM or RST_STREAM. */
  localClosed = false;
  /** The peer sent END_STREAM or RST_STREAM. */
  remoteClosed = false;
  /** Data that flow control, or a full output, holds back. */
  queue: SendQueue | null = null;
  /** The writer heeds backpressure by itself: what it queues does not count towards the connection's limit. */
  readonly boundsItself: boolean;
  /** True while in the connection's list of streams that wait for its window or output. */
  waiting = false;

  constructor(id: number, sendWindow: number, receiveWindow: number, boundsItself: boolean) {
    this.id = id;
    this.boundsItself = boundsItself;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** Body bytes, a view valid during the call; `ended` with the last. `end > start` or `ended`. */
  abstract onBody(source: Uint8Array, start: number, end: number, ended: boolean): void;

  /** The peer gave the stream up (`code` of RST_STREAM) or the connection is gone (`code` -1). Sends nothing. */
  abstract onAborted(code: number): void;

  /** Queued bytes have gone out; `bytes` of them still wait. */
  abstract onDrained(bytes: number): void;
}
