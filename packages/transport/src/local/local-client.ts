import type { RequestMetadata } from '../client/client-options.ts';
import { emptyMetadata, Metadata } from '../grpc/metadata.ts';
import { GrpcStatus, GrpcStatusError } from '../grpc/status.ts';
import { HeaderField } from '../hpack/header-field.ts';
import type { Peer } from '../http2/byte-stream.ts';
import type { Call } from '../server/calls.ts';
import type { Route, RouteTable } from '../server/route.ts';
import type { Cancellation } from './cancellation.ts';
import type { LocalHost } from './local-call.ts';
import { type LocalStream, LocalStreamCall } from './local-stream-call.ts';
import { type LocalRoom, LocalUnaryCall } from './local-unary-call.ts';

export interface LocalCallOptions {
  /** Names in lower case. */
  readonly metadata?: RequestMetadata;
  /** From now to the end of the call; none by default. */
  readonly timeoutMs?: number;
  /** The client on whose behalf it is made: what its certificate says counts. */
  readonly peer?: Peer;
  /** The call in whose service it is made. */
  readonly parent?: Call;
}

export interface LocalUnaryOptions extends LocalCallOptions {
  /** Gives the call up: it ends with status 1, and its handler is told. */
  readonly cancellation?: Cancellation;
  /** Where the answer goes from here: what it may hold back. */
  readonly room?: LocalRoom | undefined;
}

const noOptions: LocalUnaryOptions = {};

/**
 * Calls a server's methods from within its process, without a connection. Handlers see no difference: limits, deadlines, cancellation,
 * back-pressure and counters are those of the wire, and every call begins in a later turn.
 */
export class LocalClient {
  private readonly host: LocalHost;
  private readonly routes: RouteTable;
  private readonly isClosed: () => boolean;

  constructor(host: LocalHost, routes: RouteTable, isClosed: () => boolean) {
    this.host = host;
    this.routes = routes;
    this.isClosed = isClosed;
  }

  /**
   * One request, one answer (owned by the caller). `request` must not change until the call is over.
   * @throws GrpcStatusError (as a rejection)
   */
  unary(path: string, request: Uint8Array, options: LocalUnaryOptions = noOptions): Promise<Uint8Array> {
    const route = this.find(path, 'unary');
    if (route instanceof GrpcStatusError) return Promise.reject(route);
    return new Promise((resolve, reject) => {
      let stopListening = (): void => {};
      const call = new LocalUnaryCall(this.host, route, metadataOf(options), this.deadlineOf(options), {
        resolve: (answer) => {
          stopListening();
          resolve(answer);
        },
        reject: (error) => {
          stopListening();
          reject(error);
        },
      });
      const { cancellation, peer, parent, room } = options;
      if (room !== undefined) call.room = room;
      if (peer !== undefined) call.peer = peer;
      call.parent = parent;
      if (cancellation !== undefined) {
        stopListening = cancellation.onCancel(() => call.abandon(GrpcStatus.cancelled, 'context canceled'));
      }
      this.host.clock.defer(() => call.deliver(request));
    });
  }

  /**
   * Opens a stream. Set its callbacks in the same turn; they are never called within the caller's own calls.
   * @throws GrpcStatusError when there is no such stream method, or the server is closed.
   */
  stream(path: string, options: LocalCallOptions = noOptions): LocalStream {
    const route = this.find(path, 'stream');
    if (route instanceof GrpcStatusError) throw route;
    const call = new LocalStreamCall(this.host, route, metadataOf(options), this.deadlineOf(options));
    if (options.peer !== undefined) call.peer = options.peer;
    call.parent = options.parent;
    this.host.clock.defer(() => call.open());
    return call.caller;
  }

  private find(path: string, kind: 'unary' | 'stream'): Route | GrpcStatusError {
    if (this.isClosed()) return new GrpcStatusError(GrpcStatus.unavailable, 'the server is closed');
    const route = this.routes.get(path);
    if (route === undefined || route[kind] === null) {
      return new GrpcStatusError(GrpcStatus.unimplemented, this.routes.unknownMessage(path));
    }
    return route;
  }

  private deadlineOf(options: LocalCallOptions): number {
    return options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : this.host.clock.nowMs() + options.timeoutMs;
  }
}

function metadataOf(options: LocalCallOptions): Metadata {
  const { metadata } = options;
  if (metadata === undefined || metadata.length === 0) return emptyMetadata;
  return new Metadata(metadata.map(([name, value]) => new HeaderField(name, value)));
}
