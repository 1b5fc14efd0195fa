import { etcdserverpb, services } from '@quorate/api';
import type { Logger } from '@quorate/base';
import type { EndpointPool } from '@quorate/proxy';
import { discoverServers } from '../discover-servers.ts';
import { type ProxyConfig, withoutScheme } from './proxy-flags.ts';

const { MemberListRequest, MemberListResponse } = etcdserverpb;
const listTimeoutMs = 5_000;

/** The servers of the SRV records, else those of the flags. @throws DiscoveryError */
export async function findEndpoints(config: ProxyConfig, logger: Logger): Promise<readonly string[]> {
  const found = await discoverServers(logger, { ...config, trustedCaFile: config.caFile });
  return found.length === 0 ? config.endpoints : found.map(({ host, port }) => `${host}:${port}`);
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
