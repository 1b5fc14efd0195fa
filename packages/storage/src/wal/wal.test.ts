import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Disk,
  type DiskFile,
  hasCode,
  hexFromBytes,
  latin1FromBytes,
  MemoryDisk,
  noMetrics,
  SeededRandom,
  silentLogger,
  utf8ToBytes,
} from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { decodeWalMetadata, encodeWalMetadata } from './raft-codec.ts';
import { readWal, repairWal, validSnapshotEntries, verifyWal, walExists } from './read-wal.ts';
import { type Entry, type HardState, type WalDeps, zeroSnapshot } from './types.ts';
import { Wal, type WalOptions } from './wal.ts';

const directory = '/member/wal';
const metadata = encodeWalMetadata({ nodeId: 0xc437c30fb21fc940n, clusterId: 0x1801409957a4e74cn });
const options: WalOptions = { directory, segmentBytes: 8192, preallocation: 'zeros' };

function depsOf(disk: Disk): WalDeps {
  return { disk, clock: new NodeClock(), logger: silentLogger, metrics: noMetrics };
}

async function newDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await disk.makeDirectory('/member');
  await disk.syncDirectory('/');
  return disk;
}

function entry(index: number, term = 1, size = 20): Entry {
  return { term, index, type: 0, data: new Uint8Array(size).fill(index) };
}

function range(from: number, to: number, term = 1, size = 20): Entry[] {
  return Array.from({ length: to - from }, (_, i) => entry(from + i, term, size));
}

/** Entries as plain values: those read are views of another class. */
function plain(entries: readonly Entry[]): unknown[] {
  return entries.map(({ term, index, type, data }) => ({ term, index, type, data: latin1FromBytes(data) }));
}

async function overwrite(disk: Disk, path: string, position: number, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, { write: true });
  await file.write([bytes], position);
  await file.sync();
  await file.close();
}

const first = `${directory}/0000000000000000-0000000000000000.wal`;

test('a new log has the bytes that etcd 3.4.23 writes', async () => {
  const disk = await newDisk();
  const wal = await Wal.create(
    depsOf(disk),
    { ...options, segmentBytes: 64_000_000, preallocation: 'sparse' },
    metadata,
  );
  const bytes = await disk.readFile(first);
  assert.equal(bytes.length, 64_000_000);
  assert.equal(
    hexFromBytes(bytes.subarray(0, 88)),
    [
      '0400000000000084' + '08041000' + '00000000',
      '1f00000000000081' + '080110b0ec96b3071a15' + '08c092ff90fbe1f09bc40110ccce93bd9593d08018' + '00',
      '0e00000000000082' + '08051094a9e8f20f1a0408001000' + '0000',
      '0000000000000000',
    ].join(''),
  );
  assert.deepEqual(await disk.list('/member'), ['wal']);
  assert.equal(await walExists(depsOf(disk), directory), true);
  await wal.close();
});

test('what was synced is read again, with the last hard state', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const wal = await Wal.create(deps, options, metadata);
  wal.append({ term: 1, vote: 2n ** 63n + 5n, commit: 0 }, range(1, 4));
  await wal.sync();
  wal.append({ term: 3, vote: 0n, commit: 2 }, range(3, 6, 3, 0));
  await wal.sync();
  wal.append({ term: 3, vote: 0n, commit: 4 }, []);
  assert.equal(wal.mustSync, false);
  await wal.close();
  const opened = await Wal.open(deps, options);
  assert.deepEqual(plain(opened.content.entries), plain([...range(1, 3), ...range(3, 6, 3, 0)]));
  assert.deepEqual(opened.content.hardState, { term: 3, vote: 0n, commit: 4 });
  assert.deepEqual(decodeWalMetadata(opened.wal.metadata), {
    nodeId: 0xc437c30fb21fc940n,
    clusterId: 0x1801409957a4e74cn,
  });
  assert.equal(opened.wal.lastIndex, 5);
  await opened.wal.close();
  const read = await readWal(deps, directory, zeroSnapshot);
  assert.deepEqual(plain(read.entries), plain(opened.content.entries));
});

