import { etcdserverpb } from '@quorate/api';
import type { LeaseRecord, TimedEntry, Violation } from '../history/history.ts';

/** How much slower or faster than the world's a machine's clock may go, with something to spare. */
export const driftMax = 0.03;

interface Revocation {
  readonly index: number;
  readonly atMs: number;
}

/**
 * Leases end when they may: not before the time to live of the last answered renewal is over, counted from when it was sent, unless
 * the holder asked for it; and one that ended is never renewed.
 */
export function checkLeases(leases: readonly LeaseRecord[], log: readonly TimedEntry[]): Violation[] {
  const violations: Violation[] = [];
  const violate = (text: string) => violations.push({ checker: 'leases', text });
  const revocations = revocationsOf(log);
  for (const lease of leases) {
    const name = `lease ${lease.id.toString(16)} of l${lease.client}`;
    const revocation = revocations.get(lease.id);
    if (revocation === undefined) {
      for (const { answeredMs } of lease.losses) violate(`${name} was told lost at ${answeredMs} and never was`);
      continue;
    }
    const { atMs, index } = revocation;
    for (const { sentMs, ttlSeconds } of lease.renewals) {
      if (sentMs > atMs) violate(`${name} ended at ${atMs} (entry ${index}) and was renewed at ${sentMs}`);
      const earliestMs = sentMs + ttlSeconds * 1000 * (1 - driftMax);
      const isAsked = lease.revokedMs !== undefined && lease.revokedMs <= atMs;
      // Also one that was answered after the end: had it been done before, the end would have come later.
      if (!isAsked && atMs < earliestMs) {
        violate(`${name} ended at ${atMs} (entry ${index}), renewed at ${sentMs} for ${ttlSeconds} s`);
      }
    }
    for (const { answeredMs } of lease.losses) {
      if (answeredMs < atMs) violate(`${name} was told lost at ${answeredMs}, before it ended at ${atMs}`);
    }
  }
  return violations;
}

/** The end of each lease in the log, the first of them. A revoke that is refused (as all are while corruption is suspected) ends nothing. */
export function revocationsOf(log: readonly TimedEntry[]): Map<bigint, Revocation> {
  const revocations = new Map<bigint, Revocation>();
  for (const { index, data, appliedMs, isRefused } of log) {
    if (data.length === 0 || isRefused === true) continue;
    const { leaseRevoke } = etcdserverpb.InternalRaftRequest.decode(data);
    if (leaseRevoke === undefined || revocations.has(leaseRevoke.id)) continue;
    revocations.set(leaseRevoke.id, { index, atMs: appliedMs });
  }
  return revocations;
}
