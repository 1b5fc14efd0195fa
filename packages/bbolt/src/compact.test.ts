import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDisk } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { Database } from './database.ts';

const clock = new NodeClock();
const name = Buffer.from('b');

test('a compact copy of a tree of several levels, of any size, is sound and can be written to', async () => {
  for (const count of [0, 1, 8, 9, 10, 60, 61, 62, 63, 64, 500, 3001]) {
    const disk = new MemoryDisk();
    const database = await Database.open({ disk, clock }, '/db', { pageSize: 1024 });
    const transaction = database.beginWrite();
    const bucket = transaction.createBucket(name);
    for (let i = 0; i < count; i++)
      bucket.put(Buffer.from(`key ${String(i).padStart(90, '0')}`), Buffer.alloc(i % 200));
    await transaction.commit();
    await database.compactTo('/copy');
    const copy = await Database.open({ disk, clock }, '/copy');
    const report = await copy.check();
    assert.deepEqual([...report.errors, ...report.warnings], [], `${count} pairs`);
    assert.equal(report.pairs, count);
    const change = copy.beginWrite();
    for (let i = 0; i < count; i += 3) change.bucket(name)?.delete(Buffer.from(`key ${String(i).padStart(90, '0')}`));
    await change.commit();
    const after = await copy.check();
    assert.deepEqual([...after.errors, ...after.warnings], []);
    assert.equal(after.pairs, count - Math.ceil(count / 3));
  }
});
