import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DiskFile, type DiskOperation, hasCode, MemoryDisk } from '@quorate/base';
import { ZeroFiller } from './zero-filler.ts';

const pieceBytes = 256 * 1024;
const create = { write: true, create: true } as const;

interface Held {
  readonly disk: MemoryDisk;
  readonly file: DiskFile;
  /** Lets the operation that waits go on. */
  release(): Promise<void>;
}

/** A file whose writes and syncs end only when told so. */
async function heldFile(): Promise<Held> {
  const waiting: (() => void)[] = [];
  const held = new Set<DiskOperation>(['write', 'datasync']);
  const disk = new MemoryDisk({
    settle: (operation) => (held.has(operation) ? new Promise((resolve) => waiting.push(resolve)) : undefined),
  });
  return {
    disk,
    file: await disk.open('/segment', create),
    async release() {
      waiting.shift()?.();
      await new Promise(setImmediate);
    },
  };
}

function fail(error: unknown): void {
  throw error;
}

test('the log waits for zeros on their way to its place, and only for those', async () => {
  const { disk, file, release } = await heldFile();
  const filler = new ZeroFiller(file, 100, 4 * pieceBytes, fail);
  filler.allow(4 * pieceBytes);
  assert.equal(filler.reserve(4096), undefined);
  let waited = false;
  const wait = filler.reserve(5000);
  assert.ok(wait !== undefined);
  const waiting = wait.then(() => {
    waited = true;
  });
  await new Promise(setImmediate);
  assert.equal(waited, false);
  await release();
  await waiting;
  // The sync of the first piece is under way, no write.
  assert.equal(filler.reserve(6000), undefined);
  assert.equal(disk.operations('datasync'), 1);
  const stopped = filler.stop();
  await release();
  await stopped;
  assert.equal(disk.operations('write'), 1);
});

test('pieces keep out of what the log has reserved, and go no further than allowed', async () => {
  const disk = new MemoryDisk();
  const file = await disk.open('/segment', create);
  const filler = new ZeroFiller(file, 0, 3 * pieceBytes, fail);
  assert.equal(filler.reserve(10_000), undefined);
  await file.write([new Uint8Array(10_000).fill(1)], 0);
  filler.allow(pieceBytes);
  await new Promise(setImmediate);
  assert.equal(file.size(), pieceBytes);
  assert.equal(disk.operations('write'), 2);
  filler.allow(100 * pieceBytes);
  await new Promise(setImmediate);
  assert.equal(file.size(), 3 * pieceBytes);
  await filler.stop();
  const bytes = await disk.readFile('/segment');
  assert.equal(bytes.lastIndexOf(1), 9999);
});

test('a failure is told, a full disk only ends the filling', async () => {
  for (const fault of ['fail', 'no-space'] as const) {
    const disk = new MemoryDisk({ onOperation: (operation) => (operation === 'write' ? fault : undefined) });
    const errors: unknown[] = [];
    const filler = new ZeroFiller(await disk.open('/segment', create), 0, pieceBytes, (error) => errors.push(error));
    filler.allow(pieceBytes);
    await filler.stop();
    assert.deepEqual(
      errors.map((error) => hasCode(error, 'io/EIO')),
      fault === 'fail' ? [true] : [],
    );
    assert.equal(filler.reserve(pieceBytes), undefined);
  }
});
