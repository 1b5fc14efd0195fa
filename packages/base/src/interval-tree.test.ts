import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Interval, IntervalTree, openEnd } from './interval-tree.ts';
import { nextBelow, SeededRandom } from './random.ts';

test('random intervals are found as a list finds them', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = new SeededRandom(seed);
    const tree = new IntervalTree<Interval>();
    const list: Interval[] = [];
    const key = () => String.fromCharCode(97 + nextBelow(random, 26)) + String.fromCharCode(97 + nextBelow(random, 4));
    for (let step = 0; step < 400; step++) {
      if (list.length > 0 && nextBelow(random, 3) === 0) {
        const [item] = list.splice(nextBelow(random, list.length), 1);
        tree.remove(item as Interval);
      } else {
        const [a, b] = [key(), key()].sort() as [string, string];
        const item = { key: a, end: nextBelow(random, 5) === 0 ? openEnd : `${b}\0` };
        if (list.some((each) => each.key === item.key && each.end === item.end)) continue;
        list.push(item);
        tree.insert(item);
      }
      const probe = key();
      const found: Interval[] = [];
      tree.collect(probe, found);
      const expected = list.filter((each) => each.key <= probe && probe < each.end);
      assert.deepEqual(new Set(found), new Set(expected), `seed ${seed}, step ${step}, key ${probe}`);
      assert.equal(found.length, expected.length);
      assert.equal(tree.size, list.length);
    }
  }
});
