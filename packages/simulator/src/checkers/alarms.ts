import { errors, etcdserverpb } from '@quorate/api';
import type { Operation, TimedEntry, Violation } from '../history/history.ts';
import { nameOf } from './operations.ts';

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
 * there is a quota. Only there does anybody hear that there is no space; when, depends on the member: it says so before the alarm is decided
 * on when it cannot raise it in time. In the end none is raised but of a damaged member, which was replaced while a check went on.
 */
export function checkAlarms(
  operations: readonly Operation[],
  log: readonly TimedEntry[],
  { damaged, hasQuota }: AlarmCauses,
): Violation[] {
  const violations: Violation[] = [];
  const violate = (text: string) => violations.push({ checker, text });
  const raised = new Map<string, number>();
  for (const { index, data } of log) {
    if (data.length === 0) continue;
    const { alarm } = etcdserverpb.InternalRaftRequest.decode(data);
    if (alarm === undefined) continue;
    const name = `alarm ${alarm.alarm} of member ${alarm.memberId.toString(16)}`;
    if (alarm.action === AlarmAction.DEACTIVATE) raised.delete(name);
    if (alarm.action !== AlarmAction.ACTIVATE) continue;
    raised.set(name, alarm.alarm);
    const isNoSpace = alarm.alarm === AlarmType.NOSPACE;
    const hasCause = isNoSpace ? hasQuota : damaged.size > 0 && (alarm.memberId === 0n || damaged.has(alarm.memberId));
    if (!hasCause) violate(`${name} is raised by entry ${index} without a cause`);
  }
  for (const operation of hasQuota ? [] : operations) {
    const { outcome } = operation;
    if (outcome.kind === 'refused' && outcome.text === errors.ErrGRPCNoSpace.message)
      violate(`${nameOf(operation)} was refused for want of space without a quota`);
  }
  for (const [name, type] of raised) if (type !== AlarmType.CORRUPT) violate(`${name} is raised at the end`);
  return violations;
}
