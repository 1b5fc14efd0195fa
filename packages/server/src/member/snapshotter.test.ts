import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDisk, noMetrics, SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { Cluster } from '@quorate/machine';
import { createConfState, EntryType, MemoryStorage } from '@quorate/raft';
import { openBackend, SnapshotStore, Wal } from '@quorate/storage';
import { Snapshotter } from './snapshotter.ts';

const mebibyte = 1024 * 1024;
const options = { snapshotCount: 10_000, catchUpEntries: 5_000, walsMax: 5, snapshotsMax: 5 };

async function makeSnapshotter(entries: number, raftApplied = entries) {
  const disk = new MemoryDisk();
  const clock = new NodeClock();
  const deps = { disk, clock, logger: silentLogger, metrics: noMetrics, random: new SeededRandom(1) };
  const onFatal = (error: unknown) => assert.fail(String(error));
  await disk.makeDirectory('/snap');
  const backend = await openBackend(deps, '/db', { onFatal });
  const wal = await Wal.create(
    deps,
    { directory: '/wal', segmentBytes: mebibyte, preallocation: 'sparse' },
    new Uint8Array(0),
  );
  const raftStorage = new MemoryStorage();
  const all = Array.from({ length: entries }, (_, i) => ({
    index: i + 1,
    term: 1,
    type: EntryType.Normal,
    data: new Uint8Array(1),
  }));
  raftStorage.append(all);
  const snapshots = new SnapshotStore(deps, '/snap');
  const cluster = new Cluster({ backend });
  const snapshotter = new Snapshotter(
    { ...deps, backend: () => backend, wal, snapshots, raftStorage, cluster, onFatal, raftApplied: () => raftApplied },
    options,
    0,
  );
  const stop = async () => {
    await snapshotter.stop();
    await wal.close();
    await backend.close();
  };
  return { snapshotter, raftStorage, snapshots, backend, stop };
}

test('what raft does not know to be applied stays in the log', async () => {
  const { snapshotter, raftStorage, stop } = await makeSnapshotter(8_000, 1_500);
  const three = createConfState({ voters: [1n, 2n, 3n] });
  snapshotter.applied(8_000, 1, three, 8_000);
  assert.equal(raftStorage.firstIndex(), 1_501);
  await stop();
});

test('the log in memory is cut by entries and by bytes, to little where nobody has to catch up', async () => {
  const { snapshotter, raftStorage, stop } = await makeSnapshotter(8_000);
  const alone = createConfState({ voters: [1n] });
  snapshotter.applied(500, 1, alone, mebibyte);
  assert.equal(raftStorage.firstIndex(), 1);
  snapshotter.applied(600, 1, alone, 65 * mebibyte);
  assert.equal(raftStorage.firstIndex(), 501);
  snapshotter.applied(1_600, 1, alone, 66 * mebibyte);
  assert.equal(raftStorage.firstIndex(), 1_501);
  snapshotter.applied(6_000, 1, createConfState({ voters: [1n, 2n] }), 67 * mebibyte);
  assert.equal(raftStorage.firstIndex(), 1_501);
  snapshotter.applied(7_000, 1, createConfState({ voters: [1n], learners: [2n] }), 68 * mebibyte);
  assert.equal(raftStorage.firstIndex(), 2_001);
  await stop();
});

test('a snapshot is due after many bytes in few entries, and then again only after as many', async () => {
  const { snapshotter, snapshots, stop } = await makeSnapshotter(400);
  const alone = createConfState({ voters: [1n] });
  snapshotter.applied(100, 1, alone, 255 * mebibyte);
  snapshotter.applied(200, 1, alone, 256 * mebibyte);
  snapshotter.applied(300, 1, alone, 257 * mebibyte);
  await stop();
  assert.deepEqual(await snapshots.names(), ['0000000000000001-00000000000000c8.snap']);
});

test('one that is forced is made with the next batch, once', async () => {
  const { snapshotter, snapshots, stop } = await makeSnapshotter(10);
  const alone = createConfState({ voters: [1n] });
  snapshotter.force();
  snapshotter.applied(3, 1, alone, 0);
  snapshotter.applied(4, 1, alone, 0);
  await stop();
  assert.deepEqual(await snapshots.names(), ['0000000000000001-0000000000000003.snap']);
  assert.equal(snapshotter.index, 3);
});

test('none is made while the log is read again up to what the database has', async () => {
  const { snapshotter, snapshots, backend, stop } = await makeSnapshotter(10);
  const alone = createConfState({ voters: [1n] });
  backend.setConsistentIndex(5, 1);
  snapshotter.force();
  snapshotter.applied(4, 1, alone, 0);
  assert.deepEqual(await snapshots.names(), []);
  snapshotter.applied(5, 1, alone, 0);
  await stop();
  assert.deepEqual(await snapshots.names(), ['0000000000000001-0000000000000005.snap']);
});
