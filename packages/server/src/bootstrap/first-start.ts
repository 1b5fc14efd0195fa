import type { Clock, Logger } from '@quorate/base';
import { CodedError } from '@quorate/base';
import { type Bootstrap, type Member, makeBootstrap, memberIdText, type Sha1, sortedUrls } from '@quorate/machine';
import type { MemberConfig } from '../config/config.ts';
import type { HostResolver } from '../config/url-match.ts';
import { verifyNewCluster } from '../config/verify-bootstrap.ts';
import type { PeerClient } from '../peer/peer-client.ts';
import { joinCluster } from './join-cluster.ts';

/** What the first start of a member takes from outside. */
export interface FirstStartDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sha1: Sha1;
  readonly peerClient: Pick<PeerClient, 'members' | 'version' | 'isDowngradeEnabled'>;
  readonly resolver: HostResolver;
}

/** Who a member becomes at its first start. */
export interface FirstStart {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** Of a new cluster: what its log begins with. One that joins gets the log from the leader, and begins with none. */
  readonly bootstrap: Bootstrap | undefined;
  /** The other members of the cluster that begins or is joined: the transport must know them before the log tells of them. */
  readonly firstPeers: readonly Member[];
}

/** Time for one member's answer whether this one has been here before. */
const bootstrappedCheckMs = 1_000;

/**
 * Finds out who this member is, from the configuration and the members that run already. Changes nothing.
 * @throws CodedError `bootstrap/...` with etcd's text
 */
export async function prepareFirstStart(deps: FirstStartDeps, config: MemberConfig): Promise<FirstStart> {
  if (config.initialClusterProblem !== '') {
    throw new CodedError('config/start', `error setting up initial cluster: ${config.initialClusterProblem}`);
  }
  return config.initialClusterState === 'new' ? startNewCluster(deps, config) : joinCluster(deps, config);
}

async function startNewCluster(deps: FirstStartDeps, config: MemberConfig): Promise<FirstStart> {
  const first = await describeNewCluster(deps, config);
  if (await isBootstrapped(deps, config, first.memberId)) {
    throw new CodedError(
      'bootstrap/already-done',
      `member ${memberIdText(first.memberId)} has already been bootstrapped`,
    );
  }
  return first;
}

/** The new cluster that the configuration describes. @throws CodedError bootstrap/config, membership/duplicate-id */
export async function describeNewCluster(deps: FirstStartDeps, config: MemberConfig): Promise<FirstStart> {
  await verifyNewCluster(deps, config);
  const members = [...config.initialCluster].map(([name, peerUrls]) => ({ name, peerUrls }));
  const bootstrap = makeBootstrap(deps.sha1, members, config.initialClusterToken);
  // That it is there is checked above.
  const own = bootstrap.members.find((member) => member.name === config.name) as Member;
  const firstPeers = bootstrap.members.filter((member) => member !== own);
  return { memberId: own.id, clusterId: bootstrap.clusterId, bootstrap, firstPeers };
}

/** Whether the others know this member as one that has told its client URLs: then its data was lost, and with it its promises. */
async function isBootstrapped(deps: FirstStartDeps, config: MemberConfig, id: bigint): Promise<boolean> {
  for (const url of otherPeerUrls(config)) {
    try {
      const { members } = await deps.peerClient.members(url, bootstrappedCheckMs);
      if (members.length > 0) return members.some((member) => member.id === id && member.clientUrls.length > 0);
      return false;
    } catch (error) {
      // Most often the others are not there yet, either.
      deps.logger.debug('no answer about the cluster', { address: `${url}/members`, error: String(error) });
    }
  }
  return false;
}

/** The peer URLs of all members of the configuration but this one, sorted. */
export function otherPeerUrls(config: MemberConfig): string[] {
  return sortedUrls([...config.initialCluster].flatMap(([name, urls]) => (name === config.name ? [] : urls)));
}
