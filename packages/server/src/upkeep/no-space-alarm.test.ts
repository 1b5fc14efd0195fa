import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { AlarmStore, Quota } from '@quorate/machine';
import { createMemoryBackend } from '@quorate/storage';
import type { ProposalOutcome } from '../rpc/proposals.ts';
import { NoSpaceAlarm, waitingCallsMax } from './no-space-alarm.ts';
import { UpkeepWorld } from './testing/upkeep-world.ts';

function start() {
  const world = new UpkeepWorld();
  const alarms = new AlarmStore(createMemoryBackend(world));
  const outcomes: ProposalOutcome[] = [];
  const proposals = {
    propose: (_field: number, _bytes: Uint8Array, outcome: ProposalOutcome) => outcomes.push(outcome),
  };
  const quota = new Quota(() => 0, 1000);
  const alarm = new NoSpaceAlarm({ logger: world.logger, alarms, proposals, memberId: 1n, quota });
  return { alarm, alarms, outcomes, world };
}

test('it is proposed once however many calls ask for it, and they are refused when it is raised', () => {
  const { alarm, alarms, outcomes, world } = start();
  let refused = 0;
  for (let i = 0; i < 3; i++) alarm.raise(() => refused++);
  alarm.exceeded();
  assert.deepEqual([outcomes.length, refused], [1, 0]);
  assert.deepEqual(world.lines, ['warn: message exceeded backend quota; raising alarm']);
  alarms.activate(1n, etcdserverpb.AlarmType.NOSPACE);
  outcomes[0]?.applied({ kind: 'done', revision: 1 });
  assert.equal(refused, 3);
  alarm.raise(() => refused++);
  assert.deepEqual([outcomes.length, refused], [1, 4]);
});

test('when it cannot be raised the calls are refused all the same, and the next one tries again', () => {
  const { alarm, outcomes } = start();
  let refused = 0;
  alarm.raise(() => refused++);
  outcomes[0]?.failed('ErrGRPCTimeout');
  assert.equal(refused, 1);
  alarm.raise(() => refused++);
  assert.deepEqual([outcomes.length, refused], [2, 1]);
});

test('so many calls wait for it and no more', () => {
  const { alarm } = start();
  let refused = 0;
  for (let i = 0; i < waitingCallsMax; i++) alarm.raise(() => refused++);
  assert.equal(refused, 0);
  alarm.raise(() => refused++);
  assert.equal(refused, 1);
});
