import { snapshotArgs } from '../support/cluster.ts';
import type { ClusterMember } from '../support/cluster-member.ts';
import type { ServerKind } from '../support/programs.ts';
import { waitUntil } from '../support/text.ts';
import { verdict } from './checks.ts';
import type { LiveCluster } from './live-cluster.ts';
import type { MixedPart } from './mixed-suite.ts';

/** Members of either kind so far behind that only a snapshot of the other kind brings them up. */

const SNAPSHOT_COUNT = 200;
const CATCH_UP_ENTRIES = 50;
/**
 * What a leader of each kind may still send from its log beyond the entries the flag asks for: 3.4 has no flag and keeps five
 * thousand, Quorate cuts its log after every thousand.
 */
const ENTRIES_KEPT: Readonly<Record<ServerKind, number>> = { etcd34: 5000, etcd37: 0, quorate: 1000 };
const SLACK_ENTRIES = 300;
const AT_ONCE = 50;
const BEHIND_TIMEOUT_MS = 120_000;

function entriesToMiss(leader: ServerKind): number {
  return ENTRIES_KEPT[leader] + CATCH_UP_ENTRIES + SNAPSHOT_COUNT + SLACK_ENTRIES;
}

async function writeMany(live: LiveCluster, leader: ClusterMember): Promise<void> {
  const left = entriesToMiss(leader.kind);
  const target = ((await leader.status())?.appliedIndex ?? 0) + left;
  await waitUntil(`${left} entries`, BEHIND_TIMEOUT_MS, async () => {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => live.put(leader, `behind/${index}`)));
    return ((await leader.status())?.appliedIndex ?? 0) >= target;
  });
}

/** Snapshots as the Go member counts them, whether it sent or received them: the other one need not count alike. */
async function snapshotsCounted(live: LiveCluster, sender: ClusterMember, receiver: ClusterMember): Promise<number> {
  const isSender = sender.kind !== live.underTest;
  const teller = isSender ? sender : receiver;
  const other = BigInt(isSender ? receiver.id : sender.id).toString(16);
  const name = isSender
    ? `etcd_network_snapshot_send_success{To="${other}"}`
    : `etcd_network_snapshot_receive_success{From="${other}"}`;
  return (await teller.metric(name)) ?? 0;
}

async function fallBehindAndReturn(live: LiveCluster, leader: ClusterMember, receiver: ClusterMember): Promise<void> {
  const name = `${live.name}: ${leader.kind} to ${receiver.kind}`;
  await live.cluster.moveLeader(leader);
  await receiver.kill();
  await writeMany(live, leader);
  const before = await countedBefore(live, leader, receiver);
  receiver.start();
  await live.cluster.waitHealthy([receiver]);
  await checkSnapshot(`${name}, one that was away`, live, leader, receiver, before);
}

/** A receiver's count begins anew with its process. */
async function countedBefore(live: LiveCluster, sender: ClusterMember, receiver: ClusterMember): Promise<number> {
  return sender.kind === live.underTest ? 0 : snapshotsCounted(live, sender, receiver);
}

async function checkSnapshot(
  name: string,
  live: LiveCluster,
  sender: ClusterMember,
  receiver: ClusterMember,
  before: number,
): Promise<void> {
  const count = (await snapshotsCounted(live, sender, receiver)) - before;
  verdict(live.report, name, count > 0 ? [] : ['no snapshot was counted: it was brought up by the log']);
}

async function joinBehind(live: LiveCluster, leader: ClusterMember, kind: ServerKind): Promise<void> {
  await live.cluster.moveLeader(leader);
  const joiner = await live.cluster.grow(kind);
  live.watchAt(joiner);
  await checkSnapshot(`${live.name}: ${leader.kind} to ${kind}, one that joins`, live, leader, joiner, 0);
}

export const snapshotParts: readonly MixedPart[] = [
  {
    name: 'snapshots',
    quick: false,
    run: async (run) => {
      const { goKind, ours } = run;
      const extraArgs = (kind: ServerKind): string[] => snapshotArgs(kind, SNAPSHOT_COUNT, CATCH_UP_ENTRIES);
      await run.with(
        [goKind, ours, goKind],
        async (live) => {
          const [theirs, own, third] = live.cluster.members as [ClusterMember, ClusterMember, ClusterMember];
          await fallBehindAndReturn(live, theirs, own);
          await fallBehindAndReturn(live, own, third);
          await joinBehind(live, own, goKind);
          await joinBehind(live, theirs, ours);
          await live.finish();
        },
        extraArgs,
      );
    },
  },
];
