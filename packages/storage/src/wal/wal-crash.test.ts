import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CrashMode,
  crc32c,
  type DiskOperation,
  hasCode,
  MemoryDisk,
  nextBelow,
  noMetrics,
  type Random,
  SeededRandom,
  silentLogger,
} from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { validSnapshotEntries, walExists } from './read-wal.ts';
import type { Entry, WalDeps } from './types.ts';
import { Wal, type WalOptions } from './wal.ts';

const directory = '/member/wal';
const metadata = Uint8Array.of(8, 1, 16, 2);

/** What went into the log. A reader goes through its records in order, so it must find one of the `versions`. */
interface Written {
  log: readonly Entry[];
  term: number;
  /** The log after each entry record, as text. */
  versions: string[];
  /** The first of them that a crash may leave, and the term. */
  acknowledged: number;
  acknowledgedTerm: number;
}

async function start(): Promise<{ disk: MemoryDisk; deps: WalDeps }> {
  const disk = new MemoryDisk();
  await disk.makeDirectory('/member');
  await disk.syncDirectory('/');
  return { disk, deps: { disk, clock: new NodeClock(), logger: silentLogger, metrics: noMetrics } };
}

/** Stops the machine at its n-th operation that changes the disk. */
function stopAt(disk: MemoryDisk, n: number): void {
  const changing = new Set<DiskOperation>([
    'create',
    'write',
    'truncate',
    'datasync',
    'sync',
    'rename',
    'remove',
    'sync-directory',
  ]);
  let count = 0;
  disk.onOperation = (operation) => (changing.has(operation) && ++count === n ? 'crash' : undefined);
}

function entryOf(index: number, term: number, random: Random): Entry {
  const size = nextBelow(random, 8) === 0 ? nextBelow(random, 5000) : nextBelow(random, 300);
  const data = new Uint8Array(size);
  // Some zeros within, as values have them.
  for (let i = 0; i < size; i++) data[i] = i % 700 < 600 ? 1 + nextBelow(random, 255) : 0;
  return { term, index, type: 0, data };
}

function textOf(log: readonly Entry[]): string {
  return log.map(({ term, index, data }) => `${term}/${index}/${data.length}/${crc32c(0, data)}`).join(' ');
}

/** Appends and syncs, overlapping, until the work is done or the machine stops. */
async function work(deps: WalDeps, options: WalOptions, written: Written, random: Random): Promise<void> {
  const wal = (await walExists(deps, directory))
    ? (await Wal.open(deps, options)).wal
    : await Wal.create(deps, options, metadata);
  const syncs: Promise<void>[] = [];
  for (let step = 0; step < 12; step++) {
    const back = nextBelow(random, 4) === 0 ? nextBelow(random, 4) : 0;
    const from = Math.max(1, written.log.length + 1 - back);
    if (back > 0) written.term++;
    const { term } = written;
    const added = Array.from({ length: nextBelow(random, 5) }, (_, i) => entryOf(from + i, term, random));
    for (const entry of added) {
      written.log = [...written.log.slice(0, entry.index - 1), entry];
      written.versions.push(textOf(written.log));
    }
    wal.append({ term, vote: 1n, commit: 0 }, added);
    const version = written.versions.length - 1;
    const syncing = wal.sync().then(() => {
      written.acknowledged = version;
      written.acknowledgedTerm = term;
    });
    syncing.catch(() => undefined);
    syncs.push(syncing);
    if (nextBelow(random, 3) > 0) await syncing;
  }
  await Promise.all(syncs);
  await wal.close();
}

async function crashRun(seed: number, n: number, mode: CrashMode): Promise<boolean> {
  const random = new SeededRandom(seed);
  const { disk, deps } = await start();
  const options: WalOptions = {
    directory,
    segmentBytes: 2048 + nextBelow(random, 8000),
    preallocation: nextBelow(random, 2) === 0 ? 'zeros' : 'sparse',
  };
  const written: Written = { log: [], term: 1, versions: [''], acknowledged: 0, acknowledgedTerm: 0 };
  let stopped = false;
  for (let life = 0; life < 3; life++) {
    const where = `seed ${seed}, operation ${n}, ${mode}, life ${life}`;
    stopAt(disk, n);
    try {
      await work(deps, options, written, random);
    } catch (error) {
      // Only the stopped machine excuses a failure.
      if (!disk.isStopped) throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
      assert.ok(hasCode(error, 'io/stopped') || hasCode(error, 'wal/failed'), where);
      stopped = true;
    }
    disk.onOperation = undefined;
    // Whatever still runs in the background runs into the stopped machine.
    disk.stop();
    await new Promise(setImmediate);
    disk.crash(random, mode);
    if (!(await walExists(deps, directory))) {
      assert.equal(written.acknowledged, 0, where);
      Object.assign(written, { log: [], versions: [''] });
      continue;
    }
    await validSnapshotEntries(deps, directory);
    const { wal, content } = await Wal.open(deps, options).catch((error: unknown) => {
      throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
    });
    const found = textOf(content.entries);
    assert.ok(written.versions.includes(found, written.acknowledged), `${where}: not a log that was written: ${found}`);
    assert.ok(content.hardState.term >= written.acknowledgedTerm, where);
    written.log = content.entries;
    written.versions = [found];
    written.acknowledged = 0;
    written.acknowledgedTerm = content.hardState.term;
    written.term = Math.max(written.term, content.hardState.term) + 1;
    await wal.close();
  }
  return stopped;
}

