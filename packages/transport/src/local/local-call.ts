import type { Clock } from '@quorate/base';
import type { DeadlineEntry, DeadlineWheel } from '../grpc/deadline-wheel.ts';
import type { Metadata } from '../grpc/metadata.ts';
import { GrpcStatus } from '../grpc/status.ts';
import type { Peer } from '../http2/byte-stream.ts';
import type { Call } from '../server/calls.ts';
import type { Route } from '../server/route.ts';
import type { ByteCounters } from '../server/server-connection.ts';
import type { GrpcServerOptions } from '../server/server-options.ts';

/** The server as its local calls see it. */
export interface LocalHost {
  readonly clock: Clock;
  readonly options: GrpcServerOptions;
  readonly deadlines: DeadlineWheel;
  readonly counters: ByteCounters;
  /** Calls that their handlers have not ended. */
  readonly calls: Set<LocalCall>;
  readonly onCallEnd: () => void;
}

/** What `call.peer` is for a call from within the process. */
export const localPeer: Peer = { address: 'in-process', secure: false, certificate: null };

/** The server's side of a call from within the process: its deadline and its cancellation. */
export abstract class LocalCall implements Call, DeadlineEntry {
  readonly path: string;
  readonly metadata: Metadata;
  /** Who is served by this call, where it is made for somebody. */
  peer: Peer = localPeer;
  parent: Call | undefined = undefined;
  readonly deadlineMs: number;
  cancelled = false;
  wheelNext: DeadlineEntry | null = null;
  wheelPrevious: DeadlineEntry | null = null;
  wheelBucket = -1;
  protected readonly host: LocalHost;
  protected readonly route: Route;
  protected readonly startedMs: number;
  protected finished = false;
  private cancelCallback: (() => void) | null = null;

  constructor(host: LocalHost, route: Route, metadata: Metadata, deadlineMs: number) {
    this.host = host;
    this.route = route;
    this.path = route.path;
    this.metadata = metadata;
    this.deadlineMs = deadlineMs;
    this.startedMs = host.clock.nowMs();
    host.calls.add(this);
    route.started.add(1);
    host.options.counterOf?.(metadata, route.stream !== null).add(1);
    if (deadlineMs !== Number.POSITIVE_INFINITY) host.deadlines.add(this);
  }

  onCancel(callback: () => void): void {
    if (this.cancelled) callback();
    else if (!this.finished) this.cancelCallback = callback;
  }

  /** Whoever calls from within the process keeps one answer a call. */
  whenRoom(callback: () => void): void {
    callback();
  }

  hold(_bytes: number): void {}

  fail(code: number, message: string): void {
    if (this.finished) return;
    this.finishWith(code === GrpcStatus.ok ? GrpcStatus.unknown : code, message);
  }

  /** Ends a call that the handler did not end, and tells it. */
  abandon(code: number, message: string): void {
    if (this.finished) return;
    const callback = this.cancelCallback;
    this.cancelled = true;
    this.finishWith(code, message);
    callback?.();
  }

  /** Ends a call whose time was over before it began: the wheel looks only every so often. */
  protected isLate(): boolean {
    if (this.host.clock.nowMs() >= this.deadlineMs) this.onDeadline();
    return this.finished;
  }

  onDeadline(): void {
    this.abandon(GrpcStatus.deadlineExceeded, 'context deadline exceeded');
  }

  private finishWith(code: number, message: string): void {
    this.settle(code);
    this.tell(code, message);
  }

  /** Marks the call as finished; every path to an end comes through here once. */
  protected settle(code: number): void {
    this.finished = true;
    this.cancelCallback = null;
    this.host.deadlines.remove(this);
    this.route.handled(code);
    this.route.observe?.(this.host.clock.nowMs() - this.startedMs, code);
    this.host.calls.delete(this);
    this.host.onCallEnd();
  }

  /** Tells the caller a status. */
  protected abstract tell(code: number, message: string): void;

  protected countReceived(message: Uint8Array): void {
    this.route.received.add(1);
    this.host.counters.received.add(message.length);
  }

  /** Fails the call when a request message is too large. */
  protected isTooLarge(message: Uint8Array): boolean {
    const { messageBytesMax } = this.host.options.limits;
    if (message.length <= messageBytesMax) return false;
    this.abandon(
      GrpcStatus.resourceExhausted,
      `grpc: received message larger than max (${message.length} vs. ${messageBytesMax})`,
    );
    return true;
  }
}
