import type { GuestOperation, PermissionChange, Violation } from '../history/history.ts';

/** An operation that no change of the permission overlaps is allowed or denied as the last one before it says, by every member. */
export function checkPermissions(
  operations: readonly GuestOperation[],
  changes: readonly PermissionChange[],
): Violation[] {
  const violations: Violation[] = [];
  for (const { what, member, isDenied, invokedMs, returnedMs } of operations) {
    if (changes.some((change) => change.returnedMs >= invokedMs && change.invokedMs <= returnedMs)) continue;
    // Before the first change nothing is allowed.
    const isAllowed = changes.findLast((change) => change.returnedMs < invokedMs)?.isAllowed ?? false;
    if (isAllowed !== isDenied) continue;
    const text = `${what} of the guest at ${member} from ${invokedMs} to ${returnedMs} was ${isDenied ? 'denied' : 'allowed'}`;
    violations.push({ checker: 'permissions', text });
  }
  return violations;
}
