import { CodedError } from '@quorate/base';
import { compareVersions, type Member, memberIdText, membershipRefusals, parseVersion } from '@quorate/machine';
import type { MemberConfig } from '../config/config.ts';
import { UrlMatcher } from '../config/url-match.ts';
import { verifyJoin } from '../config/verify-bootstrap.ts';
import { etcdVersion } from '../version.ts';
import { pollVersions } from '../versions/member-versions.ts';
import { type FirstStart, type FirstStartDeps, otherPeerUrls } from './first-start.ts';

/** Time for one member's answer about the cluster. */
const membersTimeoutMs = 10_000;
const requestSlackMs = 5_000;
const minimumClusterVersion = '3.0.0';

interface ExistingCluster {
  readonly clusterId: bigint;
  readonly members: readonly Member[];
}

/**
 * Asks a running cluster, to which this member was added before, who it is there.
 * @throws CodedError `bootstrap/config`, `bootstrap/no-cluster`, `bootstrap/no-match`, `bootstrap/incompatible`, `membership/too-many-learners`
 */
export async function joinCluster(deps: FirstStartDeps, config: MemberConfig): Promise<FirstStart> {
  verifyJoin(config);
  const existing = await fetchCluster(deps, config);
  const memberId = await ownIdIn(deps, config, existing);
  const firstPeers = existing.members.filter((member) => member.id !== memberId);
  await checkVersions(deps, config, firstPeers);
  if (existing.members.filter((member) => member.isLearner).length > config.learnersMax) {
    throw new CodedError('membership/too-many-learners', membershipRefusals['membership/too-many-learners']);
  }
  return { memberId, clusterId: existing.clusterId, bootstrap: undefined, firstPeers };
}

/** What the first of the other members that answers says. */
async function fetchCluster(deps: FirstStartDeps, config: MemberConfig): Promise<ExistingCluster> {
  const unfetched = (why: string) =>
    new CodedError('bootstrap/no-cluster', `cannot fetch cluster info from peer urls: ${why}`);
  for (const url of otherPeerUrls(config)) {
    let existing: ExistingCluster;
    try {
      existing = await deps.peerClient.members(url, membersTimeoutMs);
    } catch (error) {
      deps.logger.warn('failed to get cluster response', { address: `${url}/members`, error: String(error) });
      continue;
    }
    if (existing.members.length > 0) return existing;
    throw unfetched('failed to get raft cluster member(s) from the given URLs');
  }
  throw unfetched('could not retrieve cluster information from the given URLs');
}

/** The id under which the cluster knows this member: every one of its members must be in the configuration, by its peer URLs. */
async function ownIdIn(deps: FirstStartDeps, config: MemberConfig, existing: ExistingCluster): Promise<bigint> {
  const invalid = (why: string) =>
    new CodedError('bootstrap/no-match', `error validating peerURLs ${describe(existing)}: ${why}`);
  if (existing.members.length !== config.initialCluster.size) throw invalid('member count is unequal');
  const matcher = new UrlMatcher(deps);
  let ownId: bigint | undefined;
  for (const member of existing.members) {
    let name: string | undefined;
    let detail = '';
    for (const [candidate, urls] of config.initialCluster) {
      const match = await matcher.match(member.peerUrls, urls);
      if (match.isEqual) {
        name = candidate;
        break;
      }
      detail = match.detail;
    }
    if (name === undefined) throw invalid(noMatch(member, detail));
    if (name === config.name) ownId = member.id;
  }
  if (ownId === undefined) throw invalid(`no member has the peer URLs of ${config.name}`);
  return ownId;
}

function noMatch({ id, peerUrls }: Member, detail: string): string {
  const member = `(${memberIdText(id)}, [${peerUrls.join(' ')}])`;
  return `PeerURLs: no match found for existing member ${member}, last resolver error (${detail})`;
}

/**
 * Whether this release may take part: at least one member must tell the version of the cluster, and none one that is too high, or out of the
 * way of a downgrade.
 */
async function checkVersions(deps: FirstStartDeps, config: MemberConfig, others: readonly Member[]): Promise<void> {
  const timeoutMs = requestSlackMs + 2 * config.electionMs;
  const table = await pollVersions(deps, others, timeoutMs);
  const { lowest, highest } = allowedVersions(await isDowngrading(deps, others, timeoutMs));
  let isKnown = false;
  for (const [id, version] of table) {
    const cluster = version?.cluster;
    if (cluster === undefined || parseVersion(cluster) === undefined) continue;
    isKnown = true;
    if (compareVersions(cluster, lowest) >= 0 && compareVersions(cluster, highest) <= 0) continue;
    deps.logger.warn('cluster version of remote member is not compatible', {
      'remote-member-id': memberIdText(id),
      'remote-member-cluster-version': cluster,
      'minimum-cluster-version-supported': lowest,
      'maximum-cluster-version-supported': highest,
    });
    throw incompatible();
  }
  if (!isKnown) throw incompatible();
}

const incompatible = () => new CodedError('bootstrap/incompatible', 'incompatible with current running cluster');

function allowedVersions(isDowngrading: boolean): { readonly lowest: string; readonly highest: string } {
  const [major, minor] = parseVersion(etcdVersion) as readonly [number, number, number];
  if (!isDowngrading) return { lowest: minimumClusterVersion, highest: `${major}.${minor}.0` };
  const oneAbove = `${major}.${minor + 1}.0`;
  return { lowest: oneAbove, highest: oneAbove };
}

/** The first answer counts: it is of the whole cluster. Nobody to ask means no. */
async function isDowngrading(deps: FirstStartDeps, others: readonly Member[], timeoutMs: number): Promise<boolean> {
  for (const member of others) {
    for (const url of member.peerUrls) {
      try {
        return await deps.peerClient.isDowngradeEnabled(url, timeoutMs);
      } catch (error) {
        const fields = { 'remote-member-id': memberIdText(member.id), error: String(error) };
        deps.logger.warn('failed to get downgrade enabled status', fields);
      }
    }
  }
  return false;
}

/** As etcd prints a cluster. */
function describe({ clusterId, members }: ExistingCluster): string {
  const texts = members.map(
    ({ id, peerUrls, isLearner, name, clientUrls }) =>
      `&{ID:${memberIdText(id)} RaftAttributes:{PeerURLs:[${peerUrls.join(' ')}] IsLearner:${isLearner}} ` +
      `Attributes:{Name:${name} ClientURLs:[${clientUrls.join(' ')}]}}`,
  );
  return `{ClusterID:${memberIdText(clusterId)} Members:[${texts.join(' ')}] RemovedMemberIDs:[]}`;
}
