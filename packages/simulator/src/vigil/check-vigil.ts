import { driftMax, revocationsOf } from '../checkers/leases.ts';
import type { LeaseRecord, TimedEntry, Violation } from '../history/history.ts';

/** A lease of a vigil. Its holder never asks for its end. */
export interface VigilLease extends LeaseRecord {
  readonly renewals: { readonly sentMs: number; readonly answeredMs: number; readonly ttlSeconds: number }[];
  readonly losses: { readonly sentMs: number; readonly answeredMs: number }[];
}

/** Leaders note down what leases have left so often. */
const checkpointMs = 300_000;
/** Of an end, and of each change of the leader: an election, its time-out that is added, whole seconds, a revoke that is asked for again. */
const slackMs = 30_000;

/**
 * Nobody renews a lease, and it ends: after its time to live, and for each leader that comes meanwhile after what that one could not know has
 * gone by. With checkpoints that is what went by since the last, without it is the whole life.
 */
export function checkVigil(
  leases: readonly VigilLease[],
  log: readonly TimedEntry[],
  hasCheckpoints: boolean,
): Violation[] {
  const violations: Violation[] = [];
  const revocations = revocationsOf(leases.length > 0 ? log : []);
  for (const { id, ttlSeconds, renewals } of leases) {
    const name = `lease ${id.toString(16)} of ${ttlSeconds} s`;
    const renewedMs = Math.max(...renewals.map(({ answeredMs }) => answeredMs));
    const endedMs = revocations.get(id)?.atMs;
    if (endedMs === undefined) {
      violations.push({ checker: 'checkpoints', text: `${name}, last renewed at ${renewedMs}, never ended` });
      continue;
    }
    const changes = leadersBetween(log, renewedMs, endedMs);
    const lifeMs = ttlSeconds * 1_000;
    const perChangeMs = hasCheckpoints ? Math.min(lifeMs, checkpointMs) : lifeMs;
    const latestMs = renewedMs + (lifeMs + changes * perChangeMs) * (1 + driftMax) + (changes + 1) * slackMs;
    if (endedMs > latestMs) {
      const text = `${name}, last renewed at ${renewedMs}, ended at ${endedMs} after ${changes} changes of the leader, not by ${latestMs}`;
      violations.push({ checker: 'checkpoints', text });
    }
  }
  return violations;
}

/** Each begins its term with an entry. */
function leadersBetween(log: readonly TimedEntry[], fromMs: number, toMs: number): number {
  const before = log.findLast(({ appliedMs }) => appliedMs <= fromMs)?.term ?? 0;
  const terms = log.filter(({ appliedMs, term }) => appliedMs <= toMs && term > before).map(({ term }) => term);
  return new Set(terms).size;
}
