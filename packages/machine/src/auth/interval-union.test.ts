import assert from 'node:assert/strict';
import { test } from 'node:test';
import { latin1ToBytes } from '@quorate/base';
import { IntervalUnion } from './interval-union.ts';

function union(...ranges: (readonly [key: string, rangeEnd: string])[]): (key: string, rangeEnd?: string) => boolean {
  const made = new IntervalUnion(
    ranges.map(([key, rangeEnd]) => ({ key: latin1ToBytes(key), rangeEnd: latin1ToBytes(rangeEnd) })),
  );
  return (key, rangeEnd = '') => made.covers(latin1ToBytes(key), latin1ToBytes(rangeEnd));
}

test('a single key is itself and no more', () => {
  const covers = union(['a', '']);
  assert.deepEqual([covers('a'), covers('a\0'), covers(''), covers('b')], [true, false, false, false]);
  assert.deepEqual([covers('a', 'a\0'), covers('a', 'b'), covers('a', '\0')], [true, false, false]);
});

test('adjacent and overlapping intervals are one, a gap stays', () => {
  const covers = union(['c', 'e'], ['a', 'c'], ['b', 'd'], ['x', 'z'], ['z', '']);
  assert.deepEqual([covers('a', 'e'), covers('a', 'e\0'), covers('a', 'y')], [true, false, false]);
  assert.deepEqual([covers('x', 'z\0'), covers('z'), covers('z\0')], [true, true, false]);
});

test('only an open grant covers an open request', () => {
  const covers = union(['a', 'c'], ['m', '\0'], ['n', 'o']);
  assert.deepEqual(
    [covers('a', '\0'), covers('m', '\0'), covers('n', '\0'), covers('z', 'zz')],
    [false, true, true, true],
  );
  assert.deepEqual([covers('l', '\0'), covers('\xff\xff')], [false, true]);
});

test('an inverted interval is judged by its start, as far as the search of etcd comes', () => {
  const covers = union(['b', 'd'], ['f', 'h']);
  assert.deepEqual([covers('c', 'c'), covers('b', 'a'), covers('g', 'c'), covers('e', 'b')], [true, true, true, false]);
  assert.equal(covers('a', 'a'), false);
  // The root begins at b: nothing behind it is looked at.
  assert.equal(covers('g', 'b'), false);
  // A third grant makes the second the root.
  const three = union(['b', 'd'], ['f', 'h'], ['k', 'm']);
  assert.deepEqual([three('l', 'f'), three('l', 'g'), three('g', 'a'), three('c', 'a')], [false, true, true, true]);
});

test('grants of nothing grant nothing', () => {
  const covers = union(['b', 'a'], ['c', 'c']);
  assert.deepEqual([covers('a'), covers('b'), covers('c')], [false, false, false]);
});
