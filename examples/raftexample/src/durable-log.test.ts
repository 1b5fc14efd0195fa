import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  emptyBytes,
  MemoryDisk,
  noMetrics,
  SeededRandom,
  silentLogger,
  utf8FromBytes,
  utf8ToBytes,
} from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createConfState, createEntry, type Ready } from '@quorate/raft';
import { DurableLog } from './durable-log.ts';

const confState = createConfState({ voters: [1n, 2n] });
const segmentBytes = 16 * 1024;

async function newDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await disk.makeDirectory('/data');
  await disk.syncDirectory('/');
  return disk;
}

function open(disk: MemoryDisk): Promise<DurableLog> {
  const random = new SeededRandom(1);
  const world = { disk, clock: new NodeClock(), random, logger: silentLogger, metrics: noMetrics };
  const directories = { walDirectory: '/data/wal', snapshotDirectory: '/data/snap' };
  return DurableLog.open(world, { ...directories, nodeId: 1n, clusterId: 2n, segmentBytes });
}

/** As the node is after a crash that leaves only what was synced. */
function crashed(disk: MemoryDisk): Promise<DurableLog> {
  disk.crash(new SeededRandom(1), 'synced');
  return open(disk);
}

function ready(parts: Partial<Ready>): Ready {
  return {
    softState: undefined,
    hardState: undefined,
    readStates: [],
    entries: [],
    snapshot: undefined,
    committedEntries: [],
    messages: [],
    mustSync: true,
    ...parts,
  };
}

function entries(from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => createEntry(1, from + i, 0, new Uint8Array(500)));
}

test('what was saved is there after a crash', async () => {
  const disk = await newDisk();
  let log = await open(disk);
  assert.equal(log.memory.lastIndex(), 0);
  await log.save(ready({ entries: entries(1, 6), hardState: { term: 1, vote: 2n, commit: 3 } }));
  log = await crashed(disk);
  assert.equal(log.memory.lastIndex(), 5);
  assert.deepEqual(log.memory.initialState().hardState, { term: 1, vote: 2n, commit: 3 });
  await log.close();
});

test('after a snapshot a restart begins there, with few files', async () => {
  const disk = await newDisk();
  let log = await open(disk);
  for (let index = 1; index < 1000; index += 50) {
    const last = index + 49;
    await log.save(ready({ entries: entries(index, last + 1), hardState: { term: 1, vote: 1n, commit: last } }));
    await log.compact({ data: utf8ToBytes(`state at ${last}`), metadata: { index: last, term: 1, confState } }, 20);
  }
  assert.equal(log.memory.firstIndex(), 981, 'entries for followers are kept');
  assert.equal((await disk.list('/data/snap')).length, 5);
  const segments = (await disk.list('/data/wal')).filter((name) => name.endsWith('.wal'));
  assert.ok(segments.length <= 6, `${segments.length} files of a log of 500 kB in pieces of 16`);
  log = await crashed(disk);
  const { data, metadata } = log.memory.snapshot();
  assert.equal(utf8FromBytes(data), 'state at 1000');
  assert.deepEqual(metadata, { index: 1000, term: 1, confState });
  await log.save(ready({ entries: entries(1001, 1002) }));
  await log.close();
});

test("a leader's snapshot takes the place of the log, also after a crash", async () => {
  const disk = await newDisk();
  let log = await open(disk);
  await log.save(ready({ entries: entries(1, 6), hardState: { term: 1, vote: 2n, commit: 3 } }));
  const snapshot = { data: utf8ToBytes('all'), metadata: { index: 90, term: 1, confState } };
  await log.save(ready({ snapshot, hardState: { term: 1, vote: 2n, commit: 90 }, mustSync: false }));
  assert.equal(log.memory.firstIndex(), 91);
  log = await crashed(disk);
  assert.deepEqual(log.memory.snapshot(), snapshot);
  assert.equal(log.memory.lastIndex(), 90);
  await log.save(ready({ entries: [createEntry(1, 91, 0, emptyBytes)] }));
  await log.close();
});