test('segments: names, head of a cut segment, and the tail cut off', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const wal = await Wal.create(deps, options, metadata);
  let next = 1;
  while (wal.segments.length < 4) {
    wal.append({ term: 2, vote: 7n, commit: next - 1 }, range(next, next + 5, 2, 500));
    next += 5;
    await wal.sync();
  }
  assert.deepEqual(
    wal.segments.map(({ name }) => name),
    [
      '0000000000000000-0000000000000000.wal',
      '0000000000000001-0000000000000015.wal',
      '0000000000000002-0000000000000029.wal',
      '0000000000000003-000000000000003d.wal',
    ],
  );
  const whole = await disk.readFile(first);
  assert.ok(whole.length > 8192 && whole.length % 8 === 0);
  const second = await disk.readFile(`${directory}/0000000000000001-0000000000000015.wal`);
  assert.equal(hexFromBytes(second.subarray(8, 11)), '080410');
  assert.deepEqual(
    (await Wal.open(deps, options).catch((error: { code: string }) => error.code)) as unknown,
    'wal/locked',
  );
  await wal.close();
  assert.deepEqual(
    (await disk.list(directory)).filter((name) => name.endsWith('.tmp')),
    [],
  );
  const { wal: again, content } = await Wal.open(deps, options);
  assert.deepEqual(plain(content.entries), plain(range(1, next, 2, 500)));
  again.append(undefined, [entry(next, 3)]);
  await again.sync();
  await again.close();
  assert.equal((await readWal(deps, directory, zeroSnapshot)).entries.length, next);
});

test('one append far above the segment size, and several cuts in one sync', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const wal = await Wal.create(deps, options, metadata);
  wal.append({ term: 1, vote: 1n, commit: 0 }, range(1, 100, 1, 700));
  for (let i = 100; i < 200; i += 20) wal.append({ term: 1, vote: 1n, commit: i }, range(i, i + 20, 1, 700));
  await wal.sync();
  wal.append(undefined, range(200, 201));
  await wal.sync();
  assert.equal(wal.segments.length, 7);
  await wal.close();
  const { entries, hardState } = await readWal(deps, directory, zeroSnapshot);
  assert.deepEqual(plain(entries), plain([...range(1, 200, 1, 700), ...range(200, 201)]));
  assert.equal(hardState.commit, 180);
});

test('appends while a sync is under way go with the next one, and all callers wait for theirs', async () => {
  const waiting: (() => void)[] = [];
  const disk = new MemoryDisk({
    settle: (operation, path) =>
      operation === 'datasync' && path.endsWith('.wal') && hold
        ? new Promise((resolve) => {
            waiting.push(resolve);
          })
        : undefined,
  });
  let hold = false;
  await disk.makeDirectory('/member');
  const deps = depsOf(disk);
  const wal = await Wal.create(deps, { ...options, preallocation: 'sparse' }, metadata);
  hold = true;
  const done: number[] = [];
  wal.append(undefined, [entry(1)]);
  const a = wal.sync().then(() => done.push(1));
  wal.append(undefined, [entry(2)]);
  const b = wal.sync().then(() => done.push(2));
  wal.append(undefined, [entry(3)]);
  const c = wal.sync().then(() => done.push(3));
  await new Promise(setImmediate);
  const writes = disk.operations('write');
  waiting.shift()?.();
  await a;
  assert.deepEqual(done, [1]);
  await new Promise(setImmediate);
  assert.equal(disk.operations('write'), writes + 1);
  waiting.shift()?.();
  await Promise.all([b, c]);
  assert.deepEqual(done, [1, 2, 3]);
  hold = false;
  await wal.close();
  assert.equal((await readWal(deps, directory, zeroSnapshot)).entries.length, 3);
});

