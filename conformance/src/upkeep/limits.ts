import type { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { waitUntil } from '../support/text.ts';
import { call, hasLogged, put, type Story, withCluster } from './story.ts';

const TIMEOUT_MS = 30_000;

function compactRevision(member: ClusterMember): Promise<string> {
  return call(member, 'Maintenance.HashKV', {}, (message) => String(message.compact_revision));
}

async function tellAutoCompaction(cluster: Cluster): Promise<string[]> {
  const leader = await cluster.waitLeader();
  for (let i = 0; i < 5; i++) await put(leader, 'a', `${i}`);
  await waitUntil('compaction up to the last write', TIMEOUT_MS, async () => (await compactRevision(leader)) === '6');
  await waitUntil('the compaction of all members', TIMEOUT_MS, async () => {
    const all = await Promise.all(cluster.members.map(compactRevision));
    return all.every((revision) => revision === '6');
  });
  const lines = ['all are compacted at 6'];
  for (const line of ['starting auto periodic compaction', 'completed auto periodic compaction']) {
    lines.push(`${line} by ${cluster.members.filter((member) => hasLogged(member, line)).length}`);
  }
  const done = cluster.members.filter((member) => hasLogged(member, 'finished scheduled compaction'));
  lines.push(`finished scheduled compaction by ${done.length}`);
  return lines;
}

export const limitStories: readonly Story[] = [
  {
    name: 'auto-compaction by time',
    expected: [
      'all are compacted at 6',
      'starting auto periodic compaction by 1',
      'completed auto periodic compaction by 1',
      'finished scheduled compaction by 3',
    ],
    tell: async (kind, directory) => {
      let lines: string[] = [];
      await withCluster(kind, directory, 3, ['--auto-compaction-retention=1s'], async (cluster) => {
        lines = await tellAutoCompaction(cluster);
      });
      return lines;
    },
  },
];
