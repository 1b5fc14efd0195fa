import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextBelow, SeededRandom } from '@quorate/base';
import { GrantTree } from './grant-tree.ts';

interface Node {
  readonly interval: { readonly start: Uint8Array; readonly end: Uint8Array | undefined };
  readonly isRed: boolean;
  readonly left: Node | undefined;
  readonly right: Node | undefined;
}

/** Checks the order and the colours below a node. @returns the black nodes on each way down. */
function blackHeight(node: Node | undefined, parentIsRed: boolean, low: number, high: number): number {
  if (node === undefined) return 1;
  const start = node.interval.start[0] as number;
  assert.ok(start >= low && start <= high, 'nodes stand in their order');
  assert.ok(!(parentIsRed && node.isRed), 'no red node has a red child');
  const left = blackHeight(node.left, node.isRed, low, start);
  assert.equal(blackHeight(node.right, node.isRed, start, high), left, 'all ways down have as many black nodes');
  return left + (node.isRed ? 0 : 1);
}

test('a tree of random grants is a red-black tree of all of them', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed);
    const intervals = Array.from({ length: nextBelow(random, 60) }, () => {
      const start = nextBelow(random, 200);
      const end = nextBelow(random, 5) === 0 ? undefined : new Uint8Array([start + 1 + nextBelow(random, 20)]);
      return { start: new Uint8Array([start]), end };
    });
    const tree = new GrantTree(intervals);
    blackHeight((tree as unknown as { root: Node | undefined }).root, true, 0, 255);
    // With an end above all starts the search never gives up.
    for (let key = 0; key < 256; key++) {
      const isInside = intervals.some(({ start, end }) => (start[0] as number) <= key && key < (end?.[0] ?? 256));
      assert.equal(tree.reaches(new Uint8Array([key]), new Uint8Array([255])), isInside, `seed ${seed}, key ${key}`);
    }
  }
});
