import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@quorate/base';
import { ServingState } from '../member/serving-state.ts';
import { defragment } from './defragment.ts';
import { UpkeepWorld } from './testing/upkeep-world.ts';

function start(hides: boolean, result: Promise<void> = Promise.resolve()) {
  const { logger, lines } = new UpkeepWorld();
  const serving = new ServingState(silentLogger);
  serving.begin();
  const changes: boolean[] = [];
  serving.onChange(() => changes.push(serving.isServing()));
  const state = { isStopping: false };
  const backend = { defragment: () => result };
  const run = () => defragment({ logger, backend, serving, hides, isStopping: () => state.isStopping });
  return { run, serving, changes, lines, state };
}

test('health hides a member that defragments only where that is asked for', async () => {
  const shown = start(false);
  await shown.run();
  assert.deepEqual([shown.changes, shown.lines], [[], ['starting defragment', 'finished defragment']]);
  const hidden = start(true);
  await hidden.run();
  assert.deepEqual(hidden.changes, [false, true]);
});

test('a member comes back when it fails, and not when it stops meanwhile', async () => {
  const failing = start(true, Promise.reject(new Error('disk full')));
  await assert.rejects(failing.run(), /disk full/);
  assert.deepEqual(failing.changes, [false, true]);
  assert.equal(failing.lines.at(-1), 'warn: failed to defragment');
  const stopping = start(true);
  stopping.state.isStopping = true;
  await stopping.run();
  assert.deepEqual(stopping.changes, [false]);
});

test('a member that does not serve yet does not begin to', async () => {
  const { run, serving, changes } = start(true);
  serving.end();
  await run();
  assert.deepEqual(changes, [false]);
});
