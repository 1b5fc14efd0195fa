import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@quorate/base';
import { MachineDisk } from './machine-disk.ts';

test('a planned crash counts from the first operation on a file of its ending, on any file', async () => {
  const crashes: string[] = [];
  const disk = new MachineDisk(
    {
      random: new SeededRandom(1),
      nowMs: () => 0,
      isUp: () => true,
      after: (_, callback) => callback(),
      onCrash: (operation, path) => void crashes.push(`${operation} ${path}`),
      onFault: () => {},
    },
    { syncMs: 1, otherMs: 1 },
  );
  disk.planned.push({ operation: 'any', skip: 2, after: '.wal', fault: 'crash' });
  const create = (path: string) => disk.disk.open(path, { write: true, create: true });
  for (const path of ['/a', '/b', '/c']) await create(path);
  await create('/1.wal');
  const file = await create('/d');
  assert.deepEqual(crashes, []);
  await assert.rejects(file.write([new Uint8Array(1)], 0));
  assert.deepEqual(crashes, ['write /d']);
});

test('a disk that is slow for files of one ending is as quick as ever for others', async () => {
  let tookMs = 0;
  const disk = new MachineDisk(
    {
      random: { nextUint32: () => 0x8000_0000 },
      nowMs: () => 0,
      isUp: () => true,
      after: (delayMs, callback) => {
        tookMs = delayMs;
        callback();
      },
      onCrash: () => {},
      onFault: () => {},
    },
    { syncMs: 1, otherMs: 1 },
  );
  const timeOf = async (path: string) => {
    await disk.disk.open(path, { write: true, create: true });
    return tookMs;
  };
  const usualMs = await timeOf('/a.wal');
  disk.slowness = 50;
  disk.slowPath = '.wal';
  assert.equal(await timeOf('/db'), usualMs);
  assert.equal(await timeOf('/b.wal'), 50 * usualMs);
});
