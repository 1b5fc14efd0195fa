import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import type { TimedEntry } from '../history/history.ts';
import { type AlarmCauses, checkAlarms } from './alarms.ts';

const { AlarmAction, AlarmType } = etcdserverpb;

function logOf(...alarms: { action: number; memberId: bigint; alarm: number }[]): TimedEntry[] {
  return alarms.map((alarm, i) => {
    const request = etcdserverpb.InternalRaftRequest.create({
      alarm: etcdserverpb.AlarmRequest.create(alarm as never),
    });
    return { index: i + 1, term: 1, data: etcdserverpb.InternalRaftRequest.encode(request), appliedMs: 100 * i };
  });
}

function check(log: TimedEntry[], causes: AlarmCauses = { damaged: new Set(), hasQuota: false }): string[] {
  return checkAlarms([], log, causes).map(({ text }) => text);
}

test('an alarm for corruption names a member that was damaged, or nobody when one was', () => {
  const raised = (memberId: bigint) => logOf({ action: AlarmAction.ACTIVATE, memberId, alarm: AlarmType.CORRUPT });
  const causes = { damaged: new Set([5n]), hasQuota: true };
  assert.deepEqual(check(raised(5n), causes), []);
  assert.deepEqual(check(raised(0n), causes), []);
  assert.deepEqual(check(raised(6n), causes), ['alarm 2 of member 6 is raised by entry 1 without a cause']);
  assert.deepEqual(check(raised(0n)), ['alarm 2 of member 0 is raised by entry 1 without a cause']);
});

test('an alarm for want of space needs a quota, and is lowered in the end', () => {
  const up = { action: AlarmAction.ACTIVATE, memberId: 5n, alarm: AlarmType.NOSPACE };
  const down = { ...up, action: AlarmAction.DEACTIVATE };
  const causes = { damaged: new Set<bigint>(), hasQuota: true };
  assert.deepEqual(check(logOf(up, down), causes), []);
  assert.deepEqual(check(logOf(up), causes), ['alarm 1 of member 5 is raised at the end']);
  assert.deepEqual(check(logOf(up, down)), ['alarm 1 of member 5 is raised by entry 1 without a cause']);
});
