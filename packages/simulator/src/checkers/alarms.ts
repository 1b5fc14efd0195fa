import { errors, etcdserverpb } from '@quorate/api';
import type { History, Violation } from '../history/history.ts';
import { nameOf } from './operations.ts';
import type { Replay } from './replay.ts';

const checker = 'alarms';
const { AlarmAction, AlarmType } = etcdserverpb;

/** What a run did that members may raise an alarm for. */
export interface AlarmCauses {
  /** Members whose database may have been damaged. */
  readonly damaged: ReadonlySet<bigint>;
  /** Databases may come to their quota. */
  readonly hasQuota: boolean;
}

export const noAlarmCauses: AlarmCauses = { damaged: new Set(), hasQuota: false };

/**
 * An alarm has a cause: corruption is that of a damaged member (or of nobody knows whom, when there is one), and space runs out only where
 * there is a quota. Nobody is refused for want of space before the alarm is raised, and in the end none is raised but of a damaged member,
 * which was replaced while the check that found it went on.
 */
export function checkAlarms({ log, operations }: History, replay: Replay, causes: AlarmCauses): Violation[] {
  const violations: Violation[] = [];
  const violate = (text: string) => violations.push({ checker, text });
  const mayBeRaised = (type: number, id: bigint) =>
    type === AlarmType.CORRUPT
      ? causes.damaged.size > 0 && (id === 0n || causes.damaged.has(id))
      : type === AlarmType.NOSPACE && causes.hasQuota;
  for (const { index, data } of log) {
    if (data.length === 0) continue;
    const { alarm } = etcdserverpb.InternalRaftRequest.decode(data);
    if (alarm === undefined || alarm.action !== AlarmAction.ACTIVATE || mayBeRaised(alarm.alarm, alarm.memberId))
      continue;
    violate(
      `alarm ${alarm.alarm} of member ${alarm.memberId.toString(16)} is raised by entry ${index} without a cause`,
    );
  }
  for (const operation of operations) {
    const { outcome } = operation;
    if (outcome.kind !== 'refused' || outcome.text !== errors.ErrGRPCNoSpace.message || causes.hasQuota) continue;
    violate(`${nameOf(operation)} was refused for want of space, without a quota`);
  }
  replay.model.state.alarms.scan('', undefined, (_, name) => {
    if (!name.startsWith(`${AlarmType.CORRUPT}:`)) violate(`alarm ${name} is raised at the end`);
    return true;
  });
  return violations;
}
