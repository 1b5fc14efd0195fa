import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeClock } from '@quorate/base/node';
import { deleteOp, putOp, TestMachine } from '../apply/testing/test-machine.ts';
import { hashKeys } from './hash.ts';

/** Hashes that a server of 3.4.23 gave: [revision, compacted revision, hash]. */
const observed: readonly [number, number, number][] = [
  [2, -1, 2_587_454_935],
  [3, -1, 1_827_592_406],
  [4, -1, 2_069_675_932],
  [5, -1, 1_125_682_900],
  [6, -1, 1_755_817_298],
  [7, -1, 1_168_362_456],
  [8, -1, 714_127_153],
  [9, -1, 2_375_474_114],
  [10, -1, 3_093_795_629],
  [9, 8, 2_236_214_146],
  [10, 8, 3_623_023_534],
];

test('hashes are those of a real server', async () => {
  const machine = await TestMachine.open(new NodeClock());
  machine.put('a', '1');
  machine.put('b', '2');
  machine.put('a', '3');
  machine.delete('b');
  machine.put('b', '4');
  machine.txn({ success: [putOp('c', 'x'), putOp('d', 'y'), deleteOp('a')] });
  machine.put('a', '5');
  machine.put('b', '');
  machine.put('a', '6');
  for (const [revision, compacted, hash] of observed) {
    if (compacted > machine.store.compactRevision) {
      machine.compact(compacted);
      await machine.store.whenCompacted();
    }
    const expected = { hash, compactRevision: compacted, hashRevision: revision, currentRevision: 10 };
    assert.deepEqual(await hashKeys(machine.store, revision), expected);
  }
  assert.equal(await hashKeys(machine.store, 7), 'ErrGRPCCompacted');
  assert.equal(await hashKeys(machine.store, 11), 'ErrGRPCFutureRev');
  assert.ok(typeof (await hashKeys(machine.store, 8)) !== 'string');
});

test('one put of foo=bar', async () => {
  const machine = await TestMachine.open(new NodeClock());
  machine.put('foo', 'bar');
  const result = await hashKeys(machine.store, 0);
  assert.ok(typeof result !== 'string');
  assert.equal(result.hash, 3_305_255_506);
});

test('a compaction leaves the hash at its revision, with the compacted revision before', async () => {
  const clock = new NodeClock();
  const machine = await TestMachine.open(clock);
  const { store } = machine;
  const put = () => machine.put(`key ${store.currentRevision % 3}`, 'value');
  for (let i = 0; i < 10; i++) put();
  const before = await hashKeys(store, 5);
  machine.compact(5);
  await store.whenCompacted();
  assert.deepEqual(await hashKeys(store, 5), before);
  assert.equal(typeof before === 'object' && before.compactRevision, -1);
  const between = await hashKeys(store, 8);
  machine.compact(8);
  await store.whenCompacted();
  assert.deepEqual(await hashKeys(store, 8), between);
  // Also that of an older compaction, where nothing can be read any more.
  assert.deepEqual(await hashKeys(store, 5), before);
  assert.equal(await hashKeys(store, 6), 'ErrGRPCCompacted');
  put();
  assert.deepEqual(await hashKeys(store, 8), { ...(between as object), currentRevision: store.currentRevision });
  const again = await TestMachine.open(clock, { backend: machine.backend });
  const restarted = await hashKeys(again.store, 8);
  assert.equal(typeof restarted === 'object' && restarted.compactRevision, 8, 'lost on restart');
});

test('a compaction after one that is not finished leaves no hash', async () => {
  const machine = await TestMachine.open(new NodeClock());
  const { store } = machine;
  for (let i = 0; i < 10; i++) machine.put('key', 'value');
  const before = await hashKeys(store, 5);
  machine.compact(5);
  machine.compact(7);
  await store.whenCompacted();
  assert.deepEqual(await hashKeys(store, 5), before);
  const second = await hashKeys(store, 7);
  assert.equal(typeof second === 'object' && second.compactRevision, 7);
});

test('where no key is left by a deletion exactly there, both know what the other hash is', async () => {
  const machine = await TestMachine.open(new NodeClock());
  const { store } = machine;
  machine.put('a', '1');
  machine.put('b', '2');
  machine.compact(3);
  await store.whenCompacted();
  machine.txn({ success: [deleteOp('a'), deleteOp('b')] });
  const before = await hashKeys(store, 0);
  machine.compact(store.currentRevision);
  await store.whenCompacted();
  const after = await hashKeys(store, store.currentRevision);
  assert.ok(typeof before === 'object' && typeof after === 'object');
  assert.notEqual(before.hash, after.hash);
  assert.deepEqual(before, { ...after, hash: after.otherHash, otherHash: after.hash });
});

test('the newest ten hashes are kept', async () => {
  const machine = await TestMachine.open(new NodeClock());
  const { store } = machine;
  for (let i = 0; i < 30; i++) machine.put('key', 'value');
  for (let revision = 2; revision <= 13; revision++) {
    machine.compact(revision);
    await store.whenCompacted();
  }
  assert.equal(await hashKeys(store, 3), 'ErrGRPCCompacted');
  for (let revision = 4; revision <= 13; revision++) {
    const { compactRevision } = (await hashKeys(store, revision)) as { compactRevision: number };
    assert.equal(compactRevision, revision - 1);
  }
});
