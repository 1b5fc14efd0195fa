import type { Lease } from './lease.ts';

/** Below it no pile-up is to be feared. */
const spreadFrom = 1000;
/** Most expiries in any one second. */
const expiriesPerSecondMax = 750;

/**
 * Sets the expiry of each lease to `startMs` and what its last checkpoint left it, or else its full TTL. Where many would
 * expire within a second, the surplus is put off. Yields them by ascending expiry.
 */
export function* spreadExpiries(leases: Iterable<Lease>, startMs: number): Generator<Lease> {
  // TTLs are whole seconds and few different ones: sorting those is enough.
  const byTtl = new Map<number, Lease[]>();
  let count = 0;
  for (const lease of leases) {
    count++;
    const ttl = lease.remainingTtlSeconds > 0 ? lease.remainingTtlSeconds : lease.ttlSeconds;
    const equals = byTtl.get(ttl);
    if (equals === undefined) byTtl.set(ttl, [lease]);
    else equals.push(lease);
  }
  // The expiries of the last `expiriesPerSecondMax` leases, in a ring: the next one is at least a second after the oldest of them.
  const recent = new Float64Array(expiriesPerSecondMax).fill(Number.NEGATIVE_INFINITY);
  let at = 0;
  for (const ttl of [...byTtl.keys()].sort((a, b) => a - b)) {
    for (const lease of byTtl.get(ttl) as Lease[]) {
      let expiryMs = startMs + ttl * 1000;
      if (count >= spreadFrom) {
        expiryMs = Math.max(expiryMs, (recent[at] as number) + 1000);
        recent[at] = expiryMs;
        at = (at + 1) % expiriesPerSecondMax;
      }
      lease.expiryMs = expiryMs;
      yield lease;
    }
  }
}
