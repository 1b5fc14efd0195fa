import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyValueRequest } from '../history/history.ts';
import { compact, compare, del, put, range, txn } from '../model/testing/requests.ts';
import { Partition } from './partition.ts';

/** The requests of each group, as their places. */
function groupsOf(...requests: KeyValueRequest[]): number[][] {
  const partition = new Partition(requests, ['seen']);
  const groups = new Map<number | undefined, number[]>();
  requests.forEach((request, i) => {
    const group = partition.groupOf(request);
    groups.set(group, [...(groups.get(group) ?? []), i]);
  });
  return [...groups.values()];
}

test('requests for one key are together, others not', () => {
  assert.deepEqual(groupsOf(put('a', '1'), put('b', '1'), range('a'), del('b')), [
    [0, 2],
    [1, 3],
  ]);
});

test('an interval joins the keys in it that anybody names', () => {
  const puts = ['a', 'b', 'c', 'd'].map((key) => put(key, '1'));
  assert.deepEqual(groupsOf(...puts, range('b', 'd')), [[0], [1, 2, 4], [3]]);
  assert.deepEqual(groupsOf(...puts, del('c', '\0')), [[0], [1], [2, 3, 4]]);
  assert.deepEqual(groupsOf(...puts, range('d', 'b')), [[0], [1], [2], [3, 4]]);
  assert.deepEqual(groupsOf(range('b', 'bb'), put('b', '1'), range('aa', 'b')), [[0, 1], [2]]);
});

test('a transaction joins all keys of its compares and of both branches', () => {
  const inner = txn([], [range('d')], [put('e', '1')]);
  const joining = txn([compare('MOD', 'a', {})], [put('b', '1')], [inner]);
  const puts = ['a', 'b', 'c', 'd', 'e'].map((key) => put(key, '1'));
  assert.deepEqual(groupsOf(...puts, joining), [[0, 1, 3, 4, 5], [2]]);
});

test('a compaction is in no group', () => {
  assert.equal(new Partition([compact(3)]).groupOf(compact(3)), undefined);
});

test('keys that nobody names have groups too', () => {
  const partition = new Partition([range('a', 'z'), put('seem', '1')], ['seen', 'zoo']);
  assert.equal(partition.groupOfKey('seen'), partition.groupOf(range('a', 'z')));
  assert.notEqual(partition.groupOfKey('zoo'), partition.groupOfKey('seen'));
});
