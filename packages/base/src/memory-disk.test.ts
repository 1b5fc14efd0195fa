import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8FromBytes, utf8ToBytes } from './bytes.ts';
import { hasCode } from './errors.ts';
import { type CrashMode, MemoryDisk } from './memory-disk.ts';
import { nextBelow, SeededRandom } from './random.ts';

const random = new SeededRandom(1);
const create = { write: true, create: true } as const;

test('keeps what was synced and loses the rest', async () => {
  const disk = new MemoryDisk();
  const file = await disk.open('/a', create);
  await file.write([utf8ToBytes('one'), utf8ToBytes('two')], 0);
  await file.datasync();
  await disk.syncDirectory('/');
  await file.write([utf8ToBytes('TWO!')], 3);
  assert.equal(utf8FromBytes(await disk.readFile('/a')), 'oneTWO!');
  disk.crash(random, 'synced');
  assert.equal(utf8FromBytes(await disk.readFile('/a')), 'onetwo');
  await assert.rejects(file.write([utf8ToBytes('x')], 0), (error) => hasCode(error, 'io/stopped'));
});

test('a file whose directory was not synced is gone, and a rename undone', async () => {
  const disk = new MemoryDisk();
  await disk.makeDirectory('/d/e');
  await disk.syncDirectory('/');
  await disk.syncDirectory('/d');
  const file = await disk.open('/d/e/a', create);
  await file.write([utf8ToBytes('a')], 0);
  await file.sync();
  disk.crash(random, 'synced');
  assert.deepEqual(await disk.list('/d/e'), []);

  const again = await disk.open('/d/e/a', create);
  await again.writeAndDatasync([utf8ToBytes('a')], 0);
  await disk.syncDirectory('/d/e');
  await disk.rename('/d/e', '/d/f');
  assert.equal(await disk.exists('/d/f/a'), true);
  disk.crash(random, 'synced');
  assert.deepEqual(await disk.list('/d'), ['e']);
  await disk.rename('/d/e', '/f');
  await disk.syncDirectory('/');
  disk.crash(random, 'synced');
  assert.deepEqual(await disk.list('/d'), []);
  assert.equal(utf8FromBytes(await disk.readFile('/f/a')), 'a');
});

test('a torn crash keeps or loses whole sectors', async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const disk = new MemoryDisk();
    const file = await disk.open('/a', create);
    await file.writeAndDatasync([new Uint8Array(2048).fill(1)], 0);
    await disk.syncDirectory('/');
    await file.write([new Uint8Array(1024).fill(2)], 256);
    disk.crash(new SeededRandom(seed), 'torn');
    const bytes = await disk.readFile('/a');
    assert.equal(bytes.length, 2048);
    const parts = [bytes.subarray(256, 512), bytes.subarray(512, 1024), bytes.subarray(1024, 1280)];
    for (const part of parts) assert.equal(new Set(part).size, 1, `seed ${seed}`);
    assert.equal(bytes[255], 1);
    assert.equal(bytes[1280], 1);
    seen.add(parts.map((part) => part[0]).join(''));
  }
  assert.equal(seen.size, 8);
});

test('faults: a failure, and a crash in the middle of the n-th write', async () => {
  const disk = new MemoryDisk();
  const file = await disk.open('/a', create);
  disk.onOperation = (operation) => (operation === 'datasync' ? 'fail' : undefined);
  await assert.rejects(file.datasync(), (error) => hasCode(error, 'io/EIO'));
  disk.onOperation = (operation) => (operation === 'write' && disk.operations('write') === 2 ? 'crash' : undefined);
  await file.write([utf8ToBytes('x')], 0);
  await assert.rejects(file.write([utf8ToBytes('y')], 1), (error) => hasCode(error, 'io/stopped'));
  await assert.rejects(disk.list('/'), (error) => hasCode(error, 'io/stopped'));
  disk.onOperation = undefined;
  disk.crash(random, 'process');
  assert.equal(utf8FromBytes(await disk.readFile('/a')), 'xy');
});

test('locks hold by file, end with the handle, and survive a rename', async () => {
  const disk = new MemoryDisk();
  const first = await disk.open('/a', create);
  const second = await disk.open('/a', create);
  assert.equal(await first.tryLock('shared'), true);
  assert.equal(await second.tryLock('shared'), true);
  assert.equal(await first.tryLock('exclusive'), false);
  await second.close();
  assert.equal(await first.tryLock('exclusive'), true);
  await disk.rename('/a', '/b');
  const third = await disk.open('/b');
  assert.equal(await third.tryLock('shared'), false);
  assert.deepEqual([await first.isLockedElsewhere(), await third.isLockedElsewhere()], [false, true]);
  await first.close();
  assert.equal(await third.tryLock('shared'), true);
});

