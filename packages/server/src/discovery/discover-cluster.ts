import { type Clock, CodedError, type Logger } from '@quorate/base';
import { makeBootstrap, type Sha1 } from '@quorate/machine';
import { type MemberConfig, parseInitialCluster } from '../config/config.ts';
import { joinByRegistry, type Registry } from './registry-cluster.ts';
import { findSrvCluster, type SrvResolver } from './srv-cluster.ts';

/** The configuration with the initial cluster that the records of its domain name. @throws CodedError config/start */
export async function clusterOfRecords(
  deps: { readonly logger: Logger; readonly resolver: SrvResolver },
  config: MemberConfig,
): Promise<MemberConfig> {
  const { name, advertisePeerUrls, discovery, peerTls } = config;
  const { srvDomain: domain, srvServiceName: serviceName } = discovery;
  const text = await findSrvCluster(deps, { domain, serviceName, name, advertisePeerUrls });
  const initialCluster = readCluster(text);
  if (!initialCluster.has(name)) {
    const problem = `cannot find local etcd member ${JSON.stringify(name)} in SRV records`;
    throw new CodedError('config/start', `error setting up initial cluster: ${problem}`);
  }
  // Authorities of the system vouch for many: the members' certificates must be for the domain.
  const isOfDomain = text.includes('https://') && peerTls.trustedCaFile === '';
  return { ...config, initialCluster, ...(isOfDomain ? { peerTls: { ...peerTls, serverName: domain } } : {}) };
}

export interface RegistryDiscoveryDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sha1: Sha1;
  readonly registry: Registry;
}

/** The configuration with the initial cluster that comes together at a registry. @throws CodedError discovery/refused, config/start */
export async function clusterOfRegistry(deps: RegistryDiscoveryDeps, config: MemberConfig): Promise<MemberConfig> {
  const { name, discovery, advertisePeerUrls } = config;
  // The token stands for that of the cluster, in ids too.
  const { token } = discovery.v3;
  const peerUrls = advertisePeerUrls.map(({ href }) => href);
  if (config.initialClusterState === 'existing') {
    return { ...config, initialCluster: new Map([[name, peerUrls]]), initialClusterToken: token };
  }
  const [own] = makeBootstrap(deps.sha1, [{ name, peerUrls }], token).members;
  const self = peerUrls.map((url) => `${name}=${url}`).join(',');
  const text = await joinByRegistry(deps, { token, memberId: own?.id ?? 0n, self });
  return { ...config, initialCluster: readCluster(text), initialClusterToken: token };
}

function readCluster(text: string): ReadonlyMap<string, readonly string[]> {
  try {
    return parseInitialCluster(text);
  } catch (error) {
    throw new CodedError('config/start', `error setting up initial cluster: ${(error as Error).message}`);
  }
}
