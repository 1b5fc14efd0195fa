import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LargeRecords } from './large-records.ts';

const large = (): Uint8Array => new Uint8Array(8 * 1024);

test('a large record is the one that is held already, a small one any', () => {
  const records = new LargeRecords();
  const held = large();
  assert.equal(records.unique(7, 0, held), held);
  assert.equal(records.unique(7, 0, large()), held);
  const another = large();
  assert.equal(records.unique(7, 1, another), another);
  const small = new Uint8Array(100);
  const [first, second] = [records.unique(8, 0, small), records.unique(8, 0, new Uint8Array(100))];
  assert.equal(first, small);
  assert.notEqual(second, small);
});

test('names of records that nobody holds are forgotten, those of others are not', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const records = new LargeRecords();
  const held = Array.from({ length: 100 }, (_, i) => records.unique(i, 0, large()));
  for (let i = 100; i < 1000; i++) records.unique(i, 0, large());
  assert.equal(records.count, 1000);
  // A WeakRef keeps its target to the end of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  for (let i = 1000; i < 1100; i++) records.unique(i, 0, large());
  assert.ok(records.count <= 200, `${records.count} names`);
  for (const [i, record] of held.entries()) assert.equal(records.unique(i, 0, large()), record);
});
