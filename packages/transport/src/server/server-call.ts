import type { DeadlineEntry } from '../grpc/deadline-wheel.ts';
import type { Metadata } from '../grpc/metadata.ts';
import { GrpcStatus } from '../grpc/status.ts';
import type { Peer } from '../http2/byte-stream.ts';
import { Http2Code } from '../http2/constants.ts';
import { Http2Stream } from '../http2/http2-stream.ts';
import type { RequestHead } from './request-head.ts';
import type { ServerConnection } from './server-connection.ts';

/** A request under way: the stream, its headers, its deadline and its cancellation. */
export abstract class ServerCall extends Http2Stream implements DeadlineEntry {
  readonly connection: ServerConnection;
  readonly head: RequestHead;
  readonly startedMs: number;
  deadlineMs: number = Number.POSITIVE_INFINITY;
  cancelled = false;
  /** Bytes of its answer that are made and not yet with the sender; kept by the connection's {@link AnswerRoom}. */
  promisedBytes = 0;
  wheelNext: DeadlineEntry | null = null;
  wheelPrevious: DeadlineEntry | null = null;
  wheelBucket = -1;
  /** Answered or given up: nothing more may be sent. */
  protected finished = false;
  protected headersSent = false;
  private cancelCallback: (() => void) | null = null;
  /** It has promised bytes or waited for room. */
  private usesRoom = false;

  constructor(connection: ServerConnection, id: number, head: RequestHead, boundsItself: boolean) {
    super(id, connection.settings.initialWindowBytes, connection.streamReceiveWindow, boundsItself);
    this.connection = connection;
    this.head = head;
    this.startedMs = connection.lastReadMs;
    this.expectedBytes = head.contentLength;
    if (head.timeoutMs !== Number.POSITIVE_INFINITY) {
      this.deadlineMs = connection.lastReadMs + head.timeoutMs;
      connection.deadlines.add(this);
    }
  }

  get path(): string {
    return this.head.path;
  }

  get metadata(): Metadata {
    return this.head.metadata;
  }

  get peer(): Peer {
    return this.connection.peer;
  }

  onCancel(callback: () => void): void {
    if (this.cancelled) callback();
    else if (!this.finished) this.cancelCallback = callback;
  }

  whenRoom(callback: () => void): void {
    const { room } = this.connection;
    if (this.finished || room.hasRoomFor(this)) {
      callback();
      return;
    }
    this.usesRoom = true;
    room.wait(this, callback);
  }

  hold(bytes: number): void {
    if (this.finished) return;
    this.usesRoom = true;
    this.connection.room.promise(this, bytes);
  }

  fail(code: number, message: string): void {
    if (this.finished) return;
    if (code === GrpcStatus.ok) this.finishWith(GrpcStatus.unknown, message);
    else this.finishWith(code, message);
  }

  /** Ends a call that the handler did not end: it is told, as when the client goes away, so that it lets go of what it holds. */
  protected failUnasked(code: number, message: string): void {
    if (this.finished) return;
    const callback = this.cancelCallback;
    this.cancelled = true;
    this.finishWith(code, message);
    callback?.();
  }

  /** Ends the call with this status, behind what is queued. */
  protected finishWith(code: number, message: string): void {
    this.settle(code);
    this.connection.finishCall(this, this.headersSent, code, message);
  }

  /** Marks the call as finished; every path to an end comes through here once. */
  protected settle(code: number): void {
    this.finished = true;
    this.cancelCallback = null;
    if (this.wheelBucket >= 0) this.connection.deadlines.remove(this);
    if (this.usesRoom) this.connection.room.leave(this);
    this.head.route?.handled(code);
  }

  /** The deadline passed: status 4 if it can still be told, else RST_STREAM as grpc-go does. */
  onDeadline(): void {
    if (this.finished) return;
    const callback = this.cancelCallback;
    this.cancelled = true;
    if (this.queue !== null && this.queue.bytes > 0) {
      this.settle(GrpcStatus.deadlineExceeded);
      this.connection.resetStream(this, Http2Code.cancel);
    } else {
      this.finishWith(GrpcStatus.deadlineExceeded, 'context deadline exceeded');
    }
    callback?.();
  }

  onAborted(_code: number): void {
    if (this.finished) return;
    const callback = this.cancelCallback;
    this.cancelled = true;
    this.settle(GrpcStatus.cancelled);
    callback?.();
  }

  onDrained(_bytes: number): void {}
}
