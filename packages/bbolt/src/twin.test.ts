import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Disk, MemoryDisk, nextBelow, type Random, SeededRandom } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { Database, type DatabaseOptions } from './database.ts';
import type { ReadTransaction } from './read-transaction.ts';
import { assertSame, changeBoth, type Mix, TwinBucket } from './testing/twin.ts';
import type { WriteBucket } from './write-bucket.ts';

const clock = new NodeClock();
const rounds = Number(process.env.QUORATE_ROUNDS ?? 1);
const checker = process.env.QUORATE_BBOLT;
const path = '/db';

const mixes: Record<string, Mix> = {
  small: { keysMax: 300, keyBytesMax: 20, valueBytesMax: 200, deletePercent: 30, sequential: false, depthMax: 2 },
  overflow: { keysMax: 200, keyBytesMax: 300, valueBytesMax: 30000, deletePercent: 40, sequential: false, depthMax: 1 },
  sequential: { keysMax: 5000, keyBytesMax: 10, valueBytesMax: 300, deletePercent: 10, sequential: true, depthMax: 1 },
  shrinking: { keysMax: 3000, keyBytesMax: 40, valueBytesMax: 500, deletePercent: 60, sequential: true, depthMax: 0 },
};

interface Shape {
  readonly options: DatabaseOptions;
  readonly fillPercent: number;
}

const shapes: Shape[] = [
  { options: { pageSize: 4096 }, fillPercent: 0.5 },
  { options: { pageSize: 1024, cacheBytesMax: 32 * 1024 }, fillPercent: 0.9 },
  { options: { pageSize: 4096, storeFreelist: true, cacheBytesMax: 64 * 1024 }, fillPercent: 0.9 },
  { options: { pageSize: 16384, cacheBytesMax: 256 * 1024 }, fillPercent: 0.5 },
  { options: { pageSize: 1024, storeFreelist: true }, fillPercent: 0.5 },
];

/** A database, what it must hold, and some reads that stay open over later commits. */
class Pair {
  readonly random: Random;
  readonly disk = new MemoryDisk();
  private readonly shape: Shape;
  private readonly mix: Mix;
  private readonly reads: { transaction: ReadTransaction; twin: TwinBucket }[] = [];
  private database: Database | undefined;
  twin = new TwinBucket();

  constructor(seed: number, shape: Shape, mix: Mix) {
    this.random = new SeededRandom(seed);
    this.shape = shape;
    this.mix = mix;
  }

  async open(): Promise<Database> {
    this.database ??= await Database.open({ disk: this.disk, clock }, path, this.shape.options);
    return this.database;
  }

  async step(): Promise<void> {
    const { random } = this;
    const database = await this.open();
    const transaction = database.beginWrite();
    const changed = this.twin.clone();
    const operations = nextBelow(random, nextBelow(random, 4) === 0 ? 600 : 60);
    for (let i = 0; i < operations; i++) {
      const name = Buffer.from(`top-${nextBelow(random, 3)}`);
      const inner = changed.items.get(name.toString('latin1'));
      const bucket = transaction.createBucketIfMissing(name);
      bucket.fillPercent = this.shape.fillPercent;
      const twin = inner instanceof TwinBucket ? inner : new TwinBucket();
      changed.items.set(name.toString('latin1'), twin);
      this.changeBucket(bucket, twin);
    }
    if (nextBelow(random, 10) === 0) {
      assertSame(transaction.root(), changed);
      transaction.rollback();
    } else {
      if (nextBelow(random, 4) === 0) assertSame(transaction.root(), changed);
      await transaction.commit();
      this.twin = changed;
    }
    await this.look(database);
  }

  private changeBucket(bucket: WriteBucket, twin: TwinBucket): void {
    changeBoth(this.random, this.mix, bucket, twin);
  }

  private async look(database: Database): Promise<void> {
    const { random, reads } = this;
    if (nextBelow(random, 3) === 0) reads.push({ transaction: database.beginRead(), twin: this.twin.clone() });
    for (const { transaction, twin } of reads) assertSame(transaction.root(), twin);
    while (reads.length > nextBelow(random, 4))
      reads.splice(nextBelow(random, reads.length), 1)[0]?.transaction.close();
    const report = await database.check();
    assert.deepEqual([...report.errors, ...report.warnings], []);
    assert.equal(report.pairs, this.twin.pairs);
    if (nextBelow(random, 5) === 0) await this.reopen();
  }

  async reopen(): Promise<void> {
    for (const { transaction } of this.reads) transaction.close();
    this.reads.length = 0;
    await this.database?.close();
    this.database = undefined;
    const transaction = (await this.open()).beginRead();
    assertSame(transaction.root(), this.twin);
    transaction.close();
  }
}

/** A compact copy and an image hold the same. */
async function checkCopies(pair: Pair): Promise<void> {
  const { disk } = pair;
  const database = await pair.open();
  await database.compactTo('/compact');
  const image = database.image();
  const file = await disk.open('/image', { write: true, create: true });
  let position = 0;
  for await (const chunk of image.chunks(10000)) {
    await file.write([chunk], position);
    position += chunk.length;
  }
  assert.equal(position, image.sizeBytes);
  image.close();
  await file.close();
  for (const copy of ['/compact', '/image']) {
    const opened = await Database.open({ disk, clock }, copy);
    const report = await opened.check();
    assert.deepEqual([...report.errors, ...report.warnings], []);
    const transaction = opened.beginRead();
    assertSame(transaction.root(), pair.twin);
    transaction.close();
    if (copy === '/compact') assert.equal(opened.stats().freePages, 0);
    await opened.close();
    await checkWithGo(disk, copy);
    await disk.remove(copy);
  }
}

async function checkWithGo(disk: Disk, path: string): Promise<void> {
  if (checker === undefined) return;
  const directory = mkdtempSync(join(tmpdir(), 'bbolt-'));
  try {
    const file = join(directory, 'db');
    writeFileSync(file, await disk.readFile(path));
    assert.match(execFileSync(checker, ['check', file], { encoding: 'utf8' }), /OK/);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const [name, mix] of Object.entries(mixes)) {
  for (const [index, shape] of shapes.entries()) {
    test(`twin: ${name}, shape ${index}${checker === undefined ? ' (bbolt check skipped: QUORATE_BBOLT is not set)' : ''}`, async () => {
      for (let round = 0; round < rounds; round++) {
        const seed = 1000 * round + index;
        const pair = new Pair(seed, shape, mix);
        try {
          for (let step = 0; step < 25; step++) {
            await pair.step();
            if (step % 8 === 7) await checkWithGo(pair.disk, path);
          }
          await checkCopies(pair);
          await pair.reopen();
        } catch (error) {
          throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`, { cause: error });
        }
      }
    });
  }
}
