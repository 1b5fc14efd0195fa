export type { ProxyAddress } from './cluster-service.ts';
export { OrderedUpstream } from './ordered-upstream.ts';
export { type ProxyDeps, type ProxyOptions, type ProxyState, registerProxy } from './register-proxy.ts';
export { EndpointPool, type PooledClient, type Upstream, type UpstreamOptions } from './upstream.ts';
