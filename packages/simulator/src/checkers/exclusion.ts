import type { GuardedWrite, Violation } from '../history/history.ts';

/** Of a lock or an election, writes under a token end for good when one under a later token is made. */
export function checkExclusion(writes: readonly GuardedWrite[]): Violation[] {
  const violations: Violation[] = [];
  const latest = new Map<GuardedWrite['what'], GuardedWrite>();
  for (const write of [...writes].sort((a, b) => a.revision - b.revision)) {
    const before = latest.get(write.what);
    latest.set(write.what, write);
    if (before === undefined || before.token <= write.token) continue;
    const text = `x${write.client} wrote at ${write.revision} with ${write.what} token ${write.token}, after x${before.client} at ${before.revision} with token ${before.token}`;
    violations.push({ checker: 'exclusion', text });
  }
  return violations;
}
