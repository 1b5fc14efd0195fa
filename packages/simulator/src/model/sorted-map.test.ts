import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextBelow, SeededRandom } from '@quorate/base';
import { SortedMap } from './sorted-map.ts';

const same = (a: number, b: number): boolean => a === b;

function entries(map: SortedMap<number>, from = '', end?: string): [string, number][] {
  const found: [string, number][] = [];
  map.scan(from, end, (value, key) => found.push([key, value]) > 0);
  return found;
}

test('a sorted map does as a map that is sorted when read, and old ones stay as they were', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed);
    const twin = new Map<string, number>();
    let map = SortedMap.empty<number>((value) => value);
    const past: { map: SortedMap<number>; expected: [string, number][] }[] = [];
    for (let i = 0; i < 300; i++) {
      const key = `k${nextBelow(random, 40)}`;
      if (nextBelow(random, 3) === 0) {
        twin.delete(key);
        map = map.delete(key);
      } else {
        twin.set(key, i);
        map = map.set(key, i);
      }
      assert.equal(map.get(key), twin.get(key), `seed ${seed}`);
      assert.equal(map.size, twin.size, `seed ${seed}`);
      past.push({ map, expected: [...twin].sort(([a], [b]) => (a < b ? -1 : 1)) });
    }
    for (const { map: old, expected } of past) assert.deepEqual(entries(old), expected, `seed ${seed}`);
    const all = past.at(-1)?.expected ?? [];
    const inside = all.filter(([key]) => key >= 'k15' && key < 'k3');
    assert.deepEqual(entries(map, 'k15', 'k3'), inside, `seed ${seed}`);
  }
});

test('equal content compares equal whatever the way to it', () => {
  const empty = SortedMap.empty<number>((value) => value);
  const one = empty.set('a', 1).set('b', 2).set('c', 3).delete('b');
  const other = empty.set('c', 3).set('a', 0).set('a', 1);
  assert.equal(one.hash, other.hash);
  assert.ok(one.equals(other, same));
  assert.ok(!one.equals(other.set('a', 2), same));
  assert.ok(!one.equals(other.set('d', 2), same));
  assert.notEqual(one.hash, other.set('a', 2).hash);
});

test('a scan ends when the visitor has enough', () => {
  let map = SortedMap.empty<number>((value) => value);
  for (let i = 0; i < 9; i++) map = map.set(`${i}`, i);
  const seen: number[] = [];
  map.scan('2', undefined, (value) => seen.push(value) < 3);
  assert.deepEqual(seen, [2, 3, 4]);
});
