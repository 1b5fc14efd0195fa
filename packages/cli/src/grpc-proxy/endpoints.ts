import { resolveSrv } from 'node:dns/promises';
import { etcdserverpb, services } from '@quorate/api';
import type { Logger } from '@quorate/base';
import type { EndpointPool } from '@quorate/proxy';
import { type ProxyConfig, ProxyUsageError, withoutScheme } from './proxy-flags.ts';

const { MemberListRequest, MemberListResponse } = etcdserverpb;
const listTimeoutMs = 5_000;

/** The servers named by the flags, or by the SRV records of a domain. @throws ProxyUsageError where there are none */
export async function findEndpoints(config: ProxyConfig): Promise<readonly string[]> {
  const { discoveryDomain, discoverySuffix, takesInsecure, endpoints } = config;
  if (discoveryDomain === '') return endpoints;
  const suffix = discoverySuffix === '' ? '' : `-${discoverySuffix}`;
  const kinds = takesInsecure ? ['etcd-client-ssl', 'etcd-client'] : ['etcd-client-ssl'];
  const found = await Promise.all(kinds.map((kind) => serversOf(`_${kind}${suffix}._tcp.${discoveryDomain}`)));
  const all = found.flat();
  if (all.length === 0) throw new ProxyUsageError(`no SRV records of servers found for ${discoveryDomain}`);
  return all;
}

async function serversOf(name: string): Promise<string[]> {
  try {
    const records = await resolveSrv(name);
    records.sort((a, b) => a.priority - b.priority || b.weight - a.weight);
    return records.map(({ name: host, port }) => `${host}:${port}`);
  } catch {
    // No such record: the other kind may exist.
    return [];
  }
}

/** Looks the servers up in the member list now and then, when that is asked for. */
export function syncEndpoints(config: ProxyConfig, upstream: EndpointPool, logger: Logger): NodeJS.Timeout | undefined {
  if (config.syncIntervalMs === 0) return undefined;
  const request = MemberListRequest.encode(MemberListRequest.create());
  const options = { metadata: [], timeoutMs: listTimeoutMs };
  const look = () => {
    upstream.unary(services.Cluster.methods.MemberList.path, request, options, (_code, message, answer) => {
      if (answer === null) {
        logger.warn('failed to look up the servers', { error: message });
        return;
      }
      const { members } = MemberListResponse.decode(answer);
      const serving = members.filter(({ isLearner }) => !isLearner);
      upstream.setEndpoints(serving.flatMap(({ clientUrls }) => clientUrls.map(withoutScheme)));
    });
  };
  const timer = setInterval(look, config.syncIntervalMs);
  timer.unref();
  return timer;
}
