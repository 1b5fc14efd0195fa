import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@quorate/base';
import { listed } from '../bootstrap/testing/peers.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { ElectionHeadStart } from './election-head-start.ts';

function start(ids: readonly bigint[], initialElectionTickAdvance = true) {
  const clock = new ManualClock();
  const active = new Set<bigint>();
  const advanced: number[] = [];
  const state = { hasLeader: false };
  const headStart = new ElectionHeadStart(
    {
      clock,
      logger: silentLogger,
      memberId: 1n,
      cluster: { members: ids.map((id) => listed(id, `http://m${id}:1`)) },
      activeSince: (id) => (active.has(id) ? 0 : undefined),
      hasLeader: () => state.hasLeader,
      advance: (ticks) => advanced.push(ticks),
    },
    { electionMs: 1_000, heartbeatMs: 100, initialElectionTickAdvance },
  );
  headStart.start();
  return { clock, active, advanced, state, headStart };
}

test('once more than one other member is connected all but two ticks are skipped, once', async () => {
  const { clock, active, advanced } = start([1n, 2n, 3n]);
  active.add(2n);
  await clock.advance(1_000);
  assert.deepEqual(advanced, []);
  active.add(3n);
  await clock.advance(50);
  assert.deepEqual(advanced, [8]);
  await clock.advance(10_000);
  assert.deepEqual([advanced, clock.timersSet], [[8], 0]);
});

test('nothing is skipped after five seconds, with a leader, alone, when switched off, or once it is stopped', async () => {
  const late = start([1n, 2n, 3n]);
  await late.clock.advance(5_000);
  const led = start([1n, 2n, 3n]);
  led.state.hasLeader = true;
  const stopped = start([1n, 2n, 3n]);
  stopped.headStart.stop();
  for (const one of [late, led, stopped, start([1n]), start([1n, 2n, 3n], false)]) {
    one.active.add(2n).add(3n);
    await one.clock.advance(10_000);
    assert.deepEqual([one.advanced, one.clock.timersSet], [[], 0]);
  }
});
