import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Watchdog } from './watchdog.ts';

function watch() {
  const stalls: string[] = [];
  const onStall = (what: string, ms: number) => void stalls.push(`${what} ${ms}`);
  return { stalls, dog: new Watchdog({ heartbeatMs: 100, electionMs: 1000, onStall }, 0) };
}

test('a tick in time is one interval, also a little late', () => {
  const { stalls, dog } = watch();
  assert.deepEqual([dog.tick(100, undefined), dog.tick(1200, undefined), dog.tick(1300, 1299)], [1, 1, 1]);
  assert.deepEqual(stalls, []);
});

test('a loop that was held longer than an election timeout has all its intervals counted', () => {
  const { stalls, dog } = watch();
  assert.equal(dog.tick(2_500, undefined), 25);
  assert.equal(dog.tick(2_600, undefined), 1);
  assert.deepEqual(stalls, ['loop 2500']);
});

test('a sync that does not end is told once, and again when another one does not', () => {
  const { stalls, dog } = watch();
  for (let now = 100; now <= 1500; now += 100) dog.tick(now, 0);
  assert.deepEqual([stalls, dog.isDiskStalled], [['disk 1100'], true]);
  dog.tick(1600, undefined);
  assert.equal(dog.isDiskStalled, false);
  for (let now = 1700; now <= 3000; now += 100) dog.tick(now, 1650);
  assert.deepEqual(stalls, ['disk 1100', 'disk 1050']);
});
