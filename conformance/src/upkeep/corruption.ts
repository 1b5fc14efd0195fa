import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Message } from '../grpc/services.ts';
import type { Cluster } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import type { ServerKind } from '../support/programs.ts';
import { waitUntil } from '../support/text.ts';
import { call, hasLogged, put, type Story, withCluster } from './story.ts';

const TRUE_VALUE = 'value as it was put';
const FALSE_VALUE = 'value as it is not!';
const CORRUPT = 2;
const ALARM_TIMEOUT_MS = 30_000;

/** Puts another value of the same length into the database of a member that is stopped. Pages carry no checksums. */
function tamper(member: ClusterMember): void {
  const path = join(member.dataDir, 'member', 'snap', 'db');
  const bytes = readFileSync(path);
  let changed = 0;
  for (let at = bytes.indexOf(TRUE_VALUE); at >= 0; at = bytes.indexOf(TRUE_VALUE, at + 1)) {
    bytes.write(FALSE_VALUE, at, 'latin1');
    changed++;
  }
  if (changed === 0) throw new Error(`the value is not in ${path}`);
  writeFileSync(path, bytes);
}

/** Writes a value, and starts a follower again with another one in its database. */
async function tamperWithFollower(cluster: Cluster): Promise<ClusterMember> {
  const leader = await cluster.waitLeader();
  const [follower] = cluster.others(leader) as [ClusterMember];
  await put(leader, 'tampered', TRUE_VALUE);
  await cluster.compareHashes();
  await follower.stop();
  tamper(follower);
  follower.start();
  return follower;
}

async function alarms(member: ClusterMember, nameOf: (id: string) => string): Promise<string> {
  return call(member, 'Maintenance.Alarm', {}, (message) => {
    const listed = message.alarms as Message[];
    return listed
      .map(({ alarm, memberID }) => `${Number(alarm) === CORRUPT ? 'CORRUPT' : alarm} of ${nameOf(String(memberID))}`)
      .join(', ');
  });
}

async function tellAlarm(cluster: Cluster, meanwhile: (leader: ClusterMember) => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const follower = await tamperWithFollower(cluster);
  await cluster.waitHealthy();
  const leader = await cluster.waitLeader();
  await meanwhile(leader);
  const nameOf = (id: string): string => (id === follower.id ? 'the one that was tampered with' : id);
  let found = '';
  await waitUntil('an alarm', ALARM_TIMEOUT_MS, async () => {
    found = await alarms(leader, nameOf);
    return found !== '';
  });
  lines.push(found);
  lines.push(`put ${await put(leader, 'x', '1')}`);
  lines.push(`delete ${await call(leader, 'KV.DeleteRange', { key: Buffer.from('x') })}`);
  lines.push(`compact ${await call(leader, 'KV.Compact', { revision: 2 })}`);
  lines.push(`range ${await call(leader, 'KV.Range', { key: Buffer.from('x') })}`);
  lines.push(`hash ${await call(leader, 'Maintenance.HashKV', {})}`);
  lines.push(`defragment ${await call(leader, 'Maintenance.Defragment', {})}`);
  const health = await fetch(`http://${leader.endpoint}/health`);
  lines.push(`health ${health.status} ${(await health.text()).trim()}`);
  await call(leader, 'Maintenance.Alarm', { action: 2, memberID: follower.id, alarm: 2 });
  return lines;
}

const refusedAfterAlarm = [
  'put DATA_LOSS etcdserver: corrupt cluster',
  'delete DATA_LOSS etcdserver: corrupt cluster',
  'compact DATA_LOSS etcdserver: corrupt cluster',
  'range ok',
  'hash ok',
  'defragment ok',
  'health 503 {"health":"false","reason":"ALARM CORRUPT"}',
];

function alarmStory(
  name: string,
  kindsOf: (kind: ServerKind) => readonly ServerKind[],
  args: readonly string[],
  line: string,
  meanwhile: (leader: ClusterMember) => Promise<void> = async () => undefined,
): Story {
  return {
    name,
    expected: ['CORRUPT of the one that was tampered with', ...refusedAfterAlarm, `logged: ${line}`],
    tell: async (kind, directory) => {
      const lines: string[] = [];
      await withCluster(kindsOf(kind), directory, args, async (cluster) => {
        lines.push(...(await tellAlarm(cluster, meanwhile)));
        const isLogged = cluster.members.some((member) => hasLogged(member, line));
        lines.push(`logged${isLogged ? '' : ' by nobody'}: ${line}`);
      });
      return lines;
    },
  };
}

async function tellRefusedStart(kind: ServerKind, directory: string): Promise<string[]> {
  const lines: string[] = [];
  await withCluster([kind, kind, kind], directory, ['--feature-gates=InitialCorruptCheck=true'], async (cluster) => {
    // A member whose data is right starts.
    const leader = await cluster.waitLeader();
    const [good] = cluster.others(leader) as [ClusterMember];
    await good.stop();
    good.start();
    await cluster.waitHealthy();
    lines.push(`one like the others: ${hasLogged(good, 'initial corruption checking passed; no corruption')}`);
    const odd = await tamperWithFollower(cluster);
    await waitUntil('the odd one to end', ALARM_TIMEOUT_MS, () => !odd.isRunning);
    lines.push(`the odd one ends with ${odd.server?.child.exit}`);
    lines.push(`says what: ${hasLogged(odd, 'found different hash values from remote peer')}`);
    lines.push(`says that: ${hasLogged(odd, 'checkInitialHashKV failed')}`);
    const log = `${odd.server?.child.stdout}${odd.server?.child.stderr}`;
    lines.push(`in words: ${log.includes(`${BigInt(odd.id).toString(16)} found data inconsistency with peers`)}`);
    lines.push(`alarms: ${await alarms(await cluster.waitLeader(), (id) => id)}`);
  });
  return lines;
}

const compactionArgs = ['--feature-gates=CompactHashCheck=true', '--compact-hash-check-time=1s'];

async function compact(leader: ClusterMember): Promise<void> {
  await put(leader, 'after', '1');
  await call(leader, 'KV.Compact', { revision: 2, physical: true });
}

const alike = (kind: ServerKind): ServerKind[] => [kind, kind, kind];

export const corruptionStories: readonly Story[] = [
  alarmStory(
    'corruption found from time to time',
    alike,
    ['--corrupt-check-time=1s'],
    'same compact revision then hashes must match',
  ),
  alarmStory(
    'corruption found after a compaction',
    alike,
    compactionArgs,
    'Detected compaction hash mismatch',
    compact,
  ),
  alarmStory(
    'corruption found after a compaction, with a member of etcd',
    (kind) => [kind, 'etcd37', kind],
    compactionArgs,
    'Detected compaction hash mismatch',
    compact,
  ),
  {
    name: 'corruption found at the start',
    expected: [
      'one like the others: true',
      'the odd one ends with 1',
      'says what: true',
      'says that: true',
      'in words: true',
      'alarms: ',
    ],
    tell: tellRefusedStart,
  },
];
