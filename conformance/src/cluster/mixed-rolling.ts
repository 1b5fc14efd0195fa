import type { ClusterMember } from '../support/cluster-member.ts';
import type { ServerKind } from '../support/programs.ts';
import { errorText, waitUntil } from '../support/text.ts';
import { verdict } from './checks.ts';
import type { LiveCluster } from './live-cluster.ts';
import type { MixedPart, MixedRun } from './mixed-suite.ts';

/** The rolling replacement of a cluster by one of another kind, and back, under clients that write and watch all the time. */

/** The leader looks at the versions of all every four seconds. */
const VERSION_MS_MAX = 15_000;

type Step = (live: LiveCluster, member: ClusterMember, kind: ServerKind) => Promise<void>;

/** A new member in a new directory. */
const byNewMember: Step = async (live, member, kind) => {
  live.avoid(member);
  await live.cluster.remove(member);
  live.watchAt(await live.cluster.grow(kind));
};

/** The same member, directory and ids; another server. */
const inPlace: Step = async (live, member, kind) => {
  live.avoid(member);
  await live.cluster.swap(member, kind);
  live.use(member);
};

async function replace(live: LiveCluster, from: ServerKind, to: ServerKind, count: number, step: Step): Promise<void> {
  const chosen = live.cluster.members.filter(({ kind }) => kind === from).slice(0, count);
  for (const member of chosen) {
    const led = (await live.cluster.leader()) === member ? ', which led' : '';
    await step(live, member, to);
    live.report.pass(`${live.name}: ${member.name}${led}: ${to} after ${from}`);
  }
}

/** The version of the cluster is that of its oldest member. */
async function checkVersion(live: LiveCluster): Promise<void> {
  const expected = live.cluster.members.some(({ kind }) => kind === 'etcd34') ? '3.4.0' : '3.7.0';
  const problems: string[] = [];
  for (const member of live.cluster.members) {
    const agrees = async (): Promise<boolean> => (await member.clusterVersion()) === expected;
    await waitUntil(`${member.name} to be in a cluster of version ${expected}`, VERSION_MS_MAX, agrees).catch(
      (error: unknown) => problems.push(errorText(error)),
    );
  }
  verdict(live.report, `${live.name}: the version of the cluster is ${expected}`, problems);
}

/**
 * With the last of them gone the version of the cluster rises, and an older server does not come back to it by its own rule:
 * there and back goes without the last one then.
 */
async function thereAndBack({ goKind, ours }: MixedRun, live: LiveCluster, step: Step): Promise<void> {
  const count = goKind === 'etcd34' ? 2 : 3;
  await replace(live, goKind, ours, count, step);
  await checkVersion(live);
  await replace(live, ours, goKind, count, step);
  await checkVersion(live);
  await replace(live, goKind, ours, 3, step);
  await checkVersion(live);
  await live.finish();
}

export const rollingParts: readonly MixedPart[] = [
  {
    name: 'rolling replacement by new members',
    quick: false,
    run: async (run) =>
      run.with([run.goKind, run.goKind, run.goKind], async (live) => thereAndBack(run, live, byNewMember)),
  },
  {
    name: 'rolling replacement in place',
    quick: false,
    run: async (run) =>
      run.with([run.goKind, run.goKind, run.goKind], async (live) => thereAndBack(run, live, inPlace)),
  },
];
