import { concatBytes, copyBytes, emptyBytes } from '@quorate/base';
import { MessageReader, ReadResult } from '../grpc/message-reader.ts';
import { GrpcStatus } from '../grpc/status.ts';
import type { StreamCall } from './calls.ts';
import { decompressMessage, prefixProblem } from './message-problems.ts';
import { PacedServerCall } from './paced-server-call.ts';
import type { RequestHead } from './request-head.ts';
import type { Route } from './route.ts';
import type { ServerConnection } from './server-connection.ts';

/** A call with a stream of messages either way. */
export class StreamServerCall extends PacedServerCall implements StreamCall {
  private readonly reader: MessageReader;
  private messageCallback: ((message: Uint8Array) => void) | null = null;
  private endCallback: (() => void) | null = null;
  /** What came while paused, at most a stream window. */
  private pending: Uint8Array = emptyBytes;
  private ended = false;
  private delivering = false;

  constructor(connection: ServerConnection, id: number, head: RequestHead) {
    super(connection, id, head, true);
    this.reader = new MessageReader(connection.limits.messageBytesMax);
  }

  onMessage(callback: (message: Uint8Array) => void): void {
    this.messageCallback = callback;
  }

  onEnd(callback: () => void): void {
    this.endCallback = callback;
  }

  sendHeaders(): void {
    if (this.finished || this.headersSent) return;
    this.headersSent = true;
    this.connection.sendHeaders(this);
  }

  write(message: Uint8Array): boolean {
    if (this.finished) return true;
    this.beforeMessage(message.length);
    this.connection.sender.sendMessage(this, message, 0, message.length, false);
    return this.hasRoom();
  }

  writeShared(head: Uint8Array, body: Uint8Array): boolean {
    if (this.finished) return true;
    this.beforeMessage(head.length + body.length);
    this.connection.sender.sendSharedMessage(this, head, body);
    return this.hasRoom();
  }

  writeChunks(chunks: readonly Uint8Array[]): boolean {
    if (this.finished) return true;
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    this.beforeMessage(length);
    this.connection.sender.sendOwnedMessage(this, chunks);
    return this.hasRoom();
  }

  private beforeMessage(length: number): void {
    this.sendHeaders();
    (this.head.route as Route).sent.add(1);
    this.connection.counters.sent.add(length);
  }

  end(): void {
    if (this.finished) return;
    this.sendHeaders();
    this.finishWith(GrpcStatus.ok, '');
  }

  protected override settle(code: number): void {
    super.settle(code);
    this.head.route?.observe?.(this.connection.clock.nowMs() - this.startedMs, code);
  }

  pause(): void {
    this.readingPaused = true;
  }

  resume(): void {
    if (!this.readingPaused) return;
    this.readingPaused = false;
    // Inside a delivery the loop that called us goes on by itself.
    if (this.delivering) return;
    const pending = this.pending;
    this.pending = emptyBytes;
    this.consume(pending, 0, pending.length);
    if (!this.readingPaused && !this.finished) this.connection.receiver.creditStream(this);
  }

  onBody(source: Uint8Array, start: number, end: number, ended: boolean): void {
    if (ended) this.ended = true;
    if (this.finished) return;
    if (this.readingPaused) {
      this.keep(source, start, end);
      return;
    }
    this.consume(source, start, end);
  }

  private keep(source: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    const more = copyBytes(source, start, end);
    this.pending = this.pending.length === 0 ? more : concatBytes([this.pending, more]);
    this.account();
  }

  private account(): void {
    this.connection.receiver.accountUnfinished(this, this.reader.bufferedBytes + this.pending.length);
  }

  private consume(source: Uint8Array, start: number, end: number): void {
    const reader = this.reader;
    let position = start;
    this.delivering = true;
    while (position < end && !this.finished) {
      if (this.readingPaused) {
        this.keep(source, position, end);
        break;
      }
      const result = reader.read(source, position, end);
      position = reader.position;
      if (result === ReadResult.needMore) break;
      if (result !== ReadResult.message) {
        const problem = prefixProblem(result, reader.length, this.connection.limits.messageBytesMax);
        this.failUnasked(problem.code, problem.message);
        break;
      }
      this.deliver(reader);
    }
    this.delivering = false;
    if (this.finished) return;
    this.account();
    if (this.ended && !this.readingPaused && this.pending.length === 0) this.deliverEnd();
  }

  private deliver(reader: MessageReader): void {
    let message = reader.message;
    if (reader.compressed) {
      const result = decompressMessage(this.connection, this.head.gzip, message);
      if (!(result instanceof Uint8Array)) {
        this.failUnasked(result.code, result.message);
        return;
      }
      message = result;
    }
    (this.head.route as Route).received.add(1);
    this.connection.counters.received.add(message.length);
    this.messageCallback?.(message);
  }

  private deliverEnd(): void {
    if (!this.reader.isIdle) {
      this.failUnasked(GrpcStatus.internal, 'unexpected EOF');
      return;
    }
    // etcd's metrics count the receive that finds the end, too.
    (this.head.route as Route).received.add(1);
    const callback = this.endCallback;
    this.endCallback = null;
    callback?.();
  }
}
