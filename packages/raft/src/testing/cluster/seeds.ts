import { assert } from '../../assert.ts';
import { reportFailure } from './report.ts';
import { runSeed } from './run.ts';
import type { Activity } from './simulated-cluster.ts';

// Random clusters of the whole library, checked after every step: `cluster-even.test.ts` and `cluster-odd.test.ts` run them.
//
//     npm test -- packages/raft/dist/testing/cluster                        as in every test run
//     QUORATE_SEED=17 npm test -- packages/raft/dist/testing/cluster        that seed alone
//     QUORATE_ROUNDS=100000 npm test -- packages/raft/dist/testing/cluster  more seeds
//     QUORATE_STEPS=10000 ...                                               longer runs
//
// A seed gives a setup (cluster-setup.ts) and a list of events (event-source.ts, script.ts), which simulated-cluster.ts plays.
// What must always hold is in invariants.ts and the files beside it; recovery.ts then wants progress. A run that fails is made
// small (shrink.ts) and told event by event (report.ts). Whether all that would notice mistakes in the library is checked
// with mistakes: `npm run raft:mutations`, see packages/raft/scripts/mutations.mjs.

/** Seeds of an ordinary run, and events of each. */
export const ROUNDS = 3000;
export const STEPS = 3000;

/** On average in each run, and well below what there is: else the runs prove little. */
const activityMin: Omit<Activity, 'steps'> = {
  committed: 80,
  elections: 3,
  changes: 3,
  snapshots: 0.5,
  reads: 15,
  crashes: 4,
};

/**
 * Runs every `stride`-th seed from `first` on and throws a report of the first that fails.
 * @param env `QUORATE_SEED` runs that seed alone, `QUORATE_ROUNDS` so many seeds, `QUORATE_STEPS` so many events of each
 */
export function runSeeds(env: Readonly<Record<string, string | undefined>>, first: number, stride: number): void {
  const steps = Number(env.QUORATE_STEPS ?? STEPS);
  const only = env.QUORATE_SEED;
  const rounds = Number(env.QUORATE_ROUNDS ?? ROUNDS);
  const all = only === undefined ? Array.from({ length: rounds }, (_, seed) => seed) : [Number(only)];
  const seeds = all.filter((seed) => seed % stride === first);
  const totals = { committed: 0, elections: 0, changes: 0, snapshots: 0, reads: 0, crashes: 0 };
  const names = Object.keys(totals) as (keyof typeof totals)[];
  for (const seed of seeds) {
    const outcome = runSeed(seed, steps);
    if (outcome.failure !== undefined) {
      const set = env.QUORATE_STEPS === undefined ? '' : `QUORATE_STEPS=${steps} `;
      const again = `QUORATE_SEED=${seed} ${set}npm test -- packages/raft/dist/testing/cluster`;
      throw new Error(`seed ${seed}: ${reportFailure(outcome, again)}`, { cause: outcome.failure });
    }
    for (const name of names) totals[name] += outcome.activity[name];
  }
  if (seeds.length < 100 || steps < STEPS) return;
  for (const name of names) {
    const average = totals[name] / seeds.length;
    assert(average >= activityMin[name], `the runs prove little: ${average} ${name} in each`);
  }
}
