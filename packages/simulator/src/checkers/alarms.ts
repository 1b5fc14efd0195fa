import { errors, etcdserverpb } from '@quorate/api';
import type { Operation, TimedEntry, Violation } from '../history/history.ts';
import { contentOf, nameOf } from './operations.ts';

const checker = 'alarms';
const { AlarmAction, AlarmType } = etcdserverpb;

/** What a run did that members may raise an alarm for. */
export interface AlarmCauses {
  /** Members whose database may have been damaged. */
  readonly damaged: ReadonlySet<bigint>;
  /** Databases may come to their quota. */
  readonly hasQuota: boolean;
}

/**
 * An alarm has a cause: corruption is that of a damaged member (or of nobody knows whom, when there is one), and space runs out only where
 * there is a quota. Before that alarm is raised nobody hears that there is no space but whose write is done; how long afterwards depends on
 * when each member hears that it is lowered. In the end none is raised but of a damaged member, which was replaced while a check went on.
 */
export function checkAlarms(
  operations: readonly Operation[],
  log: readonly TimedEntry[],
  { damaged, hasQuota }: AlarmCauses,
): Violation[] {
  const violations: Violation[] = [];
  const violate = (text: string) => violations.push({ checker, text });
  const raised = new Map<string, number>();
  const done = new Set<string>();
  let fullSinceMs = Number.POSITIVE_INFINITY;
  for (const { index, data, appliedMs } of log) {
    if (data.length === 0) continue;
    const { alarm, put, txn } = etcdserverpb.InternalRaftRequest.decode(data);
    if (put !== undefined) done.add(contentOf({ method: 'put', message: put }));
    if (txn !== undefined) done.add(contentOf({ method: 'txn', message: txn }));
    if (alarm === undefined) continue;
    const name = `alarm ${alarm.alarm} of member ${alarm.memberId.toString(16)}`;
    if (alarm.action === AlarmAction.DEACTIVATE) raised.delete(name);
    if (alarm.action !== AlarmAction.ACTIVATE) continue;
    raised.set(name, alarm.alarm);
    const isNoSpace = alarm.alarm === AlarmType.NOSPACE;
    if (isNoSpace) fullSinceMs = Math.min(fullSinceMs, appliedMs);
    const hasCause = isNoSpace ? hasQuota : damaged.size > 0 && (alarm.memberId === 0n || damaged.has(alarm.memberId));
    if (!hasCause) violate(`${name} is raised by entry ${index} without a cause`);
  }
  for (const operation of operations) {
    const { outcome, request, returnedMs } = operation;
    if (outcome.kind !== 'refused' || outcome.text !== errors.ErrGRPCNoSpace.message) continue;
    const mayBeTold = returnedMs >= fullSinceMs || (hasQuota && done.has(contentOf(request)));
    if (!mayBeTold) violate(`${nameOf(operation)} was refused for want of space before that was said`);
  }
  for (const [name, type] of raised) if (type !== AlarmType.CORRUPT) violate(`${name} is raised at the end`);
  return violations;
}