test('snapshot records: reading from one, mismatch, not found, and the valid ones', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const wal = await Wal.create(deps, options, metadata);
  const confState = {
    voters: [1n, 2n ** 64n - 1n],
    learners: [3n],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  wal.append({ term: 1, vote: 1n, commit: 9 }, range(1, 30, 1, 700));
  await wal.saveSnapshot({ index: 5, term: 1, confState });
  await wal.saveSnapshot({ index: 25, term: 1 });
  wal.append({ term: 1, vote: 1n, commit: 9 }, range(30, 40, 1, 700));
  await wal.sync();
  await wal.close();
  assert.deepEqual(plain((await readWal(deps, directory, { index: 5, term: 1 })).entries), plain(range(6, 40, 1, 700)));
  await assert.rejects(readWal(deps, directory, { index: 5, term: 2 }), (e) => hasCode(e, 'wal/snapshot-mismatch'));
  await assert.rejects(readWal(deps, directory, { index: 6, term: 1 }), (e) => hasCode(e, 'wal/snapshot-not-found'));
  await assert.rejects(Wal.open(deps, options, { index: 5, term: 2 }), (e) => hasCode(e, 'wal/snapshot-mismatch'));
  const { wal: lenient } = await Wal.open(deps, options, { index: 6, term: 1 });
  await lenient.close();
  assert.deepEqual(await validSnapshotEntries(deps, directory), [
    { index: 0, term: 0 },
    { index: 5, term: 1, confState },
  ]);
  assert.deepEqual(await verifyWal(deps, directory, zeroSnapshot), { term: 1, vote: 1n, commit: 9 });
});

test('the commit that covers a received snapshot is durable with the next sync, though no other commit is', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const wal = await Wal.create(deps, options, metadata);
  wal.append({ term: 2, vote: 1n, commit: 3 }, range(1, 6));
  await wal.sync();
  await wal.saveSnapshot({ index: 50, term: 2 });
  wal.append({ term: 2, vote: 1n, commit: 49 }, []);
  assert.equal(wal.mustSync, false);
  wal.append({ term: 2, vote: 1n, commit: 50 }, []);
  assert.equal(wal.mustSync, true);
  await wal.sync();
  wal.append({ term: 2, vote: 1n, commit: 51 }, []);
  assert.equal(wal.mustSync, false);
  // As a process that is killed leaves it: what was not synced has not left its memory.
  assert.deepEqual((await validSnapshotEntries(deps, directory)).at(-1)?.index, 50);
  await wal.close();
});

test('release and purge keep the segment with the index and what follows', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const wal = await Wal.create(deps, options, metadata);
  for (let i = 1; i < 200; i += 5) {
    wal.append({ term: 1, vote: 1n, commit: i }, range(i, i + 5, 1, 500));
    await wal.sync();
  }
  const names = wal.segments.map(({ name }) => name);
  assert.deepEqual(await wal.purge(2), []);
  const kept = wal.segments[4] as { index: number };
  await wal.release(kept.index + 1);
  assert.equal((await wal.purge(names.length - 2)).length, 2);
  assert.deepEqual(await wal.purge(1), names.slice(2, 4));
  assert.deepEqual(await wal.purge(0), []);
  assert.equal(wal.segments[0]?.name, names[4]);
  await wal.release(10_000);
  assert.deepEqual(await wal.purge(1), names.slice(4, -1));
  await wal.close();
  assert.deepEqual(await disk.list(directory), names.slice(-1));
  await assert.rejects(readWal(deps, directory, zeroSnapshot), (e) => hasCode(e, 'wal/not-found'));
});

test('another reader that holds a segment keeps it and the later ones from being purged', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const wal = await Wal.create(deps, options, metadata);
  wal.append(undefined, range(1, 20, 1, 1000));
  for (let i = 20; i < 60; i++) wal.append(undefined, [entry(i, 1, 1000)]);
  await wal.sync();
  await wal.release(59);
  const holder: DiskFile = await disk.open(`${directory}/${(await disk.list(directory))[1]}`);
  assert.equal(await holder.tryLock('shared'), true);
  assert.equal((await wal.purge(1)).length, 1);
  await holder.close();
  assert.ok((await wal.purge(1)).length > 1);
  await wal.close();
});

