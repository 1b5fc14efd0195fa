import type { Counter, Metrics } from '@quorate/base';
import { GrpcStatus, grpcStatusNames } from '../grpc/status.ts';
import type { GrpcType, StreamHandler, UnaryHandler } from './calls.ts';
import type { CallObserver } from './server-options.ts';

/** One registered method and its counters. */
export class Route {
  readonly path: string;
  readonly unary: UnaryHandler | null;
  readonly stream: StreamHandler | null;
  readonly started: Counter;
  readonly received: Counter;
  readonly sent: Counter;
  /** Hears of calls that have ended. */
  readonly observe: CallObserver | null;
  private readonly handledByCode: readonly Counter[];

  constructor(
    metrics: Metrics,
    path: string,
    type: GrpcType,
    unary: UnaryHandler | null,
    stream: StreamHandler | null,
    observe: CallObserver | null,
  ) {
    this.path = path;
    this.observe = observe;
    this.unary = unary;
    this.stream = stream;
    const slash = path.lastIndexOf('/');
    const labels = { grpc_type: type, grpc_service: path.slice(1, slash), grpc_method: path.slice(slash + 1) };
    this.started = metrics.counter('grpc_server_started_total', 'Total number of RPCs started on the server.', labels);
    this.received = metrics.counter(
      'grpc_server_msg_received_total',
      'Total number of RPC stream messages received on the server.',
      labels,
    );
    this.sent = metrics.counter(
      'grpc_server_msg_sent_total',
      'Total number of gRPC stream messages sent by the server.',
      labels,
    );
    this.handledByCode = grpcStatusNames.map((name) =>
      metrics.counter(
        'grpc_server_handled_total',
        'Total number of RPCs completed on the server, regardless of success or failure.',
        { ...labels, grpc_code: name },
      ),
    );
  }

  handled(code: number): void {
    (this.handledByCode[code] ?? (this.handledByCode[GrpcStatus.unknown] as Counter)).add(1);
  }
}

/** All registered methods. */
export class RouteTable {
  private readonly routes = new Map<string, Route>();
  private readonly services = new Set<string>();

  add(route: Route): void {
    this.routes.set(route.path, route);
    this.services.add(route.path.slice(1, route.path.lastIndexOf('/')));
  }

  get(path: string): Route | undefined {
    return this.routes.get(path);
  }

  /** The message of status 12 for a path that is not registered, as grpc-go words it. */
  unknownMessage(path: string): string {
    const name = path.startsWith('/') ? path.slice(1) : path;
    const slash = name.lastIndexOf('/');
    if (slash < 0) return `malformed method name: ${JSON.stringify(path)}`;
    const service = name.slice(0, slash);
    if (!this.services.has(service)) return `unknown service ${service}`;
    return `unknown method ${name.slice(slash + 1)} for service ${service}`;
  }
}
