import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { latin1ToBytes } from '@quorate/base';
import type { History, Operation } from '../history/history.ts';
import { compare, del, grant, put, range, revoke, txn } from '../model/testing/requests.ts';
import { checkKeyValueOrder, type OrderResult } from './key-value-order.ts';
import { Scene } from './testing/scene.ts';

const stepsMax = 100_000;

/** What is found without a look at the log. */
function orderOf(history: History): OrderResult {
  return checkKeyValueOrder({ ...history, log: [] }, stepsMax);
}

function violationsOf(history: History): string[] {
  const { violations, undecided, excluded } = orderOf(history);
  assert.equal(undecided + excluded, 0);
  return violations.map(({ text }) => text);
}

const setRevision = (revision: number) => (response: { message: { header: { revision: number } | undefined } }) => {
  if (response.message.header !== undefined) response.message.header.revision = revision;
};

const unexplained = (name: string, answers: number) =>
  `${name} had an answer that no order of the operations explains, number ${answers} of those on its keys`;

test('keys that no operation touches together are groups of their own', () => {
  const scene = new Scene()
    .call(put('a', '1'))
    .call(put('b', '1'))
    .call(put('c', '1'))
    .call(put('d', '1'))
    .call(txn([compare('VERSION', 'c', { version: 1 })], [put('d', '2')], []))
    .call(range('a'))
    .call(range('c', 'e'));
  assert.deepEqual(orderOf(scene.history()), {
    violations: [],
    groups: 3,
    undecided: 0,
    excluded: 0,
    steps: 7,
  });
});

test('a read of what was overwritten before', () => {
  const scene = new Scene().call(put('a', '1')).call(put('a', '2')).call(range('a')).call(range('a'));
  const stale = scene.withLast((response) => {
    const kv = response.method === 'range' ? response.message.kvs[0] : undefined;
    if (kv !== undefined) Object.assign(kv, { value: latin1ToBytes('1'), modRevision: 2, version: 1 });
  });
  assert.deepEqual(violationsOf(stale), [unexplained('operation 4 (client 1 at m1, range "a")', 4)]);
});

test('two writes that tell one revision', () => {
  const scene = new Scene().call(put('a', '1')).call(put('b', '1'));
  assert.deepEqual(violationsOf(scene.withLast(setRevision(2))), [
    'operation 2 (client 1 at m1, put "b") made revision 2, as did operation 1 (client 1 at m1, put "a")',
  ]);
});

test('writes that overlap may be in either order, but those that do not may not', () => {
  const scene = new Scene().call(put('a', '1')).call(put('a', '2')).call(range('a'));
  const [first, second, read] = scene.operations as [Operation, Operation, Operation];
  const overlapping = { ...first, client: 2, returnedMs: second.returnedMs };
  assert.deepEqual(violationsOf(scene.history([overlapping, second, read])), []);
  const late = { ...first, client: 2, invokedMs: 26, returnedMs: 28 };
  assert.deepEqual(violationsOf(scene.history([second, late, read])), [
    unexplained('operation 2 (client 1 at m1, put "a")', 1),
  ]);
});

test('unknown outcomes: done, not done, seen or guessed', () => {
  const seen = new Scene().lost(put('a', '1'), true).lost(put('a', '2'), false).call(range('a'));
  assert.deepEqual(violationsOf(seen.history()), []);
  // Nobody saw the put, but the version counts it.
  const counted = new Scene().lost(put('a', '1'), true).call(put('a', '2')).call(range('a'));
  assert.deepEqual(violationsOf(counted.history()), []);
  const deleted = new Scene()
    .call(put('a', '1'))
    .lost(del('a'), true)
    .call(range('a'))
    .call(put('a', '2', { prevKv: true }));
  assert.deepEqual(violationsOf(deleted.history()), []);
  const nobody = counted.history(counted.operations.slice(1));
  assert.deepEqual(violationsOf(nobody), [unexplained('operation 3 (client 1 at m1, range "a")', 2)]);
  // It must not be done before it began.
  const [lost, ...others] = counted.operations as [Operation, ...Operation[]];
  const late = counted.history([...others, { ...lost, invokedMs: 100 }]);
  assert.deepEqual(violationsOf(late), [unexplained('operation 3 (client 1 at m1, range "a")', 2)]);
});

test('many unknown outcomes that change nothing anybody sees are no matter', () => {
  const scene = new Scene();
  for (let i = 0; i < 400; i++) {
    scene
      .lost(put('a', `lost ${i}`), i % 10 === 0)
      .call(put('a', `${i}`))
      .call(range('a'));
    scene.lost(del('b'), i % 7 === 0).call(range('a', 'c'));
  }
  const { violations, undecided, steps } = orderOf(scene.history());
  assert.deepEqual({ violations, undecided }, { violations: [], undecided: 0 });
  assert.ok(steps < stepsMax, `${steps} steps`);
});

test('keys on a lease may go at any time, all others not', () => {
  const scene = new Scene()
    .entry(grant(1n))
    .call(put('a', '1', { lease: 1n }))
    .call(put('b', '1'))
    .entry(revoke(1n))
    .call(range('a', 'c'));
  assert.deepEqual(violationsOf(scene.history()), []);
  const lost = scene.withLast((response) => {
    if (response.method === 'range') Object.assign(response.message, { kvs: [], count: 0 });
  });
  assert.deepEqual(violationsOf(lost), [unexplained('operation 3 (client 1 at m1, range ["a", "c"))', 3)]);
});

test('reads of the past and stale reads say nothing about the order', () => {
  const scene = new Scene()
    .call(put('a', '1'))
    .call(put('a', '2'))
    .call(range('a', '', { revision: 2 }))
    .call(txn([], [put('b', '1'), range('a', '', { revision: 2 }), txn([], [range('a', '', { revision: 3 })])]))
    .call(range('a', '', { serializable: true }));
  assert.deepEqual(violationsOf(scene.history()), []);
  assert.deepEqual(violationsOf(scene.withLast(setRevision(2))), []);
});

test('keys that somebody else writes are left out', () => {
  const scene = new Scene().entry(put('a', '1')).call(range('a')).call(put('b', '1')).call(range('b'));
  const { violations, groups, excluded } = orderOf(scene.history());
  assert.deepEqual({ violations, groups, excluded }, { violations: [], groups: 2, excluded: 1 });
});

test('a transaction that compared something else than there was', () => {
  const scene = new Scene().call(put('a', '1')).call(put('a', '2'));
  const expected = compare('VALUE', 'a', { value: latin1ToBytes('2') });
  scene.call(txn([expected], [put('a', '3')], [range('a')]));
  assert.deepEqual(violationsOf(scene.history()), []);
  const failed = scene.withLast((response) => {
    if (response.method !== 'txn') return;
    const kvs = [...(scene.model.keysAt(3)?.get('a') ? [scene.model.keysAt(3)?.get('a')] : [])].filter(
      (kv) => kv !== undefined,
    );
    const header = etcdserverpb.ResponseHeader.create({ revision: 3 });
    const responseRange = etcdserverpb.RangeResponse.create({ header, kvs, count: 1 });
    const responses = [etcdserverpb.ResponseOp.create({ responseRange })];
    Object.assign(response.message, { header, succeeded: false, responses });
  });
  assert.deepEqual(violationsOf(failed), [unexplained('operation 3 (client 1 at m1, txn of 1/1)', 3)]);
});
