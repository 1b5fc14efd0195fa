import { copyBytes, emptyBytes } from '@quorate/base';
import { MessageReader, ReadResult } from '../grpc/message-reader.ts';
import { GrpcStatus } from '../grpc/status.ts';
import { Http2Code } from '../http2/constants.ts';
import { messagePrefixBytes } from '../http2/stream-sender.ts';
import type { UnaryCall } from './calls.ts';
import type { EndedCall } from './ended-calls.ts';
import { decompressMessage, prefixProblem } from './message-problems.ts';
import type { Route } from './route.ts';
import { ServerCall } from './server-call.ts';

/** A unary call. The request is handed on when the client has half-closed; nearly always that is within one chunk, and nothing is copied. */
export class UnaryServerCall extends ServerCall implements UnaryCall, EndedCall {
  private reader: MessageReader | null = null;
  /** A message that waits for the half-close, in memory of its own. */
  private held: Uint8Array | null = null;
  private requestBytes = 0;
  private responseBytes = 0;
  private endCode: number = GrpcStatus.ok;

  onBody(source: Uint8Array, start: number, end: number, ended: boolean): void {
    if (this.finished) return;
    const length = end - start - messagePrefixBytes;
    if (
      this.reader === null &&
      length >= 0 &&
      source[start] === 0 &&
      ((source[start + 1] as number) << 24) +
        ((source[start + 2] as number) << 16) +
        ((source[start + 3] as number) << 8) +
        (source[start + 4] as number) ===
        length &&
      length <= this.connection.limits.messageBytesMax &&
      (ended || this.connection.receiver.takeEmptyEnd(this, source))
    ) {
      this.serve(length === 0 ? emptyBytes : source.subarray(start + messagePrefixBytes, end), false);
      return;
    }
    this.readParts(source, start, end, ended);
  }

  private readParts(source: Uint8Array, start: number, end: number, ended: boolean): void {
    this.reader ??= new MessageReader(this.connection.limits.messageBytesMax);
    const reader = this.reader;
    let position = start;
    while (position < end) {
      const result = reader.read(source, position, end);
      position = reader.position;
      if (result === ReadResult.needMore) break;
      if (result !== ReadResult.message) {
        this.refuse(prefixProblem(result, reader.length, this.connection.limits.messageBytesMax));
        return;
      }
      if (this.held !== null) {
        this.fail(GrpcStatus.internal, 'cardinality violation: received more than one request message');
        return;
      }
      if (!this.takeMessage(reader)) return;
    }
    this.connection.receiver.accountUnfinished(this, reader.bufferedBytes + (this.held?.length ?? 0));
    if (!ended || this.finished) return;
    if (this.held === null) {
      const what = reader.isIdle ? 'cardinality violation: received no request message' : 'unexpected EOF';
      this.fail(GrpcStatus.internal, what);
      return;
    }
    this.serve(this.held, true);
  }

  /** Hands the request on, or keeps it while the connection holds back too much. */
  private serve(message: Uint8Array, owned: boolean): void {
    const { connection } = this;
    if (connection.room.hasRoomFor(this)) {
      this.held = null;
      this.deliver(message);
    } else if (connection.takesWaiting(message.length)) {
      this.held = owned ? message : copyBytes(message);
      connection.receiver.accountUnfinished(this, this.held.length);
      this.whenRoom(() => this.serveHeld());
    } else {
      connection.streamError(this.id, this, Http2Code.refusedStream);
    }
  }

  private serveHeld(): void {
    const message = this.held;
    if (this.finished || message === null) return;
    this.held = null;
    this.connection.receiver.accountUnfinished(this, 0);
    this.deliver(message);
  }

  /** Keeps the message found until the half-close; false when the call has failed. */
  private takeMessage(reader: MessageReader): boolean {
    if (!reader.compressed) {
      this.held = reader.owned ? reader.message : copyBytes(reader.message);
      return true;
    }
    const result = decompressMessage(this.connection, this.head.gzip, reader.message);
    if (result instanceof Uint8Array) {
      this.held = result;
      return true;
    }
    this.refuse(result);
    return false;
  }

  private refuse(problem: { code: number; message: string }): void {
    this.fail(problem.code, problem.message);
  }

  private deliver(message: Uint8Array): void {
    const route = this.head.route as Route;
    route.received.add(1);
    this.requestBytes = message.length;
    this.connection.counters.received.add(message.length);
    (route.unary as NonNullable<Route['unary']>)(this, message);
  }

  reply(source: Uint8Array, start: number, end: number): void {
    if (this.finished) return;
    this.countSent(end - start);
    this.settle(GrpcStatus.ok);
    this.connection.replyUnary(this, source, start, end);
  }

  replyChunks(chunks: readonly Uint8Array[]): void {
    if (this.finished) return;
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    this.countSent(length);
    this.settle(GrpcStatus.ok);
    this.connection.replyUnaryChunks(this, chunks);
  }

  protected override settle(code: number): void {
    super.settle(code);
    // etcd's metrics count one message sent for a unary call that ends with an error, too.
    (this.head.route as Route).sent.add(1);
    if (this.connection.options.slowUnary === null && (this.head.route as Route).observe === null) return;
    this.endCode = code;
    this.connection.endedCalls.add(this);
  }

  tellTook(endedMs: number): void {
    const tookMs = endedMs - this.startedMs;
    this.head.route?.observe?.(tookMs, this.endCode);
    this.tellWhenSlow(tookMs);
  }

  private tellWhenSlow(tookMs: number): void {
    const { clock, options, peer } = this.connection;
    if (tookMs <= (options.slowUnary?.ms ?? Number.POSITIVE_INFINITY)) return;
    const { path, requestBytes, responseBytes } = this;
    const startedWallMs = clock.wallMs() - tookMs;
    options.slowUnary?.answered({ path, address: peer.address, startedWallMs, tookMs, requestBytes, responseBytes });
  }

  private countSent(length: number): void {
    this.responseBytes = length;
    this.connection.counters.sent.add(length);
  }
}
