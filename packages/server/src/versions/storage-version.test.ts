import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageVersion, storageVersionOf } from './storage-version.ts';
import { VersionWorld } from './testing/version-world.ts';

function start() {
  const world = new VersionWorld();
  const disk = { appliedIndex: 10, snapshotIndex: 0, forced: 0 };
  const storage = new StorageVersion({
    ...world,
    backend: () => world.backend,
    appliedIndex: () => disk.appliedIndex,
    snapshotIndex: () => disk.snapshotIndex,
    forceSnapshot: () => disk.forced++,
  });
  storage.start();
  const setVersion = (version: string) => {
    world.cluster.setClusterVersion(version);
    storage.update();
  };
  return { world, disk, storage, setVersion };
}

test('the database has no version before the cluster has one, nor in a cluster up to 3.5', () => {
  const { world, storage, setVersion } = start();
  for (const version of ['3.0.0', '3.4.0', '3.5.0']) {
    setVersion(version);
    assert.equal(world.storedVersion(), undefined);
  }
  storage.stop();
});

test('it follows the cluster up at once', () => {
  const { world, storage, setVersion } = start();
  setVersion('3.6.0');
  assert.equal(world.storedVersion(), '3.6.0');
  setVersion('3.7.0');
  assert.equal(world.storedVersion(), '3.7.0');
  storage.stop();
});

test('it follows down once a snapshot has everything from above behind it', async () => {
  const { world, disk, storage, setVersion } = start();
  setVersion('3.7.0');
  disk.snapshotIndex = 9;
  setVersion('3.6.0');
  assert.deepEqual([world.storedVersion(), disk.forced], ['3.7.0', 1]);
  disk.appliedIndex = 20;
  await world.clock.advance(4_000);
  assert.equal(world.storedVersion(), '3.7.0');
  disk.snapshotIndex = 10;
  await world.clock.advance(4_000);
  assert.deepEqual([world.storedVersion(), disk.forced], ['3.6.0', 1]);
  setVersion('3.5.0');
  disk.snapshotIndex = 20;
  await world.clock.advance(4_000);
  assert.equal(world.storedVersion(), undefined);
  storage.stop();
  assert.equal(world.clock.timersSet, 0);
});

test('after a restart in the middle of the way down the snapshot must cover what the database has', async () => {
  const { world, disk, storage, setVersion } = start();
  setVersion('3.7.0');
  world.cluster.setClusterVersion('3.6.0');
  world.backend.setConsistentIndex(30, 2);
  disk.snapshotIndex = 15;
  storage.update();
  assert.equal(world.storedVersion(), '3.7.0');
  disk.snapshotIndex = 30;
  await world.clock.advance(4_000);
  assert.equal(world.storedVersion(), '3.6.0');
  storage.stop();
});

test('a database without a version is of 3.5 if it has terms', () => {
  const { world, storage } = start();
  assert.equal(storageVersionOf(world.backend), undefined);
  world.backend.setConsistentIndex(5, 2);
  assert.equal(storageVersionOf(world.backend), '3.5.0');
  storage.stop();
});
