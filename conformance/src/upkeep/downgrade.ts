import type { Message } from '../grpc/services.ts';
import type { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import type { ServerKind } from '../support/programs.ts';
import { sleep, waitUntil } from '../support/text.ts';
import { call, hasLogged, put, type Story, withCluster } from './story.ts';

const VALIDATE = 0;
const ENABLE = 1;
const CANCEL = 2;
const FOLLOW_TIMEOUT_MS = 30_000;
/** Checks of whether the job is done are a second apart here. */
const SEVERAL_CHECKS_MS = 3000;

function downgrade(member: ClusterMember, action: number, version = ''): Promise<string> {
  return call(member, 'Maintenance.Downgrade', { action, version }, (message) => `answers ${message.version}`);
}

async function versions(member: ClusterMember): Promise<string> {
  const storage = await call(member, 'Maintenance.Status', {}, (status) => {
    const job = status.downgradeInfo as Message;
    return `storage ${status.storageVersion}, job ${job.enabled ? `to ${job.targetVersion}` : 'none'}`;
  });
  return `cluster ${await member.clusterVersion()}, ${storage}`;
}

async function waitVersions(cluster: Cluster, expected: string): Promise<string> {
  await waitUntil(`all members to be at: ${expected}`, FOLLOW_TIMEOUT_MS, async () => {
    const all = await Promise.all(cluster.members.map(versions));
    return all.every((text) => text === expected);
  });
  return `all: ${expected}`;
}

async function isEnabledForPeers(member: ClusterMember): Promise<string> {
  const response = await fetch(`${member.peerUrl}/downgrade/enabled`);
  return `${response.status} ${response.headers.get('content-type')} ${await response.text()}`;
}

const LINES = [
  'updating cluster version using v3 API',
  'cluster version is updated',
  'Cluster version downgrade detected, forcing snapshot',
  'updated storage version',
  'The server is ready to downgrade',
  'the cluster has been downgraded',
];

async function thereAndBack(cluster: Cluster): Promise<string[]> {
  const lines: string[] = [];
  // The leader's log says most, so another one is started again.
  const first = await cluster.waitLeader();
  const [second] = cluster.others(first) as [ClusterMember];
  lines.push(await waitVersions(cluster, 'cluster 3.7.0, storage 3.7.0, job none'));
  lines.push(`peers hear ${await isEnabledForPeers(first)}`);
  lines.push(`validate ${await downgrade(second, VALIDATE, '3.6')}`);
  lines.push(`enable ${await downgrade(second, ENABLE, '3.6.4')}`);
  lines.push(await waitVersions(cluster, 'cluster 3.6.0, storage 3.6.0, job to 3.6.0'));
  lines.push(`peers hear ${await isEnabledForPeers(first)}`);
  lines.push(`to 3.5 ${await downgrade(first, VALIDATE, '3.5')}`);
  lines.push(`to 3.6 ${await downgrade(first, ENABLE, '3.6')}`);
  lines.push(`put ${await put(first, 'a', '1')}`);
  // No member runs 3.6, so the job does not end by itself, and members may be started again.
  await second.stop();
  second.start();
  await cluster.waitHealthy();
  await sleep(SEVERAL_CHECKS_MS);
  lines.push(await waitVersions(cluster, 'cluster 3.6.0, storage 3.6.0, job to 3.6.0'));
  for (const line of LINES) {
    const who = cluster.others(second).filter((member) => hasLogged(member, line));
    lines.push(`logged${who.length > 0 ? '' : ' by nobody'}: ${line}`);
  }
  lines.push(`cancel ${await downgrade(first, CANCEL)}`);
  lines.push(await waitVersions(cluster, 'cluster 3.7.0, storage 3.7.0, job none'));
  lines.push(`cancel again ${await downgrade(first, CANCEL)}`);
  return lines;
}

const told = [
  'all: cluster 3.7.0, storage 3.7.0, job none',
  'peers hear 200 text/plain false',
  'validate answers 3.7',
  'enable answers 3.7',
  'all: cluster 3.6.0, storage 3.6.0, job to 3.6.0',
  'peers hear 200 text/plain true',
  'to 3.5 FAILED_PRECONDITION etcdserver: cluster has a downgrade job in progress',
  'to 3.6 INVALID_ARGUMENT etcdserver: invalid downgrade target version',
  'put ok',
  'all: cluster 3.6.0, storage 3.6.0, job to 3.6.0',
  'logged: updating cluster version using v3 API',
  'logged: cluster version is updated',
  'logged: Cluster version downgrade detected, forcing snapshot',
  'logged: updated storage version',
  'logged: The server is ready to downgrade',
  'logged by nobody: the cluster has been downgraded',
  'cancel answers 3.6',
  'all: cluster 3.7.0, storage 3.7.0, job none',
  'cancel again answers 3.7',
];

function story(name: string, kindsOf: (kind: ServerKind) => readonly ServerKind[]): Story {
  return {
    name,
    expected: told,
    tell: async (kind, directory) => {
      let lines: string[] = [];
      await withCluster(kindsOf(kind), directory, ['--downgrade-check-time=1s'], async (cluster) => {
        lines = await thereAndBack(cluster);
      });
      return lines;
    },
  };
}

export const downgradeStories: readonly Story[] = [
  story('downgrade and back', (kind) => [kind, kind, kind]),
  story('downgrade and back, with a member of etcd', (kind) => [kind, 'etcd37', kind]),
];
