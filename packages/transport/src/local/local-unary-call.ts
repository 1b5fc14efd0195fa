import { concatBytes, copyBytes } from '@quorate/base';
import type { Metadata } from '../grpc/metadata.ts';
import { GrpcStatus, GrpcStatusError } from '../grpc/status.ts';
import type { UnaryCall, UnaryHandler } from '../server/calls.ts';
import type { Route } from '../server/route.ts';
import { LocalCall, type LocalHost } from './local-call.ts';

/** What becomes of a unary call: a promise's two ends. */
export interface UnaryEnd {
  resolve(answer: Uint8Array): void;
  reject(error: GrpcStatusError): void;
}

/** A unary call from within the process, as its handler sees it. */
export class LocalUnaryCall extends LocalCall implements UnaryCall {
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

  reply(source: Uint8Array, start: number, end: number): void {
    if (!this.finished) this.answer(copyBytes(source, start, end));
  }

  replyChunks(chunks: readonly Uint8Array[]): void {
    if (!this.finished) this.answer(concatBytes(chunks));
  }

  private answer(message: Uint8Array): void {
    this.responseBytes = message.length;
    this.settle(GrpcStatus.ok);
    this.host.counters.sent.add(message.length);
    this.whenEnded.resolve(message);
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
