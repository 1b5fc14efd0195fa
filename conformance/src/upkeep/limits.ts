import type { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import { waitUntil } from '../support/text.ts';
import { MEBIBYTE } from './memory.ts';
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

/** What no client asks for needs nobody's permission. */
async function tellCompactionWithAuthentication(cluster: Cluster): Promise<string[]> {
  const [member] = cluster.members as [ClusterMember];
  for (let i = 0; i < 5; i++) await put(member, 'a', `${i}`);
  await call(member, 'Auth.UserAdd', { name: 'root', password: 'pw' });
  await call(member, 'Auth.RoleAdd', { name: 'root' });
  await call(member, 'Auth.UserGrantRole', { user: 'root', role: 'root' });
  const enabled = await call(member, 'Auth.AuthEnable', {});
  const isDone = (): boolean =>
    (member.server?.logTail(1000) ?? '').split('\n').some((line) => {
      return line.includes('"msg":"finished scheduled compaction"') && line.includes('"compact-revision":6');
    });
  const wasDone = isDone();
  await waitUntil('compaction up to the last write', TIMEOUT_MS, isDone);
  return [
    `enable ${enabled}, compacted before ${wasDone}, compacted after true`,
    `compact without a user ${await call(member, 'KV.Compact', { revision: 6 })}`,
    `downgrade without a user ${await call(member, 'Maintenance.Downgrade', { action: 2 })}`,
  ];
}

const QUOTA_BYTES = 2 * MEBIBYTE;
const FILL_BYTES = 10_000;
const PUTS_A_COMMIT = 5;

/** Puts until there is no space: how many were taken. A hash makes the server commit, so that the size it judges by is the present one. */
async function fill(member: ClusterMember): Promise<number> {
  for (let taken = 0; ; taken++) {
    if (taken % PUTS_A_COMMIT === 0) await call(member, 'Maintenance.Hash', {});
    const answer = await put(member, `k${taken % 3}`, 'x'.repeat(FILL_BYTES));
    if (answer !== 'ok') return taken;
  }
}

async function tellNoSpace(cluster: Cluster, note: (text: string) => void): Promise<string[]> {
  const [member] = cluster.members as [ClusterMember];
  const lines: string[] = [];
  const taken = await fill(member);
  const revision = taken + 1;
  note(`${taken} puts of ${FILL_BYTES} bytes in ${QUOTA_BYTES}`);
  lines.push(`taken as the size allows: ${taken > 150 && taken < 230}`);
  const alarms = (): Promise<string> =>
    call(member, 'Maintenance.Alarm', {}, (message) => `${(message.alarms as unknown[]).length} alarms`);
  lines.push(await alarms());
  lines.push(`small put ${await put(member, 'a', '1')}`);
  lines.push(`delete ${await call(member, 'KV.DeleteRange', { key: Buffer.from('k0') })}`);
  lines.push(`compact ${await call(member, 'KV.Compact', { revision, physical: true })}`);
  lines.push(`defragment ${await call(member, 'Maintenance.Defragment', {})}`);
  lines.push(`put ${await put(member, 'a', '1')}`);
  lines.push(`disarm ${await call(member, 'Maintenance.Alarm', { action: 2, memberID: member.id, alarm: 1 })}`);
  lines.push(`put ${await put(member, 'a', '1')}`);
  const again = await fill(member);
  lines.push(`as much room as at first: ${Math.abs(again - taken) < 15}`);
  for (const line of ['enabled backend quota', 'finished defragmenting directory']) {
    lines.push(`logged${hasLogged(member, line) ? '' : ' by nobody'}: ${line}`);
  }
  return lines;
}

/** Writes one key after the other until told to stop; resolves with how many there were and what failed. */
async function writeOn(member: ClusterMember, isOver: () => boolean): Promise<{ count: number; failed: string[] }> {
  const failed = new Set<string>();
  let count = 0;
  for (; !isOver(); count++) {
    const answer = await put(member, `w${count % 50}`, 'x'.repeat(20_000));
    if (answer !== 'ok') failed.add(answer);
  }
  return { count, failed: [...failed] };
}

/** What operators do to members that serve. */
async function tellOperations(cluster: Cluster, note: (text: string) => void): Promise<string[]> {
  const leader = await cluster.waitLeader();
  const [follower, third] = cluster.others(leader) as [ClusterMember, ClusterMember];
  // So that there is something to defragment and to send.
  for (let i = 0; i < 300; i++) await put(leader, `w${i % 50}`, 'x'.repeat(20_000));
  let isOver = false;
  const writing = writeOn(third, () => isOver);
  const lines: string[] = [];
  for (const member of [leader, follower, third]) {
    lines.push(`defragment ${await call(member, 'Maintenance.Defragment', {})}`);
  }
  const { messages, end } = await follower.connection.serverStream('Maintenance.Snapshot', {});
  const blobs = messages.map((message) => (message.blob as Buffer).length);
  const total = blobs.slice(0, -1).reduce((sum, length) => sum + length, 0);
  lines.push(
    `snapshot ${end.code}, all there ${total === (blobs[0] as number) + Number(messages[0]?.remaining_bytes) && blobs.at(-1) === 32}`,
  );
  lines.push(`move by a follower ${await call(follower, 'Maintenance.MoveLeader', { targetID: third.id })}`);
  lines.push(`move to nobody ${await call(leader, 'Maintenance.MoveLeader', { targetID: 4711 })}`);
  lines.push(`move to itself ${await call(leader, 'Maintenance.MoveLeader', { targetID: leader.id })}`);
  isOver = true;
  const { count, failed } = await writing;
  note(`${count} writes meanwhile`);
  lines.push(`writes that failed: ${failed.join(', ') || 'none'}`);
  lines.push(`move ${await call(leader, 'Maintenance.MoveLeader', { targetID: follower.id })}`);
  const now = await cluster.waitLeader();
  lines.push(`leads now: ${now === follower ? 'the one it was moved to' : now.name}`);
  lines.push(`hashes differ: ${(await cluster.compareHashes()).join(', ') || 'no'}`);
  return lines;
}

/** What a member does at its start with a database most of which is free. */
async function tellStartDefragmentation(cluster: Cluster, thresholdMib: number): Promise<string[]> {
  const [member] = cluster.members as [ClusterMember];
  const size = (): Promise<number> =>
    call(member, 'Maintenance.Status', {}, (message) => String(message.dbSize)).then(Number);
  for (let i = 0; i < 40; i++) await put(member, 'k', 'x'.repeat(100_000));
  await call(member, 'KV.Compact', { revision: 41, physical: true });
  await call(member, 'Maintenance.Hash', {});
  const before = await size();
  await member.stop();
  member.setExtraArgs([`--bootstrap-defrag-threshold-megabytes=${thresholdMib}`]);
  member.start();
  await cluster.waitHealthy();
  return [
    `smaller: ${(await size()) < before / 2}`,
    ...['Skipping defragmentation', 'defragmenting', 'finished defragmenting directory'].map(
      (line) => `${line}: ${hasLogged(member, line)}`,
    ),
    `range ${await call(member, 'KV.Range', { key: Buffer.from('k') }, (message) => `finds ${message.count}`)}`,
  ];
}

function startDefragmentationStory(thresholdMib: number, isDone: boolean): Story {
  return {
    name: `defragmentation at the start, ${isDone ? 'where it is worth it' : 'where it is not'}`,
    expected: [
      `smaller: ${isDone}`,
      `Skipping defragmentation: ${!isDone}`,
      `defragmenting: ${isDone}`,
      `finished defragmenting directory: ${isDone}`,
      'range finds 1',
    ],
    tell: async (kind, directory) => {
      let lines: string[] = [];
      await withCluster([kind], directory, [], async (cluster) => {
        lines = await tellStartDefragmentation(cluster, thresholdMib);
      });
      return lines;
    },
  };
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
      await withCluster([kind, kind, kind], directory, ['--auto-compaction-retention=1s'], async (cluster) => {
        lines = await tellAutoCompaction(cluster);
      });
      return lines;
    },
  },
  {
    name: 'auto-compaction with authentication on',
    expected: [
      'enable ok, compacted before false, compacted after true',
      'compact without a user INVALID_ARGUMENT etcdserver: user name is empty',
      'downgrade without a user INVALID_ARGUMENT etcdserver: user name is empty',
    ],
    tell: async (kind, directory) => {
      let lines: string[] = [];
      await withCluster([kind], directory, ['--auto-compaction-retention=4s'], async (cluster) => {
        lines = await tellCompactionWithAuthentication(cluster);
      });
      return lines;
    },
  },
  {
    name: 'operations while clients write',
    expected: [
      'defragment ok',
      'defragment ok',
      'defragment ok',
      'snapshot OK, all there true',
      'move by a follower FAILED_PRECONDITION etcdserver: not leader',
      'move to nobody FAILED_PRECONDITION etcdserver: bad leader transferee',
      'move to itself ok',
      'writes that failed: none',
      'move ok',
      'leads now: the one it was moved to',
      'hashes differ: no',
    ],
    tell: async (kind, directory, note) => {
      let lines: string[] = [];
      await withCluster([kind, kind, kind], directory, [], async (cluster) => {
        lines = await tellOperations(cluster, note);
      });
      return lines;
    },
  },
  {
    name: 'space runs out and comes back',
    expected: [
      'taken as the size allows: true',
      '1 alarms',
      'small put RESOURCE_EXHAUSTED etcdserver: mvcc: database space exceeded',
      'delete ok',
      'compact ok',
      'defragment ok',
      'put RESOURCE_EXHAUSTED etcdserver: mvcc: database space exceeded',
      'disarm ok',
      'put ok',
      'as much room as at first: true',
      'logged: enabled backend quota',
      'logged: finished defragmenting directory',
    ],
    tell: async (kind, directory, note) => {
      let lines: string[] = [];
      await withCluster([kind], directory, [`--quota-backend-bytes=${QUOTA_BYTES}`], async (cluster) => {
        lines = await tellNoSpace(cluster, note);
      });
      return lines;
    },
  },
  startDefragmentationStory(1, true),
  startDefragmentationStory(100, false),
];
