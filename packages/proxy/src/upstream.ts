import {
  type ClientStream,
  type GrpcClient,
  GrpcStatus,
  type RequestMetadata,
  type UnaryCallback,
} from '@quorate/transport';

/** What a call carries on its way through. */
export interface UpstreamOptions {
  readonly metadata: RequestMetadata;
  /** From now; none by default. */
  readonly timeoutMs?: number;
}

/** A stream of the servers'. */
export type UpstreamStream = Omit<ClientStream, 'onHeaders'>;

/** A call that can be given up. */
export interface Cancellable {
  cancel(): void;
}

/** The servers behind the proxy, as one. */
export interface Upstream {
  /** `request` must not change until the call is over. The callback never comes before this returns. */
  unary(path: string, request: Uint8Array, options: UpstreamOptions, callback: UnaryCallback): Cancellable;
  /** Set its callbacks in the same turn. */
  stream(path: string, options: UpstreamOptions): UpstreamStream;
}

/** The part of a client that the pool uses. */
export type PooledClient = Pick<GrpcClient, 'unaryCallback' | 'stream' | 'isReady' | 'connect' | 'close'>;

/**
 * Several endpoints used in turn. A call goes to one with a connection; while there is none it tries each endpoint once. Only a call that
 * never left is tried again: what a server may have seen is the caller's to repeat.
 */
export class EndpointPool implements Upstream {
  private readonly clients = new Map<string, PooledClient>();
  private readonly open: (endpoint: string) => PooledClient;
  private order: readonly string[] = [];
  private turn = 0;

  /** @param open makes the client of an endpoint `host:port`. */
  constructor(open: (endpoint: string) => PooledClient, endpoints: readonly string[]) {
    this.open = open;
    this.setEndpoints(endpoints);
  }

  get endpoints(): readonly string[] {
    return this.order;
  }

  /** Goes on with these; an empty list changes nothing. Clients of others are closed, so their calls fail. */
  setEndpoints(endpoints: readonly string[]): void {
    if (endpoints.length === 0) return;
    this.order = [...new Set(endpoints)];
    for (const [endpoint, client] of this.clients) {
      if (this.order.includes(endpoint)) continue;
      this.clients.delete(endpoint);
      client.close();
    }
  }

  unary(path: string, request: Uint8Array, options: UpstreamOptions, callback: UnaryCallback): Cancellable {
    let current: { abandon(code: number, message: string): void } | undefined;
    let attempts = 0;
    const attempt = () => {
      attempts++;
      current = this.next().unaryCallback(path, request, options, (code, message, answer) => {
        if (isUnsent(code, message) && attempts < this.order.length) attempt();
        else callback(code, message, answer);
      });
    };
    attempt();
    return { cancel: () => current?.abandon(GrpcStatus.cancelled, 'context canceled') };
  }

  stream(path: string, options: UpstreamOptions): UpstreamStream {
    return this.next().stream(path, options);
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
  }

  private next(): PooledClient {
    const { order } = this;
    for (let step = 0; step < order.length; step++) {
      const client = this.clients.get(order[(this.turn + step) % order.length] as string);
      if (client === undefined || !client.isReady) continue;
      this.turn = (this.turn + step + 1) % order.length;
      return client;
    }
    const endpoint = order[this.turn % order.length] as string;
    this.turn = (this.turn + 1) % order.length;
    let client = this.clients.get(endpoint);
    if (client === undefined) {
      client = this.open(endpoint);
      this.clients.set(endpoint, client);
    }
    return client;
  }
}

function isUnsent(code: number, message: string): boolean {
  return code === GrpcStatus.unavailable && message.startsWith('connection error: ');
}
