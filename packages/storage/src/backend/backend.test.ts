import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Disk, hasCode, MemoryDisk, nextBelow, nextTurn, type Random, SeededRandom } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import type { Backend, BackendReader } from './backend.ts';
import { type BackendOptions, openBackend } from './bbolt-backend.ts';
import { BucketId, bucketNames, type PlainBucketId } from './bucket-id.ts';
import { createMemoryBackend, loadMemoryBackend } from './memory-backend.ts';

const clock = new NodeClock();
const rounds = Number(process.env.QUORATE_ROUNDS ?? 1);
const path = '/db';

function open(disk: Disk, options: Partial<BackendOptions> = {}): Promise<Backend> {
  return openBackend({ disk, clock }, path, { onFatal: () => {}, cacheBytesMax: 256 * 1024, ...options });
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

function everything(reader: BackendReader): string[] {
  const found: string[] = [];
  reader.rangeRevisions(0, 0, Number.MAX_SAFE_INTEGER, (main, sub, tombstone, value) => {
    found.push(`${main}/${sub}${tombstone ? 't' : ''}=${Buffer.from(value).toString('hex')}`);
    assert.deepEqual(reader.getRevision(main, sub, tombstone), value);
    return true;
  });
  for (let id = 0; id < bucketNames.length; id++) {
    if (id === BucketId.key) continue;
    reader.range(id as PlainBucketId, bytes(''), undefined, Number.POSITIVE_INFINITY, (key, value) => {
      const name = Buffer.from(key).toString();
      if (name === 'consistent_index' || name === 'term') return true;
      found.push(`${bucketNames[id]}/${name}=${Buffer.from(value).toString('hex')}`);
      return true;
    });
  }
  return found;
}

/** Does the same to both backends. */
class Both {
  readonly random: Random;
  readonly disk: MemoryDisk;
  readonly twin = createMemoryBackend({ clock });
  private readonly options: Partial<BackendOptions>;
  backend: Backend;
  private main = 1;
  private readonly live: { main: number; sub: number; tombstone: boolean }[] = [];

  constructor(random: Random, disk: MemoryDisk, backend: Backend, options: Partial<BackendOptions>) {
    this.random = random;
    this.disk = disk;
    this.backend = backend;
    this.options = options;
  }

  each(change: (backend: Backend) => void): void {
    change(this.backend);
    change(this.twin);
  }

  write(): void {
    const { random } = this;
    const dice = nextBelow(random, 10);
    if (dice < 5) this.transaction();
    else if (dice < 7) this.deleteSome();
    else this.plain();
    this.each((backend) => backend.setConsistentIndex(this.main, 3));
  }

  private transaction(): void {
    this.main += 1;
    const changes = 1 + nextBelow(this.random, 3);
    for (let sub = 0; sub < changes; sub++) {
      const revision = { main: this.main, sub, tombstone: nextBelow(this.random, 5) === 0 };
      const value = bytes(`${revision.main}-${sub}`.padEnd(nextBelow(this.random, 300), '.'));
      this.live.push(revision);
      this.each((backend) => backend.putRevision(revision.main, sub, revision.tombstone, value));
    }
  }

  private deleteSome(): void {
    const from = nextBelow(this.random, this.live.length + 1);
    const victims = this.live.splice(from, nextBelow(this.random, 20));
    for (const { main, sub, tombstone } of victims)
      this.each((backend) => backend.deleteRevision(main, sub, tombstone));
    const again = victims[0];
    if (again === undefined || nextBelow(this.random, 3) !== 0) return;
    this.each((backend) => backend.putRevision(again.main, again.sub, again.tombstone, bytes('again')));
  }

  private plain(): void {
    const bucket = ([BucketId.lease, BucketId.meta, BucketId.auth] as const)[
      nextBelow(this.random, 3)
    ] as PlainBucketId;
    const key = `k${nextBelow(this.random, 40)}`;
    const value = bytes(String(nextBelow(this.random, 1e9)));
    if (nextBelow(this.random, 3) === 0) this.each((backend) => backend.delete(bucket, bytes(key)));
    else this.each((backend) => backend.put(bucket, bytes(key), value));
  }

  same(): void {
    assert.deepEqual(everything(this.backend), everything(this.twin));
    const from = nextBelow(this.random, this.main + 1);
    const some = (reader: BackendReader): number[] => {
      const seen: number[] = [];
      reader.rangeRevisions(from, 1, from + 20, (main, sub) => {
        seen.push(main, sub);
        return seen.length < 30;
      });
      reader.range(BucketId.lease, bytes('k1'), bytes('k3'), 5, (key) => {
        seen.push(...key);
        return true;
      });
      return seen;
    };
    assert.deepEqual(some(this.backend), some(this.twin));
    for (let i = 0; i < 40; i++) {
      const key = bytes(`k${i}`);
      assert.equal(this.backend.get(BucketId.lease, key)?.join(), this.twin.get(BucketId.lease, key)?.join());
    }
  }

  async reopen(): Promise<void> {
    await this.backend.close();
    this.backend = await open(this.disk, this.options);
    assert.equal(this.backend.consistentIndex, this.twin.consistentIndex);
  }
}

const shapes: Partial<BackendOptions>[] = [
  {},
  { batchLimit: 7, batchIntervalMs: 1 },
  { batchLimit: 50, pendingBytesMax: 4096, pageSize: 1024 },
];

for (const [index, options] of shapes.entries()) {
  test(`the backend does what its twin in memory does, shape ${index}`, async () => {
    for (let round = 0; round < rounds; round++) {
      const seed = 100 * round + index;
      try {
        const disk = new MemoryDisk({ settle: () => nextTurn(clock) });
        const both = new Both(new SeededRandom(seed), disk, await open(disk, options), options);
        for (let step = 0; step < 150; step++) {
          for (let i = nextBelow(both.random, 40); i >= 0; i--) both.write();
          if (step % 5 === 0) both.same();
          const dice = nextBelow(both.random, 30);
          if (dice < 4) await both.backend.commit();
          else if (dice < 12) await nextTurn(clock);
          else if (dice === 12) await both.reopen();
          else if (dice === 13) assert.equal(await both.backend.hash(), await both.twin.hash());
          else if (dice === 14) await defragmentMeanwhile(both);
          await both.backend.whenBelow();
        }
        both.same();
        await both.reopen();
        both.same();
        await sameImage(both);
        await both.backend.close();
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`, { cause: error });
      }
    }
  });
}

/** The twin's image opens as a file, and the file's content makes a twin. */
async function sameImage(both: Both): Promise<void> {
  const snapshot = await both.twin.snapshot();
  const disk = new MemoryDisk();
  const file = await disk.open(path, { write: true, create: true });
  let position = 0;
  for await (const chunk of snapshot.chunks()) {
    await file.write([chunk], position);
    position += chunk.length;
  }
  snapshot.close();
  await file.close();
  assert.equal(position, snapshot.sizeBytes);
  const opened = await open(disk);
  assert.deepEqual(everything(opened), everything(both.twin));
  await opened.close();
  const loaded = await loadMemoryBackend({ clock }, disk, path);
  assert.deepEqual(everything(loaded), everything(both.twin));
  assert.equal(loaded.consistentIndex, both.twin.consistentIndex);
}

async function defragmentMeanwhile(both: Both): Promise<void> {
  const done = both.backend.defragment();
  for (let i = 0; i < 3; i++) {
    both.write();
    await nextTurn(clock);
    both.same();
  }
  await done;
  both.same();
}

test('a view and a snapshot stay as they were', async () => {
  const disk = new MemoryDisk();
  const backend = await open(disk);
  for (let main = 2; main < 500; main++) backend.putRevision(main, 0, false, bytes(`value ${main}`));
  backend.setConsistentIndex(498, 2);
  const view = await backend.openView();
  const snapshot = await backend.snapshot();
  const before = everything(view);
  assert.equal(before.length, 498);
  for (let main = 2; main < 400; main++) backend.deleteRevision(main, 0, false);
  for (let main = 500; main < 900; main++) backend.putRevision(main, 0, false, bytes(`value ${main}`));
  await backend.commit();
  for (let main = 900; main < 950; main++) backend.putRevision(main, 0, false, bytes(`value ${main}`));
  await backend.commit();
  await backend.defragment();
  assert.deepEqual(everything(view), before);
  assert.equal(view.consistentIndex, 498);
  view.close();

  const image: Uint8Array[] = [];
  for await (const chunk of snapshot.chunks()) image.push(chunk);
  snapshot.close();
  const whole = Buffer.concat(image);
  assert.equal(whole.length, snapshot.sizeBytes);
  const file = await disk.open('/copy', { write: true, create: true });
  await file.write([whole], 0);
  await file.close();
  const copy = await openBackend({ disk, clock }, '/copy', { onFatal: () => {} });
  assert.deepEqual(everything(copy), before);
  assert.equal(copy.consistentIndex, 498);
  assert.equal(copy.consistentTerm, 2);
  await copy.close();
  await backend.close();
});

test('the consistent index of a commit is that of the moment its batch was closed', async () => {
  const disk = new MemoryDisk({ settle: () => nextTurn(clock) });
  const backend = await open(disk);
  backend.putRevision(2, 0, false, bytes('a'));
  backend.setConsistentIndex(10, 1);
  const committed = backend.commit();
  backend.putRevision(3, 0, false, bytes('b'));
  backend.setConsistentIndex(11, 1);
  await committed;
  // Later entries are lost with the machine; the index must not say otherwise.
  disk.stop();
  disk.crash(new SeededRandom(1), 'synced');
  const again = await open(disk);
  assert.equal(again.consistentIndex, 10);
  assert.deepEqual(everything(again), ['2/0=61']);
  await again.close();
});

test('a commit waits for the batch that is being written already', async () => {
  const disk = new MemoryDisk({ settle: () => nextTurn(clock) });
  const backend = await open(disk, { batchLimit: 2 });
  backend.putRevision(2, 0, false, bytes('a'));
  backend.putRevision(2, 1, false, bytes('b'));
  const syncs = disk.operations('datasync');
  while (disk.operations('datasync') === syncs) await nextTurn(clock);
  await backend.commit();
  disk.stop();
  disk.crash(new SeededRandom(1), 'synced');
  const again = await open(disk);
  assert.deepEqual(everything(again), ['2/0=61', '2/1=62']);
  await again.close();
});

test('what a killed process has written and not synced is durable once it is opened', async () => {
  const disk = new MemoryDisk();
  const backend = await open(disk);
  let syncs = 0;
  disk.onOperation = (operation) => (operation === 'datasync' && ++syncs === 2 ? 'crash' : undefined);
  backend.putRevision(2, 0, false, bytes('a'));
  backend.setConsistentIndex(10, 1);
  await assert.rejects(backend.commit());
  disk.onOperation = undefined;
  disk.crash(new SeededRandom(1), 'process');
  const second = await open(disk);
  assert.equal(second.consistentIndex, 10);
  disk.stop();
  disk.crash(new SeededRandom(1), 'synced');
  const third = await open(disk);
  assert.equal(third.consistentIndex, 10);
  assert.deepEqual(everything(third), ['2/0=61']);
  await third.close();
});

test('a failed commit ends the backend and is told once', async () => {
  const disk = new MemoryDisk();
  let told = 0;
  const backend = await open(disk, { onFatal: () => told++ });
  backend.putRevision(2, 0, false, bytes('kept'));
  await backend.commit();
  disk.onOperation = (operation) => (operation === 'datasync' ? 'fail' : undefined);
  backend.putRevision(3, 0, false, bytes('lost'));
  const isFailed = (error: unknown) => hasCode(error, 'backend/failed');
  await assert.rejects(backend.commit(), isFailed);
  await assert.rejects(backend.commit(), isFailed);
  await assert.rejects(backend.snapshot(), isFailed);
  assert.throws(() => backend.putRevision(4, 0, false, bytes('')), isFailed);
  assert.equal(told, 1);
  await backend.close();
  assert.throws(
    () => backend.getRevision(2, 0),
    (error) => hasCode(error, 'backend/closed'),
  );
});

test('a batch is committed by itself: after the interval, and at the limit', async () => {
  const disk = new MemoryDisk();
  const backend = await open(disk, { batchIntervalMs: 5, batchLimit: 100 });
  const settled = async () => {
    while (backend.pendingBytes() > 0) await nextTurn(clock);
  };
  backend.putRevision(2, 0, false, bytes('x'));
  await settled();
  for (let main = 3; main < 1000; main++) backend.putRevision(main, 0, false, bytes('x'));
  await settled();
  await backend.close();
});

test('whoever writes too much is told to wait', async () => {
  const disk = new MemoryDisk({ settle: () => nextTurn(clock) });
  const backend = await open(disk, { pendingBytesMax: 1000, batchIntervalMs: 1e6 });
  assert.equal(backend.whenBelow(), undefined);
  backend.put(BucketId.lease, bytes('k'), new Uint8Array(2000));
  const wait = backend.whenBelow();
  assert.notEqual(wait, undefined);
  await wait;
  assert.ok(backend.pendingBytes() <= 1000);
  assert.equal(backend.whenBelow(), undefined);
  await backend.close();
});

test('what is abandoned does not become durable, by nobody who waits and not by closing', async () => {
  const disk = new MemoryDisk();
  const backend = await open(disk, { batchIntervalMs: 1 });
  backend.putRevision(2, 0, false, bytes('whole'));
  backend.setConsistentIndex(5, 1);
  await backend.commit();
  // Half of an entry: its index is not set yet.
  backend.putRevision(3, 0, false, bytes('half'));
  backend.abandon();
  await assert.rejects(backend.commit());
  assert.throws(() => backend.putRevision(3, 1, false, bytes('more')));
  await backend.close();
  const again = await open(disk);
  assert.deepEqual(everything(again), [`2/0=${Buffer.from('whole').toString('hex')}`]);
  assert.equal(again.consistentIndex, 5);
  await again.close();
});

test('two defragmentations at once lose nothing that is committed meanwhile', async () => {
  const disk = new MemoryDisk({ settle: () => nextTurn(clock) });
  const backend = await open(disk, { batchLimit: 1 });
  const both = [backend.defragment(), backend.defragment()];
  let isOver = false;
  void Promise.all(both).then(() => {
    isOver = true;
  });
  const written: string[] = [];
  for (let main = 2; !isOver; main++) {
    backend.putRevision(main, 0, false, bytes(`value ${main}`));
    backend.setConsistentIndex(main, 1);
    written.push(`${main}/0=${Buffer.from(`value ${main}`).toString('hex')}`);
    await nextTurn(clock);
  }
  await Promise.all(both);
  assert.deepEqual(everything(backend), written);
  await backend.close();
  const again = await open(disk);
  assert.deepEqual(everything(again), written);
  await again.close();
});

test('a database that is replaced keeps its name from no other', async () => {
  const disk = new MemoryDisk({ settle: () => nextTurn(clock) });
  const backend = await open(disk);
  const other = await openBackend({ disk, clock }, '/other', { onFatal: () => {} });
  other.putRevision(7, 0, false, bytes('new'));
  await other.close();
  let isOver = false;
  const first = backend.defragment().then(() => {
    isOver = true;
  });
  while (!(await disk.exists('/db.tmp.defragment'))) await nextTurn(clock);
  await backend.retire();
  await first;
  assert.ok(isOver);
  await disk.rename('/other', path);
  await assert.rejects(backend.defragment(), (error) => hasCode(error, 'backend/closed'));
  backend.abandon();
  await backend.close();
  const again = await open(disk);
  assert.deepEqual(everything(again), ['7/0=6e6577']);
  await again.close();
});