test('a sync covers what was written when it began, not what came while it was under way', async () => {
  let release = () => {};
  const disk = new MemoryDisk({
    settle: (operation) =>
      operation === 'datasync'
        ? new Promise((resolve) => {
            release = resolve;
          })
        : undefined,
  });
  const file = await disk.open('/a', create);
  await disk.syncDirectory('/');
  await file.write([utf8ToBytes('ab')], 0);
  const syncing = file.datasync();
  await file.write([utf8ToBytes('XY')], 1);
  release();
  await syncing;
  assert.equal(utf8FromBytes(await disk.readFile('/a')), 'aXY');
  disk.crash(random, 'synced');
  assert.equal(utf8FromBytes(await disk.readFile('/a')), 'ab');
});

test('agrees with a plain array under random writes, truncations, syncs and crashes', async () => {
  for (let seed = 0; seed < 60; seed++) {
    const draw = new SeededRandom(seed);
    const disk = new MemoryDisk();
    let file = await disk.open('/a', create);
    await disk.syncDirectory('/');
    let durable: number[] = [];
    let current: number[] = [];
    for (let step = 0; step < 60; step++) {
      const choice = nextBelow(draw, 10);
      if (choice < 5) {
        const position = nextBelow(draw, 20_000);
        const data = new Uint8Array(nextBelow(draw, 9000)).fill(1 + nextBelow(draw, 255));
        await file.write([data], position);
        if (data.length > 0) while (current.length < position) current.push(0);
        for (let i = 0; i < data.length; i++) current[position + i] = data[i] as number;
      } else if (choice < 7) {
        const size = nextBelow(draw, 30_000);
        await file.truncate(size);
        current = current.slice(0, size);
        while (current.length < size) current.push(0);
      } else if (choice < 9) {
        await file.datasync();
        durable = current.slice();
      } else {
        const mode: CrashMode = nextBelow(draw, 3) === 0 ? 'process' : 'synced';
        disk.crash(draw, mode);
        if (mode === 'synced') current = durable.slice();
        file = await disk.open('/a', { write: true });
      }
      assert.deepEqual(Buffer.from(await disk.readFile('/a')), Buffer.from(current), `seed ${seed} step ${step}`);
    }
  }
});

test('rot changes what is read and what a crash leaves, written through a shared page or not', async () => {
  const disk = new MemoryDisk();
  const file = await disk.open('/a', create);
  await file.write([utf8ToBytes('abc')], 0);
  await file.datasync();
  await disk.syncDirectory('/');
  disk.rot('/a', 1, 0x20);
  assert.equal(utf8FromBytes(await disk.readFile('/a')), 'aBc');
  await file.write([utf8ToBytes('d')], 3);
  disk.rot('/a', 2, 0x20);
  assert.equal(utf8FromBytes(await disk.readFile('/a')), 'aBCd');
  disk.crash(random, 'synced');
  assert.equal(utf8FromBytes(await disk.readFile('/a')), 'aBC');
});

test('a misdirected write is acknowledged, lies elsewhere, and survives there', async () => {
  const disk = new MemoryDisk();
  const [one, other] = [await disk.open('/a', create), await disk.open('/b', create)];
  for (const file of [one, other]) {
    await file.write([utf8ToBytes('0123456789')], 0);
    await file.datasync();
  }
  await disk.syncDirectory('/');
  const misdirect = async (position: number, byBytes: number, into?: string) => {
    disk.onOperation = (operation) => (operation === 'write' ? { byBytes, into } : undefined);
    await one.write([utf8ToBytes('xy')], position);
    disk.onOperation = undefined;
  };
  const text = async (path: string) => utf8FromBytes(await disk.readFile(path));
  await misdirect(0, 4);
  assert.equal(await text('/a'), '0123xy6789');
  await misdirect(2, -1, '/b');
  assert.deepEqual([await text('/a'), await text('/b')], ['0123xy6789', '0xy3456789']);
  // Behind the end, and in no file at all.
  await misdirect(9, 3);
  await misdirect(0, -1);
  await misdirect(0, 0, '/none');
  assert.equal(await text('/a'), '0123xy6789\0');
  disk.crash(random, 'synced');
  assert.deepEqual([await text('/a'), await text('/b')], ['0123xy6789', '0xy3456789']);
});
