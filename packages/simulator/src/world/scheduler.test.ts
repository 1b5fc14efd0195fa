import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@quorate/base';
import { pump } from '../node/pump.ts';
import { EventQueue } from './event-queue.ts';
import { MachineClock } from './machine-clock.ts';
import { between } from './random-sources.ts';
import { Scheduler } from './scheduler.ts';

test('events come by their time, and those of one time in the order in which they were put in', () => {
  const random = new SeededRandom(1);
  const queue = new EventQueue();
  const expected: [number, number][] = [];
  for (let order = 0; order < 2_000; order++) {
    const atMs = Math.floor(between(random, 0, 300));
    expected.push([atMs, order]);
    queue.push({ atMs, order, run: () => {}, cancelled: false });
  }
  expected.sort(([a, i], [b, j]) => a - b || i - j);
  const found: [number, number][] = [];
  for (let event = queue.pop(); event !== undefined; event = queue.pop()) found.push([event.atMs, event.order]);
  assert.deepEqual(found, expected);
});

test('all that an event settles goes on before the next event', async () => {
  const scheduler = new Scheduler(pump);
  const seen: string[] = [];
  scheduler.at(5, () => {
    void (async () => {
      for (let i = 0; i < 10; i++) await Promise.resolve();
      seen.push(`first at ${scheduler.nowMs}`);
      await scheduler.delay(2);
      seen.push(`later at ${scheduler.nowMs}`);
    })();
  });
  scheduler.at(6, () => seen.push(`second at ${scheduler.nowMs}`));
  scheduler.at(6.5, () => seen.push('never')).cancel();
  assert.equal(await scheduler.run(() => seen.length === 3, 100), true);
  assert.deepEqual(seen, ['first at 5', 'second at 6', 'later at 7']);
});

test('time stands at the limit when nothing that is waited for comes', async () => {
  const scheduler = new Scheduler(pump);
  scheduler.at(50, () => {});
  assert.equal(await scheduler.run(() => false, 20), false);
  assert.equal(scheduler.nowMs, 20);
});

test("a machine's clock goes at its own rate, and its wall clock where it was set", async () => {
  const scheduler = new Scheduler(pump);
  const skew = { rate: 2, wallOffsetMs: 0 };
  const clock = new MachineClock({ scheduler, at: (atMs, callback) => scheduler.at(atMs, callback) }, skew);
  const [start, wall] = [clock.nowMs(), clock.wallMs()];
  let firedMs = 0;
  clock.setTimer(100, () => {
    firedMs = scheduler.nowMs;
  });
  await scheduler.run(() => firedMs > 0, 1_000);
  assert.equal(firedMs, 50);
  assert.equal(clock.nowMs() - start, 100);
  skew.wallOffsetMs = -1_000;
  assert.equal(clock.wallMs() - wall, 100 - 1_000);
});
