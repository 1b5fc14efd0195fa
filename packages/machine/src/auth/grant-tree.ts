import { compareBytes } from '@quorate/base';
import type { Interval } from './interval-union.ts';

interface Node {
  readonly interval: Interval;
  isRed: boolean;
  left: Node | undefined;
  right: Node | undefined;
}

/**
 * Judges requests for an inverted interval, which holds no key: etcd lets them pass when its search for the start key comes to a grant,
 * and the search gives up early in a way that depends on the shape of its tree. Members must judge alike, or a transaction with such a
 * compare changes some of them and not others, so this is a red-black tree of that very shape (Cormen et al., Introduction to
 * Algorithms, 13.3), ordered by start and then by end, with the grants put in one after the other.
 */
export class GrantTree {
  private root: Node | undefined = undefined;

  constructor(intervals: readonly Interval[]) {
    for (const interval of intervals) this.insert(interval);
  }

  /** Whether the search for `key` finds a grant, not going behind a node that begins at or above `rangeEnd`. */
  reaches(key: Uint8Array, rangeEnd: Uint8Array): boolean {
    return reaches(this.root, key, rangeEnd);
  }

  private insert(interval: Interval): void {
    const path: Node[] = [];
    for (let at = this.root; at !== undefined; ) {
      path.push(at);
      at = at[sideOf(interval, at.interval)];
    }
    const node: Node = { interval, isRed: true, left: undefined, right: undefined };
    const parent = path.at(-1);
    if (parent === undefined) this.root = node;
    else parent[sideOf(interval, parent.interval)] = node;
    path.push(node);
    this.balance(path);
    if (this.root !== undefined) this.root.isRed = false;
  }

  /** No red node is to have a red child. `path` leads from the root to the new node. */
  private balance(path: readonly Node[]): void {
    for (let i = path.length - 1; i >= 2; i -= 2) {
      const [grandparent, parent, node] = path.slice(i - 2, i + 1) as [Node, Node, Node];
      if (!parent.isRed) return;
      const side = grandparent.left === parent ? 'left' : 'right';
      const other = side === 'left' ? 'right' : 'left';
      const uncle = grandparent[other];
      if (uncle?.isRed !== true) {
        const top = parent[other] === node ? lift(parent, other) : parent;
        grandparent[side] = top;
        top.isRed = false;
        grandparent.isRed = true;
        this.replace(path[i - 3], grandparent, lift(grandparent, side));
        return;
      }
      uncle.isRed = false;
      parent.isRed = false;
      grandparent.isRed = true;
    }
  }

  private replace(above: Node | undefined, old: Node, by: Node): void {
    if (above === undefined) this.root = by;
    else if (above.left === old) above.left = by;
    else above.right = by;
  }
}

function reaches(node: Node | undefined, key: Uint8Array, rangeEnd: Uint8Array): boolean {
  if (node === undefined) return false;
  const { start, end } = node.interval;
  if (compareBytes(key, start) < 0) return reaches(node.left, key, rangeEnd);
  if (end === undefined || compareBytes(key, end) < 0) return true;
  if (compareBytes(start, rangeEnd) >= 0) return false;
  return reaches(node.left, key, rangeEnd) || reaches(node.right, key, rangeEnd);
}

/** Rotates the child on that side above its parent. @returns the child. */
function lift(parent: Node, side: 'left' | 'right'): Node {
  const other = side === 'left' ? 'right' : 'left';
  const child = parent[side] as Node;
  parent[side] = child[other];
  child[other] = parent;
  return child;
}

function sideOf(interval: Interval, at: Interval): 'left' | 'right' {
  const order = compareBytes(interval.start, at.start) || compareEnds(interval.end, at.end);
  return order < 0 ? 'left' : 'right';
}

/** An open end comes last. */
function compareEnds(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return compareBytes(a, b);
}