test('a failed write or sync poisons the log for good', async () => {
  for (const kind of ['write', 'datasync'] as const) {
    const disk = await newDisk();
    const deps = depsOf(disk);
    const wal = await Wal.create(deps, { ...options, preallocation: 'sparse' }, metadata);
    disk.onOperation = (operation) => (operation === kind ? 'fail' : undefined);
    wal.append(undefined, [entry(1)]);
    const failed = wal.sync();
    wal.append(undefined, [entry(2)]);
    const queued = wal.sync();
    const errors = await Promise.allSettled([failed, queued]);
    disk.onOperation = undefined;
    const later = await Promise.allSettled([wal.sync(), wal.saveSnapshot(zeroSnapshot), wal.release(1), wal.purge(1)]);
    const reasons = new Set(
      [...errors, ...later].map((result) => (result.status === 'rejected' ? result.reason : undefined)),
    );
    assert.equal(reasons.size, 1, kind);
    const [reason] = reasons;
    assert.ok(hasCode(reason, 'wal/failed'), kind);
    assert.throws(
      () => wal.append(undefined, [entry(3)]),
      (error) => error === reason,
    );
    await wal.close();
    assert.throws(
      () => wal.append(undefined, [entry(3)]),
      (error) => hasCode(error, 'wal/closed'),
    );
  }
});

test('an entry that readers would refuse is refused, and nothing of its batch is appended', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const wal = await Wal.create(deps, options, metadata);
  assert.throws(
    () => wal.append({ term: 9, vote: 0n, commit: 0 }, [entry(1), entry(2, 1, 10 * 1024 * 1024)]),
    (error) => hasCode(error, 'wal/record-too-large'),
  );
  wal.append(undefined, [entry(1, 1, 9 * 1024 * 1024)]);
  await wal.sync();
  await wal.close();
  const { entries, hardState } = await readWal(deps, directory, zeroSnapshot);
  assert.deepEqual([entries.length, hardState.term], [1, 0]);
  assert.throws(() => wal.append(undefined, [entry(5)]));
});

test('garbage behind the end is cleared, a torn record cut off, damage refused', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const write = async (): Promise<number> => {
    await disk.removeAll(directory);
    const wal = await Wal.create(deps, { ...options, segmentBytes: 64 * 1024 }, metadata);
    wal.append({ term: 1, vote: 1n, commit: 1 }, range(1, 11, 1, 1500));
    await wal.sync();
    await wal.close();
    const bytes = await disk.readFile(first);
    let end = bytes.length;
    while (bytes[end - 1] === 0) end--;
    return end;
  };
  const open = async (): Promise<number> => {
    const { wal, content } = await Wal.open(deps, { ...options, segmentBytes: 64 * 1024 });
    wal.append(undefined, [entry(wal.lastIndex + 1)]);
    await wal.sync();
    await wal.close();
    const { entries } = await readWal(deps, directory, zeroSnapshot);
    assert.equal(entries.length, content.entries.length + 1);
    return content.entries.length;
  };

  let end = await write();
  const aligned = Math.ceil((end + 512) / 512) * 512;
  await overwrite(disk, first, aligned, utf8ToBytes('garbage'));
  assert.equal(await open(), 10);
  assert.equal((await disk.readFile(first))[aligned], 0);

  // A record whose second sector never reached the disk.
  end = await write();
  const sector = Math.floor((end - 700) / 512) * 512;
  await overwrite(disk, first, sector, new Uint8Array(512));
  assert.equal(await open(), 9);
  assert.ok((await disk.list(directory)).includes('0000000000000000-0000000000000000.wal.broken'));

  // A length that reaches behind the end of the file.
  end = await write();
  const file = await disk.open(first, { write: true });
  await file.truncate(end - 100);
  await file.close();
  assert.equal(await open(), 9);
  await write();
  await overwrite(disk, first, 3000, Uint8Array.of(0xff));
  await assert.rejects(Wal.open(deps, options), (error) => {
    assert.match((error as Error).message, /^walpb: crc mismatch: expected: [0-9a-f]+ computed: [0-9a-f]+: in file/);
    return hasCode(error, 'wal/crc-mismatch');
  });
  await assert.rejects(validSnapshotEntries(deps, directory), (error) => hasCode(error, 'wal/crc-mismatch'));
  assert.equal(await repairWal(deps, directory), false);
});

