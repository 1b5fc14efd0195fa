import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CompactionPolicy } from '../config/compaction-policy.ts';
import { makeAutoCompaction } from './auto-compaction.ts';
import { UpkeepWorld } from './testing/upkeep-world.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A store whose revision is the minutes that have passed, and one more. */
function start(policy: CompactionPolicy) {
  const world = new UpkeepWorld();
  const revision = () => 1 + Math.round(world.clock.nowMs() / minuteMs);
  const compaction = makeAutoCompaction({ ...world, isLeader: world.isLeader, revision }, policy);
  compaction.start();
  return { world, compaction };
}

test('a retention below an hour: first after one retention, then once in each, to a revision older than the retention', async () => {
  const { world, compaction } = start({ mode: 'periodic', retentionMs: 10 * minuteMs });
  await world.clock.advance(10 * minuteMs - 1);
  assert.deepEqual(world.proposed, []);
  await world.clock.advance(1);
  assert.deepEqual(world.proposed, ['compact 1']);
  assert.deepEqual(world.lines, ['starting auto periodic compaction', 'completed auto periodic compaction']);
  assert.deepEqual(world.fields[0], { revision: 1, 'compact-period': '10m0s' });
  await world.clock.advance(20 * minuteMs);
  assert.deepEqual(world.proposed, ['compact 1', 'compact 10', 'compact 20']);
  compaction.stop();
  assert.equal(world.clock.timersSet, 0);
});

test('a retention of a day: every hour, once a day has passed', async () => {
  const { world, compaction } = start({ mode: 'periodic', retentionMs: 24 * hourMs });
  await world.clock.advance(24 * hourMs - 1);
  assert.deepEqual(world.proposed, []);
  await world.clock.advance(2 * hourMs + 1);
  assert.deepEqual(world.proposed, ['compact 1', 'compact 55', 'compact 115']);
  compaction.stop();
});

test('a failure is tried again at the next sample, and what is compacted already counts as done', async () => {
  const { world, compaction } = start({ mode: 'periodic', retentionMs: 10 * minuteMs });
  world.refusal = 'ErrGRPCTimeout';
  await world.clock.advance(10 * minuteMs);
  world.refusal = 'ErrGRPCCompacted';
  await world.clock.advance(minuteMs);
  assert.deepEqual(world.proposed, ['compact 1', 'compact 1']);
  assert.equal(world.lines[1], 'warn: failed auto periodic compaction');
  assert.equal(world.fields[1]?.['retry-interval'], '1m0s');
  assert.equal(world.lines[3], 'completed auto periodic compaction');
  await world.clock.advance(9 * minuteMs);
  assert.equal(world.proposed.length, 2);
  await world.clock.advance(minuteMs);
  assert.deepEqual(world.proposed.slice(2), ['compact 11']);
  compaction.stop();
});

test('only a leader compacts, and a new one knows how far to go back', async () => {
  for (const policy of [
    { mode: 'periodic', retentionMs: 10 * minuteMs },
    { mode: 'revision', retention: 5 },
  ] as const) {
    const { world, compaction } = start(policy);
    world.leads = false;
    await world.clock.advance(25 * minuteMs - 1);
    assert.deepEqual(world.proposed, []);
    world.leads = true;
    await world.clock.advance(1);
    assert.deepEqual(world.proposed, [policy.mode === 'periodic' ? 'compact 15' : 'compact 21']);
    compaction.stop();
  }
});

test('an idle store is compacted once', async () => {
  const world = new UpkeepWorld();
  const deps = { ...world, isLeader: world.isLeader, revision: () => 9 };
  const periodic = makeAutoCompaction(deps, { mode: 'periodic', retentionMs: minuteMs });
  const byCount = makeAutoCompaction(deps, { mode: 'revision', retention: 4 });
  periodic.start();
  byCount.start();
  await world.clock.advance(hourMs);
  assert.deepEqual(world.proposed, ['compact 9', 'compact 5']);
  periodic.stop();
  byCount.stop();
});

test('a number of revisions is kept, looked at every five minutes', async () => {
  const { world, compaction } = start({ mode: 'revision', retention: 8 });
  await world.clock.advance(5 * minuteMs);
  // Revision 6: there is nothing to forget yet.
  assert.deepEqual(world.proposed, []);
  await world.clock.advance(10 * minuteMs);
  assert.deepEqual(world.proposed, ['compact 3', 'compact 8']);
  assert.deepEqual(world.lines.slice(0, 2), [
    'starting auto revision compaction',
    'completed auto revision compaction',
  ]);
  assert.deepEqual(world.fields[0], { revision: 3, 'revision-compaction-retention': 8 });
  world.refusal = 'ErrGRPCTimeout';
  await world.clock.advance(5 * minuteMs);
  assert.equal(world.lines.at(-1), 'warn: failed auto revision compaction');
  compaction.stop();
  assert.equal(world.clock.timersSet, 0);
});
