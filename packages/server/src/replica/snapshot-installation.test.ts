import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entriesSize } from '@quorate/raft';
import { ManualClock } from '../testing/manual-clock.ts';
import { SnapshotInstallation } from './snapshot-installation.ts';

const entries = Array.from({ length: 6 }, (_, i) => ({
  ...{ term: 1, index: i + 1, type: 0 as const },
  data: new Uint8Array(100 * (i + 1)),
}));

test('what waits for the snapshot is counted in bytes, until it is applied', async () => {
  const clock = new ManualClock();
  let install: () => void = () => {};
  const applied: number[] = [];
  const installed = new Promise<void>((resolve) => {
    install = resolve;
  });
  const installation = new SnapshotInstallation(clock, installed, (slice) => {
    applied.push(...slice.slice(0, 2).map((entry) => entry.index));
    return Math.min(2, slice.length);
  });
  installation.add(entries.slice(0, 4));
  installation.add(entries.slice(4));
  assert.equal(installation.bytes, entriesSize(entries));
  install();
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual([applied, installation.bytes], [[1, 2], entriesSize(entries.slice(2))]);
  await installation.done;
  assert.deepEqual([applied, installation.bytes], [[1, 2, 3, 4, 5, 6], 0]);
});

test('one that is given up holds nothing any more', () => {
  const installation = new SnapshotInstallation(new ManualClock(), new Promise(() => {}), () => 0);
  installation.add(entries);
  installation.abandon();
  assert.equal(installation.bytes, 0);
});
