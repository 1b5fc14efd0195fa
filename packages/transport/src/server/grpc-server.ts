import { type Clock, type Logger, type Metrics, noMetrics, type Timer } from '@quorate/base';
import { DeadlineWheel } from '../grpc/deadline-wheel.ts';
import { GrpcStatus } from '../grpc/status.ts';
import type { ByteStream } from '../http2/byte-stream.ts';
import { FlushScheduler } from '../http2/flush-scheduler.ts';
import { SlabPool } from '../http2/slab-pool.ts';
import { StreamBytes } from '../http2/stream-bytes.ts';
import type { LocalCall } from '../local/local-call.ts';
import { LocalClient } from '../local/local-client.ts';
import type { GrpcType, StreamHandler, UnaryHandler } from './calls.ts';
import { EndedCalls } from './ended-calls.ts';
import type { HttpFallback } from './http-fallback.ts';
import { Route, RouteTable } from './route.ts';
import { ServerConnection, type ServerShared } from './server-connection.ts';
import { completeServerOptions, type GrpcServerOptions, type GrpcServerSettings } from './server-options.ts';

export interface GrpcServerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Metrics;
}

/** How often clock-bound limits are looked at, at most. */
const housekeepingMs = 1000;

/** A gRPC server over connections that somebody accepts for it (`listen` of the Node edge, or a simulation). */
export class GrpcServer {
  readonly options: GrpcServerOptions;
  /** Calls what is registered here without a connection. */
  readonly local: LocalClient;
  private readonly deps: GrpcServerDeps;
  private readonly metrics: Metrics;
  private readonly routes = new RouteTable();
  private readonly connections = new Set<ServerConnection>();
  private readonly localCalls = new Set<LocalCall>();
  private readonly flusher: FlushScheduler;
  private readonly shared: ServerShared;
  private readonly deadlines: DeadlineWheel;
  private housekeeper: Timer | null = null;
  private state: 'open' | 'draining' | 'closed' = 'open';
  private drained: (() => void) | null = null;

  constructor(deps: GrpcServerDeps, settings: GrpcServerSettings) {
    this.deps = deps;
    this.metrics = deps.metrics ?? noMetrics;
    this.options = completeServerOptions(settings);
    this.flusher = new FlushScheduler(deps.clock);
    this.deadlines = new DeadlineWheel(deps.clock);
    this.shared = {
      clock: deps.clock,
      logger: deps.logger,
      slabs: new SlabPool(),
      flusher: this.flusher,
      streamBytes: new StreamBytes(),
      options: this.options,
      routes: this.routes,
      deadlines: this.deadlines,
      endedCalls: new EndedCalls(deps.clock, this.flusher),
      counters: {
        received: this.metrics.counter(
          'etcd_network_client_grpc_received_bytes_total',
          'The total number of bytes received from grpc clients.',
        ),
        sent: this.metrics.counter(
          'etcd_network_client_grpc_sent_bytes_total',
          'The total number of bytes sent to grpc clients.',
        ),
      },
      onConnectionEnd: () => this.checkDrained(),
    };
    const { clock, options, deadlines } = this.shared;
    this.local = new LocalClient(
      {
        ...{ clock, options, deadlines, counters: this.shared.counters, calls: this.localCalls },
        onCallEnd: () => this.checkDrained(),
      },
      this.routes,
      () => this.state === 'closed',
    );
  }

  /** @param path `/package.Service/Method`. */
  registerUnary(path: string, handler: UnaryHandler): void {
    const wrapped = this.options.wrapper?.unary(handler) ?? handler;
    const observe = this.options.observe?.(path, 'unary') ?? null;
    this.routes.add(new Route(this.metrics, path, 'unary', wrapped, null, observe));
  }

  /** @param type only for the metrics' label; every stream call may send and receive any number of messages. */
  registerStream(path: string, handler: StreamHandler, type: GrpcType = 'bidi_stream'): void {
    const wrapped = this.options.wrapper?.stream(handler) ?? handler;
    const observe = this.options.observe?.(path, type) ?? null;
    this.routes.add(new Route(this.metrics, path, type, null, wrapped, observe));
  }

  /**
   * Serves HTTP/2 on a stream whose first bytes are still to come, the client's preface included.
   * @param onHttpRequest answers requests on it that are not gRPC; without it they get 415.
   */
  accept(stream: ByteStream, onHttpRequest: HttpFallback | null = null): void {
    if (this.state !== 'open') {
      stream.destroy();
      return;
    }
    this.connections.add(new ServerConnection(this.shared, stream, onHttpRequest));
    if (this.housekeeper === null) this.scheduleHousekeeping();
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /** Writes out what all connections have gathered, now instead of at the end of the turn. */
  flush(): void {
    this.flusher.flush();
  }

  /**
   * Takes no new connections and calls of clients; resolves when those under way, local ones too, have ended, or have been cut after
   * `timeoutMs`.
   */
  drain(timeoutMs: number): Promise<void> {
    if (this.state === 'closed') return Promise.resolve();
    this.state = 'draining';
    return new Promise((resolve) => {
      const timer = this.deps.clock.setTimer(timeoutMs, () => this.close());
      this.drained = () => {
        timer.cancel();
        resolve();
      };
      for (const connection of this.connections) connection.drain();
      this.checkDrained();
    });
  }

  /** Cuts every connection. Calls under way are cancelled. */
  close(): void {
    this.state = 'closed';
    for (const connection of this.connections) connection.destroy('server closed');
    this.connections.clear();
    for (const call of this.localCalls) call.abandon(GrpcStatus.unavailable, 'server closed');
    this.housekeeper?.cancel();
    this.housekeeper = null;
    this.deadlines.stop();
    this.checkDrained();
  }

  private checkDrained(): void {
    if (this.drained === null || this.localCalls.size > 0) return;
    for (const connection of this.connections) if (connection.isOpen) return;
    const drained = this.drained;
    this.drained = null;
    drained();
  }

  private scheduleHousekeeping(): void {
    const limits = this.options.limits;
    const keepalive = this.options.keepalive;
    const shortestMs = Math.min(
      limits.stallMs,
      limits.prefaceMs,
      limits.unaryReceiveMs,
      limits.idleMs,
      limits.lingerMs,
      keepalive.intervalMs,
      keepalive.timeoutMs,
    );
    const everyMs = Math.min(housekeepingMs, Math.max(shortestMs / 4, 5));
    this.housekeeper = this.deps.clock.setTimer(everyMs, () => this.housekeep());
  }

  private housekeep(): void {
    const nowMs = this.deps.clock.nowMs();
    for (const connection of this.connections) {
      connection.housekeep(nowMs);
      if (connection.isGone) this.connections.delete(connection);
    }
    this.housekeeper = null;
    if (this.connections.size > 0) this.scheduleHousekeeping();
  }
}

export function createGrpcServer(deps: GrpcServerDeps, settings: GrpcServerSettings = {}): GrpcServer {
  return new GrpcServer(deps, settings);
}
