import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CrashMode,
  hasCode,
  hexFromBytes,
  MemoryDisk,
  noMetrics,
  SeededRandom,
  silentLogger,
  utf8FromBytes,
  utf8ToBytes,
} from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { decodeSnapshotFile, encodeSnapshotFile, type Snapshot } from './snapshot-codec.ts';
import { SnapshotStore, type SnapshotStoreDeps } from './snapshot-store.ts';

const directory = '/snap';

async function start(): Promise<{ disk: MemoryDisk; deps: SnapshotStoreDeps; store: SnapshotStore }> {
  const disk = new MemoryDisk();
  await disk.makeDirectory(directory);
  await disk.syncDirectory('/');
  const deps = { disk, clock: new NodeClock(), logger: silentLogger, metrics: noMetrics, random: new SeededRandom(1) };
  return { disk, deps, store: new SnapshotStore(deps, directory) };
}

function snapshotAt(index: number, term: number, data = `data ${index}`): Snapshot {
  const confState = {
    voters: [0xc437c30fb21fc940n],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  return { data: utf8ToBytes(data), metadata: { confState, index, term } };
}

async function* chunksOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield utf8ToBytes(text);
}

test('the bytes are those of etcd 3.4.23', () => {
  const bytes = encodeSnapshotFile(snapshotAt(6216, 2, 'tree'));
  const hex = hexFromBytes(bytes);
  assert.match(hex, /^08([0-9a-f]{2})+121c0a04747265651214/);
  assert.ok(hex.endsWith('12140a0d08c092ff90fbe1f09bc401280010c8301802'), hex);
  const again = decodeSnapshotFile(bytes);
  assert.equal(utf8FromBytes(again.data), 'tree');
  assert.deepEqual(again.metadata, snapshotAt(6216, 2).metadata);
});

test('checksums of every length come out right', () => {
  const lengths = new Set<number>();
  for (let i = 0; i < 3000; i++) {
    const snapshot = snapshotAt(1 + i, 2, 'x'.repeat(i % 300));
    const bytes = encodeSnapshotFile(snapshot);
    lengths.add(bytes.indexOf(0x12));
    assert.deepEqual(decodeSnapshotFile(bytes).metadata, snapshot.metadata);
  }
  assert.ok(lengths.has(6) && lengths.has(5));
});

test('damage is told by its code', () => {
  const codeOf = (bytes: Uint8Array): string => {
    try {
      decodeSnapshotFile(bytes);
      return 'none';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  const bytes = encodeSnapshotFile(snapshotAt(5, 1));
  assert.equal(codeOf(new Uint8Array(0)), 'snap/empty');
  assert.equal(codeOf(Uint8Array.of(8, 0, 0x12, 1, 0)), 'snap/empty');
  assert.equal(codeOf(bytes.subarray(0, 4)), 'snap/corrupt');
  const flipped = Uint8Array.from(bytes);
  flipped[flipped.length - 1] = 9;
  assert.equal(codeOf(flipped), 'snap/crc-mismatch');
});

test('loads the newest that the log knows; a broken one is set aside', async () => {
  const { disk, store } = await start();
  await store.save(snapshotAt(0, 1));
  assert.equal(await store.loadNewest(), undefined);
  for (const [index, term] of [
    [10, 1],
    [20, 1],
    [15, 2],
  ] as const) {
    await store.save(snapshotAt(index, term));
  }
  assert.deepEqual(await store.names(), [
    '0000000000000001-000000000000000a.snap',
    '0000000000000001-0000000000000014.snap',
    '0000000000000002-000000000000000f.snap',
  ]);
  assert.equal((await store.loadNewest())?.metadata.index, 15);
  assert.equal((await store.loadNewest([{ index: 10, term: 1 }]))?.metadata.index, 10);
  assert.equal(await store.loadNewest([{ index: 10, term: 2 }]), undefined);
  const file = await disk.open(`${directory}/0000000000000002-000000000000000f.snap`, { write: true });
  await file.write([utf8ToBytes('?')], 20);
  await file.close();
  assert.equal((await store.loadNewest())?.metadata.index, 20);
  assert.ok((await disk.list(directory)).includes('0000000000000002-000000000000000f.snap.broken'));
  assert.deepEqual(await store.purge(0), []);
  assert.deepEqual(await store.purge(1), ['0000000000000001-000000000000000a.snap']);
});

test('received databases: stored once, installed over the database, old ones and leftovers removed', async () => {
  const { disk, store } = await start();
  const database = await disk.open(`${directory}/db`, { write: true, create: true });
  await database.close();
  assert.equal(await store.saveDatabase(16, chunksOf('page', 'page')), 8);
  assert.equal(await store.saveDatabase(16, chunksOf('other')), 5);
  await store.saveDatabase(32, chunksOf('second'));
  assert.deepEqual(await disk.list(directory), ['0000000000000010.snap.db', '0000000000000020.snap.db', 'db']);
  assert.deepEqual(await store.names(), []);
  assert.deepEqual(await store.removeDatabasesBefore(32), ['0000000000000010.snap.db']);
  await store.installDatabase(32, `${directory}/db`);
  assert.equal(utf8FromBytes(await disk.readFile(`${directory}/db`)), 'second');
  await assert.rejects(store.installDatabase(32, `${directory}/db`), (error) => hasCode(error, 'snap/no-database'));
  for (const name of ['tmp123', 'db.tmp.7'])
    await (await disk.open(`${directory}/${name}`, { write: true, create: true })).close();
  assert.deepEqual(await store.removeLeftovers(), ['db.tmp.7', 'tmp123']);
  assert.deepEqual(await disk.list(directory), ['db']);
});

test('a failed save leaves nothing behind', async () => {
  for (const kind of ['write', 'sync'] as const) {
    const { disk, store } = await start();
    disk.onOperation = (operation) => (operation === kind ? 'no-space' : undefined);
    await assert.rejects(store.save(snapshotAt(5, 1)), (error) => hasCode(error, 'disk/no-space'));
    await assert.rejects(store.saveDatabase(5, chunksOf('a', 'b')), (error) => hasCode(error, 'disk/no-space'));
    assert.deepEqual(await disk.list(directory), []);
  }
});

test('a crash at any operation of a save leaves the snapshot before it to load', async () => {
  for (const mode of ['synced', 'torn', 'process'] satisfies CrashMode[]) {
    for (let n = 1, done = false; !done; n++) {
      const { disk, deps, store } = await start();
      await store.save(snapshotAt(5, 1));
      let count = 0;
      disk.onOperation = () => (++count === n ? 'crash' : undefined);
      const newer = snapshotAt(9, 1, 'x'.repeat(2000));
      done = await store.save(newer).then(
        () => true,
        () => false,
      );
      disk.onOperation = undefined;
      disk.crash(new SeededRandom(n), mode);
      const loaded = await new SnapshotStore(deps, directory).loadNewest();
      const index = loaded?.metadata.index;
      assert.ok(index === 9 || (index === 5 && !done), `operation ${n}, ${mode}: loaded ${index}`);
      if (index === 9) assert.equal(loaded?.data.length, 2000);
    }
  }
});
