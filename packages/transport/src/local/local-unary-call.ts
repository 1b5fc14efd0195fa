import { allocateUnsafe, concatBytes, copyBytes } from '@quorate/base';
import type { Metadata } from '../grpc/metadata.ts';
import { GrpcStatus, GrpcStatusError } from '../grpc/status.ts';
import type { Call, UnaryCall, UnaryHandler } from '../server/calls.ts';
import type { Route } from '../server/route.ts';
import { LocalCall, type LocalHost } from './local-call.ts';

/** Bytes of an answer that are copied in one turn. */
const copiedPerTurn = 1024 * 1024;

/** What bounds the answers of local calls made for a connection. */
export type LocalRoom = Pick<Call, 'whenRoom' | 'hold'>;

/** What becomes of a unary call: a promise's two ends. */
export interface UnaryEnd {
  resolve(answer: Uint8Array): void;
  reject(error: GrpcStatusError): void;
}

/** A unary call from within the process, as its handler sees it. */
export class LocalUnaryCall extends LocalCall implements UnaryCall {
  room: LocalRoom | null = null;
  private readonly whenEnded: UnaryEnd;
  private requestBytes = 0;
  private responseBytes = 0;

  constructor(host: LocalHost, route: Route, metadata: Metadata, deadlineMs: number, whenEnded: UnaryEnd) {
    super(host, route, metadata, deadlineMs);
    this.whenEnded = whenEnded;
  }

  /** Hands the request to the handler. */
  deliver(request: Uint8Array): void {
    if (this.isLate() || this.isTooLarge(request)) return;
    this.requestBytes = request.length;
    this.countReceived(request);
    (this.route.unary as UnaryHandler)(this, request);
  }

  override whenRoom(callback: () => void): void {
    if (this.room === null) callback();
    else this.room.whenRoom(callback);
  }

  override hold(bytes: number): void {
    this.room?.hold(bytes);
  }

  reply(source: Uint8Array, start: number, end: number): void {
    if (!this.finished) this.answer(copyBytes(source, start, end));
  }

  replyChunks(chunks: readonly Uint8Array[]): void {
    if (this.finished) return;
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    if (length <= copiedPerTurn) {
      this.answer(concatBytes(chunks));
      return;
    }
    this.answered(length);
    this.copyInTurns(chunks, allocateUnsafe(length), 0, 0);
  }

  private answer(message: Uint8Array): void {
    this.answered(message.length);
    this.whenEnded.resolve(message);
  }

  private answered(length: number): void {
    this.responseBytes = length;
    this.settle(GrpcStatus.ok);
    this.host.counters.sent.add(length);
  }

  /** Puts a large answer together without holding the loop; at least a chunk a turn. */
  private copyInTurns(chunks: readonly Uint8Array[], target: Uint8Array, from: number, position: number): void {
    let next = from;
    let end = position;
    do {
      const chunk = chunks[next++] as Uint8Array;
      target.set(chunk, end);
      end += chunk.length;
    } while (next < chunks.length && end - position < copiedPerTurn);
    if (next === chunks.length) this.whenEnded.resolve(target);
    else this.host.clock.defer(() => this.copyInTurns(chunks, target, next, end));
  }

  protected override settle(code: number): void {
    super.settle(code);
    // As on the wire, where etcd counts an error as a message sent, too.
    this.route.sent.add(1);
    this.tellWhenSlow(this.host.clock.nowMs() - this.startedMs);
  }

  private tellWhenSlow(tookMs: number): void {
    const { clock, options } = this.host;
    if (options.slowUnary === null || tookMs <= options.slowUnary.ms) return;
    const { path, requestBytes, responseBytes } = this;
    const startedWallMs = clock.wallMs() - tookMs;
    options.slowUnary.answered({
      ...{ path, startedWallMs, tookMs, requestBytes, responseBytes },
      address: this.peer.address,
    });
  }

  protected override tell(code: number, message: string): void {
    this.whenEnded.reject(new GrpcStatusError(code, message));
  }
}
