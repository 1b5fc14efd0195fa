import type { ServerKind } from '../support/programs.ts';
import type { LiveCluster } from './live-cluster.ts';
import type { MixedPart, MixedRun } from './mixed-suite.ts';

/** Joins, mixed beginnings and replacements: who may be in one cluster with whom. */

async function leadAndFinish(live: LiveCluster): Promise<void> {
  await live.leadInTurn();
  await live.finish();
}

/** A voter at once, and another by way of a learner. */
async function joinBoth(live: LiveCluster, kind: ServerKind): Promise<void> {
  const voter = await live.cluster.grow(kind);
  live.watchAt(voter);
  await live.addVoterByLearner(kind);
  live.report.pass(`${live.name}: ${kind} joins as a voter, and as a learner that is promoted`);
}

/** An older server does not join, by its own rule, a cluster whose version is above its own; one of its kind keeps that low. */
function ownCluster({ goKind, ours }: MixedRun): ServerKind[] {
  return goKind === 'etcd34' ? [ours, ours, goKind] : [ours, ours, ours];
}

export const memberParts: readonly MixedPart[] = [
  {
    name: 'one of ours among theirs from the start',
    quick: true,
    run: async (run) => run.with([run.goKind, run.ours, run.goKind], leadAndFinish),
  },
  {
    name: 'one of theirs among ours from the start',
    quick: false,
    run: async (run) => run.with([run.ours, run.goKind, run.ours], leadAndFinish),
  },
  {
    name: 'ours join theirs',
    quick: false,
    run: async (run) =>
      run.with([run.goKind, run.goKind, run.goKind], async (live) => {
        await joinBoth(live, run.ours);
        await leadAndFinish(live);
      }),
  },
  {
    name: 'theirs join ours',
    quick: false,
    run: async (run) =>
      run.with(ownCluster(run), async (live) => {
        const first = live.cluster.members[0];
        if (first !== undefined) await live.cluster.moveLeader(first);
        await joinBoth(live, run.goKind);
        await leadAndFinish(live);
      }),
  },
];
