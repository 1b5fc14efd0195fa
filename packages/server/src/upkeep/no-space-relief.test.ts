import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { Quota } from '@quorate/machine';
import { relieveNoSpace } from './no-space-relief.ts';
import { UpkeepWorld } from './testing/upkeep-world.ts';

const { AlarmMember, AlarmType } = etcdserverpb;

test('a member lowers its own alarm, once a tenth of the quota is free', async () => {
  const world = new UpkeepWorld();
  let raised = [AlarmMember.create({ memberId: 2n, alarm: AlarmType.NOSPACE })];
  let size = 100;
  const quota = new Quota(() => size, 1000);
  const relieve = () => relieveNoSpace({ ...world, memberId: 1n, alarms: { list: () => raised }, quota });
  await relieve();
  assert.deepEqual(world.proposed, []);
  raised = [...raised, AlarmMember.create({ memberId: 1n, alarm: AlarmType.NOSPACE })];
  size = 900;
  await relieve();
  assert.deepEqual(world.proposed, []);
  size = 899;
  world.refusal = 'ErrGRPCTimeout';
  await relieve();
  assert.deepEqual(world.proposed, ['lower NOSPACE of 1']);
  assert.equal(world.lines.at(-1), 'warn: failed to disarm alarm NOSPACE');
});