test('a crash at any write or sync loses nothing acknowledged, and the log opens again', async () => {
  const rounds = Number(process.env.QUORATE_ROUNDS ?? 4);
  const modes: readonly CrashMode[] = ['synced', 'torn', 'torn', 'process'];
  for (let seed = 0; seed < rounds; seed++) {
    const mode = modes[seed % modes.length] as CrashMode;
    let n = 1;
    while (await crashRun(seed, n, mode)) n++;
    assert.ok(n > 20, `only ${n} operations in a run`);
  }
});

function plainEntry(index: number): Entry {
  return { term: 1, index, type: 0, data: new Uint8Array(20 + ((index * 37) % 200)).fill(1 + (index % 255)) };
}

/** What a member does: snapshots, and purging what they cover. */
async function snapshotRun(seed: number, n: number, mode: CrashMode): Promise<boolean> {
  const random = new SeededRandom(seed);
  const { disk, deps } = await start();
  const options: WalOptions = { directory, segmentBytes: 1500, preallocation: 'sparse' };
  const acknowledged = { last: 0, snapshot: 0 };
  const where = `seed ${seed}, operation ${n}, ${mode}`;
  stopAt(disk, n);
  const member = async (): Promise<void> => {
    const wal = await Wal.create(deps, options, metadata);
    for (let step = 0; step < 15; step++) {
      const from = wal.lastIndex + 1;
      const added = Array.from({ length: 1 + nextBelow(random, 6) }, (_, i) => plainEntry(from + i));
      wal.append({ term: 1, vote: 1n, commit: acknowledged.last }, added);
      await wal.sync();
      acknowledged.last = wal.lastIndex;
      if (nextBelow(random, 3) > 0 || acknowledged.last === acknowledged.snapshot) continue;
      const index = Math.max(acknowledged.snapshot + 1, acknowledged.last - nextBelow(random, 3));
      wal.append({ term: 1, vote: 1n, commit: acknowledged.last }, []);
      await wal.saveSnapshot({ index, term: 1 });
      acknowledged.snapshot = index;
      await wal.release(index);
      await wal.purge(1);
    }
    await wal.close();
  };
  const stopped = await member().then(
    () => false,
    (error: unknown) => {
      assert.ok(disk.isStopped, `${where}: ${String(error)}`);
      return true;
    },
  );
  disk.onOperation = undefined;
  disk.stop();
  await new Promise(setImmediate);
  disk.crash(random, mode);
  if (!(await walExists(deps, directory))) {
    assert.equal(acknowledged.last, 0, where);
    return stopped;
  }
  const recorded = await validSnapshotEntries(deps, directory);
  const newest = recorded.at(-1) ?? { index: 0, term: 0 };
  assert.ok(newest.index >= acknowledged.snapshot, `${where}: lost the snapshot record`);
  const { wal, content } = await Wal.open(deps, options, newest);
  assert.ok(wal.lastIndex >= acknowledged.last, `${where}: lost entries`);
  assert.deepEqual(
    textOf(content.entries),
    textOf(content.entries.map((_, i) => plainEntry(newest.index + 1 + i))),
    where,
  );
  // Whoever starts from what it read takes it for durable, also what a killed process had not synced.
  disk.stop();
  await new Promise(setImmediate);
  disk.crash(random, 'synced');
  const again = await Wal.open(deps, options, newest);
  assert.deepEqual(textOf(again.content.entries), textOf(content.entries), `${where}: lost what was read before`);
  await again.wal.close();
  return stopped;
}

test('a crash at any operation leaves the newest snapshot record and all entries behind it', async () => {
  const rounds = Number(process.env.QUORATE_ROUNDS ?? 4);
  const modes: readonly CrashMode[] = ['synced', 'torn', 'process'];
  for (let seed = 0; seed < rounds; seed++) {
    let n = 1;
    while (await snapshotRun(seed, n, modes[seed % modes.length] as CrashMode)) n++;
    assert.ok(n > 40, `only ${n} operations in a run`);
  }
});
