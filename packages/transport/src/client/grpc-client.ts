import type { Timer } from '@quorate/base';
import { DeadlineWheel } from '../grpc/deadline-wheel.ts';
import { GrpcStatus, GrpcStatusError } from '../grpc/status.ts';
import type { ByteStream } from '../http2/byte-stream.ts';
import type { Http2Deps } from '../http2/connection-core.ts';
import { FlushScheduler } from '../http2/flush-scheduler.ts';
import { SlabPool } from '../http2/slab-pool.ts';
import { StreamBytes } from '../http2/stream-bytes.ts';
import type { ClientCall } from './client-call.ts';
import { ClientConnection, type ClientConnectionOwner } from './client-connection.ts';
import {
  type CallOptions,
  completeClientOptions,
  type GrpcClientDeps,
  type GrpcClientOptions,
  type GrpcClientSettings,
} from './client-options.ts';
import { type ClientStream, StreamClientCall } from './stream-client-call.ts';
import { type UnaryCallback, UnaryClientCall } from './unary-client-call.ts';

const housekeepingMs = 1000;
const noOptions: CallOptions = {};

/** What the client's connection is at. */
type ClientState =
  | { readonly name: 'idle' }
  | { readonly name: 'connecting'; readonly timer: Timer }
  | { readonly name: 'ready'; readonly connection: ClientConnection }
  /** The last attempt failed; the next comes when the timer fires. */
  | { readonly name: 'backoff'; readonly timer: Timer; readonly reason: string }
  | { readonly name: 'closed' };

/**
 * A gRPC client of one address. All calls share one connection, made with the first call and again whenever it is lost.
 */
export class GrpcClient implements ClientConnectionOwner {
  readonly options: GrpcClientOptions;
  private readonly deps: GrpcClientDeps;
  private readonly http2: Http2Deps;
  private readonly flusher: FlushScheduler;
  private readonly deadlines: DeadlineWheel;
  private state: ClientState = { name: 'idle' };
  private readonly waiting = new Set<ClientCall>();
  /** Connections that finish their last calls. */
  private readonly draining = new Set<ClientConnection>();
  private failures = 0;
  private attempt = 0;
  private housekeeper: Timer | null = null;
  private readonly forget: (call: ClientCall) => void;

  constructor(deps: GrpcClientDeps, settings: GrpcClientSettings) {
    this.deps = deps;
    this.options = completeClientOptions(settings);
    this.flusher = new FlushScheduler(deps.clock);
    this.deadlines = new DeadlineWheel(deps.clock);
    this.http2 = {
      clock: deps.clock,
      logger: deps.logger,
      slabs: new SlabPool(),
      flusher: this.flusher,
      streamBytes: new StreamBytes(),
    };
    this.forget = (call) => {
      this.deadlines.remove(call);
      if (call.connection === null) this.waiting.delete(call);
    };
  }

