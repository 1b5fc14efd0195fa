import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TurnTime } from './turn-time.ts';

test('the clock is read once a turn', () => {
  let readings = 0;
  const deferred: (() => void)[] = [];
  const time = new TurnTime({ nowMs: () => ++readings, defer: (callback) => void deferred.push(callback) });
  assert.deepEqual([time.nowMs(), time.nowMs()], [1, 1]);
  for (const callback of deferred.splice(0)) callback();
  assert.deepEqual([time.nowMs(), time.nowMs(), deferred.length], [2, 2, 1]);
});
