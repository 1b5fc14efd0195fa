import { services } from '@quorate/api';
import type { Clock } from '@quorate/base';
import type { GrpcServer } from '@quorate/transport';
import { CallerMetadata } from './caller-metadata.ts';
import { type ProxyAddress, registerCluster } from './cluster-service.ts';
import { forwardStream, forwardUnary, type ProxyContext } from './forwarding.ts';
import { registerKeyValue } from './kv-service.ts';
import { registerLease } from './lease-service.ts';
import { Namespace } from './namespace.ts';
import type { OrderedUpstream } from './ordered-upstream.ts';
import { RangeCache } from './range-cache.ts';
import type { Upstream } from './upstream.ts';
import { WatchPool } from './watch/watch-pool.ts';
import { registerWatch } from './watch/watch-service.ts';

export interface ProxyDeps {
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** The same servers, for keys, where reads must never go back. */
  readonly ordered?: OrderedUpstream;
}

export interface ProxyOptions {
  /** Put before every key; empty for none. */
  readonly namespace: Uint8Array;
  /** What the member list shows; when empty, the servers themselves. */
  readonly proxies: () => readonly ProxyAddress[];
}

/** Counts of a proxy. */
export interface ProxyState {
  /** Watches at the servers, however many watchers share them. */
  watches(): number;
  /** Range answers in the cache. */
  cachedRanges(): number;
}

/** Serves the whole v3 API on a gRPC server from the servers behind `upstream`. */
export function registerProxy(server: GrpcServer, deps: ProxyDeps, options: ProxyOptions): ProxyState {
  const { upstream, clock, ordered } = deps;
  const cache = new RangeCache();
  const namespace = new Namespace(options.namespace);
  const context: ProxyContext = { upstream, callers: new CallerMetadata(), nowMs: () => clock.nowMs() };
  const keyValues = { ...context, namespace, cache, isOrdered: false };
  const pool = new WatchPool({ upstream, clock, namespace });
  registerKeyValue(server, ordered === undefined ? keyValues : { ...keyValues, upstream: ordered, isOrdered: true });
  registerWatch(server, keyValues, pool);
  registerLease(server, keyValues);
  registerCluster(server, context, options.proxies);
  forwardRest(server, context);
  return { watches: () => pool.size, cachedRanges: () => cache.size };
}

/** What the proxy has nothing to add to. */
function forwardRest(server: GrpcServer, context: ProxyContext): void {
  for (const service of [services.Maintenance, services.Auth, services.Lock, services.Election]) {
    for (const method of Object.values(service.methods)) {
      if (method.serverStreaming || method.clientStreaming) forwardStream(server, context, method);
      else forwardUnary(server, context, method.path);
    }
  }
}