  /**
   * One request, one answer (owned by the caller). `request` must not change until the call is over.
   * @throws GrpcStatusError (as a rejection)
   */
  unary(path: string, request: Uint8Array, options: CallOptions = noOptions): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.unaryCallback(path, request, options, (code, message, answer) => {
        if (answer !== null) resolve(answer);
        else reject(new GrpcStatusError(code, message));
      });
    });
  }

  /** The same without a promise. The callback never comes before this returns. */
  unaryCallback(path: string, request: Uint8Array, options: CallOptions, callback: UnaryCallback): ClientCall {
    const call = new UnaryClientCall(path, request, options, this.deadlineOf(options), this.forget, callback);
    this.begin(call);
    return call;
  }

  /** Opens a stream. Set its callbacks in the same turn. */
  stream(path: string, options: CallOptions = noOptions): ClientStream {
    const call = new StreamClientCall(path, options, this.deadlineOf(options), this.forget);
    this.begin(call);
    return call;
  }

  get isReady(): boolean {
    return this.state.name === 'ready';
  }

  /** Starts to connect if there is no connection; calls do so by themselves. */
  connect(): void {
    if (this.state.name === 'idle') this.startConnecting();
  }

  /** Writes out what was gathered, now instead of at the end of the turn. */
  flush(): void {
    this.flusher.flush();
  }

  /** Cuts the connection; calls under way, and all later ones, fail with status 1. */
  close(): void {
    const state = this.state;
    if (state.name === 'closed') return;
    this.state = { name: 'closed' };
    if (state.name === 'connecting' || state.name === 'backoff') state.timer.cancel();
    this.housekeeper?.cancel();
    this.housekeeper = null;
    const connections = [...this.draining];
    if (state.name === 'ready') connections.push(state.connection);
    for (const connection of connections) {
      for (const call of connection.streams.values()) call.abandon(GrpcStatus.cancelled, 'the client was closed');
      connection.end('the client was closed');
      if (!connection.isGone) {
        this.deps.clock.setTimer(this.options.limits.lingerMs, () => connection.destroy('the client was closed'));
      }
    }
    this.failWaiting(true, GrpcStatus.cancelled, 'the client was closed');
    this.deadlines.stop();
  }

  private deadlineOf(options: CallOptions): number {
    return options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : this.deps.clock.nowMs() + options.timeoutMs;
  }

  private begin(call: ClientCall): void {
    if (call.finished) return;
    const state = this.state;
    if (call.deadlineMs !== Number.POSITIVE_INFINITY && call.wheelBucket < 0) this.deadlines.add(call);
    if (state.name === 'ready' && state.connection.hasRoom && this.waiting.size === 0) {
      state.connection.start(call, call.options.timeoutMs ?? Number.POSITIVE_INFINITY);
      return;
    }
    if (state.name === 'closed') {
      this.failLater(call, GrpcStatus.cancelled, 'the client was closed');
    } else if (state.name === 'backoff' && call.options.waitForReady !== true) {
      this.failLater(call, GrpcStatus.unavailable, `connection error: ${state.reason}`);
    } else if (this.waiting.size >= this.options.waitingCallsMax) {
      this.failLater(call, GrpcStatus.resourceExhausted, 'too many calls wait for the connection');
    } else {
      this.waiting.add(call);
      if (state.name === 'idle') this.startConnecting();
    }
  }

  /** In a later turn: a caller that tries again from its callback must not run in a circle. */
  private failLater(call: ClientCall, code: number, message: string): void {
    this.deps.clock.defer(() => call.abandon(code, message));
  }

  private startConnecting(): void {
    const attempt = ++this.attempt;
    const timer = this.deps.clock.setTimer(this.options.connectTimeoutMs, () =>
      this.onConnectFailed(attempt, 'timed out'),
    );
    this.state = { name: 'connecting', timer };
    // In a later turn, like whatever comes of it.
    this.deps.clock.defer(() => {
      this.deps.connect(
        (stream) => this.onConnected(attempt, stream),
        (reason) => this.onConnectFailed(attempt, reason),
      );
    });
  }

  private onConnected(attempt: number, stream: ByteStream): void {
    if (this.state.name !== 'connecting' || attempt !== this.attempt) {
      stream.destroy();
      return;
    }
    this.state.timer.cancel();
    const connection = new ClientConnection(this.http2, stream, this.options, this);
    this.state = { name: 'ready', connection };
    if (this.housekeeper === null) this.scheduleHousekeeping();
    this.onCapacity();
  }

  private onConnectFailed(attempt: number, reason: string): void {
    if (this.state.name !== 'connecting' || attempt !== this.attempt) return;
    this.state.timer.cancel();
    this.backOff(reason);
  }

  private backOff(reason: string): void {
    const options = this.options;
    const fullMs = Math.min(options.backoffMaxMs, options.backoffMinMs * 1.5 ** this.failures);
    this.failures++;
    // Plus or minus a fifth, lest all clients come back at the same moment.
    const delayMs = fullMs * (0.8 + (0.4 * this.deps.random.nextUint32()) / 0x1_0000_0000);
    const timer = this.deps.clock.setTimer(delayMs, () => {
      this.state = { name: 'idle' };
      if (this.waiting.size > 0) this.startConnecting();
    });
    this.state = { name: 'backoff', timer, reason };
    this.failWaiting(false, GrpcStatus.unavailable, `connection error: ${reason}`);
  }

  /** @param all also those that wait for a connection however long it takes. */
  private failWaiting(all: boolean, code: number, message: string): void {
    for (const call of [...this.waiting]) {
      if (all || call.options.waitForReady !== true) call.abandon(code, message);
    }
  }

  onRefused(call: ClientCall): void {
    // In a later turn, so that a server that refuses everything is not asked in a loop.
    this.waiting.add(call);
    this.deps.clock.defer(() => {
      if (!this.waiting.delete(call) || call.finished) return;
      this.begin(call);
    });
  }

  onCapacity(): void {
    if (this.waiting.size === 0 || this.state.name !== 'ready') return;
    const connection = this.state.connection;
    for (const call of this.waiting) {
      if (!connection.hasRoom) return;
      this.waiting.delete(call);
      connection.start(call, call.deadlineMs - this.deps.clock.nowMs());
    }
  }

  onDraining(connection: ClientConnection): void {
    if (this.state.name !== 'ready' || this.state.connection !== connection) return;
    this.draining.add(connection);
    this.state = { name: 'idle' };
    if (this.waiting.size > 0) this.startConnecting();
  }

  onEnded(connection: ClientConnection, reason: string): void {
    this.draining.delete(connection);
    if (this.state.name !== 'ready' || this.state.connection !== connection) return;
    if (connection.sawServer) {
      this.failures = 0;
      this.state = { name: 'idle' };
      if (this.waiting.size > 0) this.startConnecting();
    } else {
      // It was accepted and dropped before the server said anything: as good as no connection.
      this.backOff(reason);
    }
  }

  private scheduleHousekeeping(): void {
    const options = this.options;
    const shortestMs = Math.min(options.keepaliveMs, options.keepaliveTimeoutMs, options.limits.prefaceMs);
    const everyMs = Math.min(housekeepingMs, Math.max(shortestMs / 4, 5));
    this.housekeeper = this.deps.clock.setTimer(everyMs, () => {
      const nowMs = this.deps.clock.nowMs();
      for (const connection of this.draining) connection.housekeep(nowMs);
      if (this.state.name === 'ready') this.state.connection.housekeep(nowMs);
      this.housekeeper = null;
      if (this.state.name === 'ready' || this.draining.size > 0) this.scheduleHousekeeping();
    });
  }
}