test('a later segment that is cut short is torn at its end, an earlier one is damage', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const make = async (): Promise<string[]> => {
    await disk.removeAll(directory);
    const wal = await Wal.create(deps, options, metadata);
    for (let i = 1; i < 50; i += 5) {
      wal.append(undefined, range(i, i + 5, 1, 500));
      await wal.sync();
    }
    await wal.close();
    return disk.list(directory);
  };
  const names = await make();
  const cutFile = async (name: string): Promise<void> => {
    const file = await disk.open(`${directory}/${name}`, { write: true });
    await file.truncate(3000);
    await file.close();
  };
  await cutFile(names.at(-1) as string);
  const { wal, content } = await Wal.open(deps, options);
  assert.ok(content.entries.length > 40 && content.entries.length < 50);
  await wal.close();
  await make();
  await cutFile(names[1] as string);
  await assert.rejects(Wal.open(deps, options), (error) => hasCode(error, 'wal/unexpected-eof'));
  await make();
  await disk.remove(`${directory}/${names[1]}`);
  await assert.rejects(Wal.open(deps, options), (error) => hasCode(error, 'wal/not-found'));
});

test('records that contradict each other', async () => {
  const disk = await newDisk();
  const deps = depsOf(disk);
  const wal = await Wal.create(deps, options, metadata);
  wal.append(undefined, range(1, 4));
  assert.throws(() => wal.append(undefined, [entry(5)]), /gap/);
  assert.throws(() => wal.append(undefined, [entry(4), entry(6)]), /not consecutive/);
  await wal.saveSnapshot({ index: 9, term: 1 });
  wal.append(undefined, [entry(10)]);
  await wal.sync();
  await wal.close();
  await assert.rejects(readWal(deps, directory, zeroSnapshot), (error) => hasCode(error, 'wal/slice-out-of-range'));
  assert.equal((await readWal(deps, directory, { index: 9, term: 1 })).entries.length, 1);
});

test('random appends and reopenings read as a plain list of them would', async () => {
  const rounds = Number(process.env.QUORATE_ROUNDS ?? 30);
  for (let seed = 0; seed < rounds; seed++) {
    const random = new SeededRandom(seed);
    const draw = (bound: number): number => random.nextUint32() % bound;
    const disk = await newDisk();
    const deps = depsOf(disk);
    const preallocation = draw(2) === 0 ? 'zeros' : 'sparse';
    const own: WalOptions = { directory, segmentBytes: 4096 + draw(20_000), preallocation };
    let wal = await Wal.create(deps, own, metadata);
    let log: Entry[] = [];
    let state: HardState = { term: 0, vote: 0n, commit: 0 };
    for (let step = 0; step < 60; step++) {
      const from = Math.max(1, log.length + 1 - (draw(4) === 0 ? draw(5) : 0));
      const added = range(from, from + draw(6), 1 + step, draw(10) === 0 ? draw(300_000) : draw(400));
      if (added.length > 0) log = [...log.slice(0, from - 1), ...added];
      if (draw(2) === 0) state = { term: 1 + step, vote: BigInt(draw(9)), commit: draw(log.length + 1) };
      wal.append(state, added);
      const syncing = draw(2) === 0 ? wal.sync() : undefined;
      if (draw(2) === 0) await syncing;
      if (draw(12) === 0) {
        await wal.close();
        const opened = await Wal.open(deps, own);
        wal = opened.wal;
        assert.deepEqual(plain(opened.content.entries), plain(log), `seed ${seed} step ${step}`);
        assert.deepEqual(opened.content.hardState, state, `seed ${seed} step ${step}`);
      }
    }
    await wal.close();
    assert.deepEqual(plain((await readWal(deps, directory, zeroSnapshot)).entries), plain(log), `seed ${seed}`);
  }
});
