import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CrashMode, hasCode, MemoryDisk, nextBelow, SeededRandom } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { Database, type DatabaseOptions } from './database.ts';
import { assertSame, changeBoth, type Mix, TwinBucket } from './testing/twin.ts';

const clock = new NodeClock();
const rounds = Number(process.env.QUORATE_ROUNDS ?? 1);
const path = '/db';
const mix: Mix = {
  keysMax: 400,
  keyBytesMax: 20,
  valueBytesMax: 6000,
  deletePercent: 35,
  sequential: false,
  depthMax: 2,
};
const modes: readonly CrashMode[] = ['synced', 'torn', 'process'];

/** Makes the machine stop at the n-th operation from now that writes or syncs. */
function stopAt(disk: MemoryDisk, countdown: number): void {
  let left = countdown;
  disk.onOperation = (operation) => {
    if (operation !== 'write' && operation !== 'datasync' && operation !== 'sync' && operation !== 'sync-directory')
      return undefined;
    left -= 1;
    return left === 0 ? 'crash' : undefined;
  };
}

function holds(database: Database, twin: TwinBucket): boolean {
  const transaction = database.beginRead();
  try {
    assertSame(transaction.root(), twin);
    return true;
  } catch {
    return false;
  } finally {
    transaction.close();
  }
}

/** Commits until the machine stops in the midst of one, starts it again, and looks at what is there; many times over on the same disk. */
async function crashAgainAndAgain(seed: number, options: DatabaseOptions, mode: CrashMode): Promise<number> {
  const random = new SeededRandom(seed);
  const disk = new MemoryDisk();
  let twin = new TwinBucket();
  let next = twin;
  let crashes = 0;
  for (let life = 0; life < 40; life++) {
    stopAt(disk, 1 + nextBelow(random, life === 0 ? 6 : 30));
    try {
      const database = await Database.open({ disk, clock }, path, options);
      for (let commits = 0; commits < 12; commits++) {
        const transaction = database.beginWrite();
        next = twin.clone();
        for (let i = nextBelow(random, 120); i >= 0; i--) {
          const name = Buffer.from(`top-${nextBelow(random, 3)}`);
          const inner = next.items.get(name.toString('latin1')) ?? new TwinBucket();
          next.items.set(name.toString('latin1'), inner);
          changeBoth(random, mix, transaction.createBucketIfMissing(name), inner as TwinBucket);
        }
        await transaction.commit();
        twin = next;
      }
      await database.close();
    } catch (error) {
      const stopped = hasCode(error, 'io/stopped') || hasCode((error as Error).cause, 'io/stopped');
      if (!stopped) throw error;
      crashes += 1;
    }
    disk.onOperation = undefined;
    disk.stop();
    disk.crash(random, mode);
    const database = await Database.open({ disk, clock }, path, options);
    if (!holds(database, twin)) {
      assert.ok(holds(database, next), `life ${life}: neither the old nor the new content`);
      twin = next;
    }
    const report = await database.check();
    assert.deepEqual([...report.errors, ...report.warnings], []);
    await database.close();
  }
  return crashes;
}

for (const mode of modes) {
  for (const storeFreelist of [false, true]) {
    test(`after a crash there is the old or the new content: ${mode}, ${storeFreelist ? 'stored' : 'no'} list of free pages`, async () => {
      for (let round = 0; round < rounds; round++) {
        const seed = round * 10 + 1;
        try {
          const crashes = await crashAgainAndAgain(seed, { pageSize: 1024, cacheBytesMax: 65536, storeFreelist }, mode);
          assert.ok(crashes > 10, `only ${crashes} crashes`);
        } catch (error) {
          throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`, { cause: error });
        }
      }
    });
  }
}

for (const mode of modes) {
  test(`a crash at each write and each sync of one commit leaves the old or the new content: ${mode}`, async () => {
    let stopped = 0;
    for (let place = 1; ; place++) {
      const random = new SeededRandom(place);
      const disk = new MemoryDisk();
      const twin = new TwinBucket();
      const database = await Database.open({ disk, clock }, path, { pageSize: 1024 });
      for (const commit of ['first', 'second']) {
        const before = twin.clone();
        const transaction = database.beginWrite();
        for (let i = 0; i < 60; i++) {
          const name = Buffer.from(`top-${nextBelow(random, 3)}`);
          const inner = twin.items.get(name.toString('latin1')) ?? new TwinBucket();
          twin.items.set(name.toString('latin1'), inner);
          changeBoth(random, mix, transaction.createBucketIfMissing(name), inner as TwinBucket);
        }
        if (commit === 'first') {
          await transaction.commit();
          continue;
        }
        stopAt(disk, place);
        const isWhole = await transaction.commit().then(
          () => true,
          () => false,
        );
        disk.onOperation = undefined;
        disk.stop();
        disk.crash(random, mode);
        const again = await Database.open({ disk, clock }, path, { pageSize: 1024 });
        const isNew = holds(again, twin);
        assert.ok(
          isNew || (!isWhole && holds(again, before)),
          `operation ${place}: neither the old nor the new content`,
        );
        const report = await again.check();
        assert.deepEqual([...report.errors, ...report.warnings], [], `operation ${place}`);
        await again.close();
        if (isWhole) {
          // Every operation of the commit has had its crash: at least pages, sync, meta page, sync.
          assert.ok(stopped >= 4, `only ${stopped} operations`);
          return;
        }
        stopped++;
      }
    }
  });
}

for (const operation of ['write', 'datasync'] as const) {
  test(`after a failed ${operation} the database takes no more writes, and reads the last commit`, async () => {
    const disk = new MemoryDisk();
    const database = await Database.open({ disk, clock }, path);
    const first = database.beginWrite();
    first.createBucket(Buffer.from('b')).put(Buffer.from('k'), Buffer.from('old'));
    await first.commit();
    disk.onOperation = (kind) => (kind === operation ? 'fail' : undefined);
    const second = database.beginWrite();
    second.bucket(Buffer.from('b'))?.put(Buffer.from('k'), Buffer.from('new'));
    await assert.rejects(second.commit(), (error) => hasCode(error, 'bbolt/failed'));
    disk.onOperation = undefined;
    assert.throws(
      () => database.beginWrite(),
      (error) => hasCode(error, 'bbolt/failed'),
    );
    const read = database.beginRead();
    assert.equal(Buffer.from(read.bucket(Buffer.from('b'))?.get(Buffer.from('k')) ?? []).toString(), 'old');
    read.close();
    await database.close();
  });
}
