import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@quorate/base';
import { ManualClock } from '../testing/manual-clock.ts';
import { ElectionHeadStart } from './election-head-start.ts';

function start(isAlone = false, initialElectionTickAdvance = true) {
  const clock = new ManualClock();
  const active = new Set<bigint>();
  const advanced: number[] = [];
  const state = { hasLeader: false };
  const headStart = new ElectionHeadStart(
    {
      clock,
      logger: silentLogger,
      memberId: 1n,
      isAlone: () => isAlone,
      activeOthers: () => active.size,
      hasLeader: () => state.hasLeader,
      advance: (ticks) => advanced.push(ticks),
    },
    { electionMs: 1_000, heartbeatMs: 100, initialElectionTickAdvance },
  );
  headStart.start();
  return { clock, active, advanced, state, headStart };
}

test('once more than one other member is connected all but two ticks are skipped, once', async () => {
  const { clock, active, advanced } = start();
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
  const late = start();
  await late.clock.advance(5_000);
  const led = start();
  led.state.hasLeader = true;
  const stopped = start();
  stopped.headStart.stop();
  for (const one of [late, led, stopped, start(true), start(false, false)]) {
    one.active.add(2n).add(3n);
    await one.clock.advance(10_000);
    assert.deepEqual([one.advanced, one.clock.timersSet], [[], 0]);
  }
});
