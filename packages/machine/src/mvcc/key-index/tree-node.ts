import type { KeySlab } from './key-slab.ts';

export const leafCapacity = 128;
export const branchCapacity = 64;

/**
 * Sorted keys of one node, made fast to search: all begin with the same `prefixLength` bytes, and `heads` has the four bytes behind
 * these (big-endian, zeros behind a key's end) of each. A search compares the prefix once and then looks at heads only, which
 * lie together, instead of at one cold key after the other; full keys decide between equal heads.
 */
interface Headed {
  count: number;
  prefixLength: number;
  readonly heads: Uint32Array;
}

export class Leaf implements Headed {
  count = 0;
  prefixLength = 0;
  next: Leaf | undefined;
  previous: Leaf | undefined;
  readonly heads: Uint32Array;
  readonly ids: Int32Array;
  /** 1 where the key is live at the current revision. */
  readonly live: Uint8Array;

  constructor() {
    const memory = new ArrayBuffer(leafCapacity * 9);
    this.heads = new Uint32Array(memory, 0, leafCapacity);
    this.ids = new Int32Array(memory, leafCapacity * 4, leafCapacity);
    this.live = new Uint8Array(memory, leafCapacity * 8, leafCapacity);
  }
}

export class Branch implements Headed {
  count = 0;
  prefixLength = 0;
  readonly children: (Leaf | Branch)[] = [];
  readonly heads: Uint32Array;
  /** Keys that are live at the current revision, of each child's subtree. */
  readonly live: Int32Array;
  /** The keys of child i are at or above separator i (a KeySlab place of its own). Separator 0 is not used. */
  readonly separatorRefs: Int32Array;
  readonly separatorLengths: Int32Array;

  constructor() {
    const memory = new ArrayBuffer(branchCapacity * 16);
    this.heads = new Uint32Array(memory, 0, branchCapacity);
    this.live = new Int32Array(memory, branchCapacity * 4, branchCapacity);
    this.separatorRefs = new Int32Array(memory, branchCapacity * 8, branchCapacity);
    this.separatorLengths = new Int32Array(memory, branchCapacity * 12, branchCapacity);
  }
}

export type TreeNode = Leaf | Branch;

/** Makes them neighbours. */
export function linkLeaves(left: Leaf, right: Leaf | undefined): void {
  left.next = right;
  if (right !== undefined) right.previous = left;
}

/** The four bytes of `key[start, end)` behind `prefixLength`. */
export function headOf(key: Uint8Array, start: number, end: number, prefixLength: number): number {
  const at = start + prefixLength;
  if (at + 4 <= end) {
    return (
      (((key[at] as number) << 24) |
        ((key[at + 1] as number) << 16) |
        ((key[at + 2] as number) << 8) |
        (key[at + 3] as number)) >>>
      0
    );
  }
  let head = 0;
  for (let i = 0; i < 4; i++) head = (head << 8) | (at + i < end ? (key[at + i] as number) : 0);
  return head >>> 0;
}

/** First of the ascending `heads[from, to)` that is at least `head`; `to` when none is. */
export function firstHeadAtLeast(heads: Uint32Array, from: number, to: number, head: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((heads[middle] as number) < head) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function sumLive(node: TreeNode): number {
  let live = 0;
  for (let i = 0; i < node.count; i++) live += node.live[i] as number;
  return live;
}

export function insertId(leaf: Leaf, position: number, id: number, head: number, isLive: boolean): void {
  const { count } = leaf;
  leaf.ids.copyWithin(position + 1, position, count);
  leaf.heads.copyWithin(position + 1, position, count);
  leaf.live.copyWithin(position + 1, position, count);
  leaf.ids[position] = id;
  leaf.heads[position] = head;
  leaf.live[position] = isLive ? 1 : 0;
  leaf.count = count + 1;
}

export function dropId(leaf: Leaf, position: number): void {
  const { count } = leaf;
  leaf.ids.copyWithin(position, position + 1, count);
  leaf.heads.copyWithin(position, position + 1, count);
  leaf.live.copyWithin(position, position + 1, count);
  leaf.count = count - 1;
}

/** Moves ids `[from, to)` of one leaf to the end of another; the heads of both are stale then. */
export function moveIds(source: Leaf, from: number, to: number, target: Leaf): void {
  target.ids.set(source.ids.subarray(from, to), target.count);
  target.live.set(source.live.subarray(from, to), target.count);
  target.count += to - from;
  source.ids.copyWithin(from, to, source.count);
  source.live.copyWithin(from, to, source.count);
  source.count -= to - from;
}

/** The heads are stale then. */
export function insertChild(
  branch: Branch,
  at: number,
  child: TreeNode,
  live: number,
  separator: number,
  length: number,
): void {
  const { count } = branch;
  branch.live.copyWithin(at + 1, at, count);
  branch.separatorRefs.copyWithin(at + 1, at, count);
  branch.separatorLengths.copyWithin(at + 1, at, count);
  branch.children.splice(at, 0, child);
  branch.live[at] = live;
  branch.separatorRefs[at] = separator;
  branch.separatorLengths[at] = length;
  branch.count = count + 1;
}

/** The heads are stale then. */
export function dropChild(branch: Branch, at: number): void {
  const { count } = branch;
  branch.live.copyWithin(at, at + 1, count);
  branch.separatorRefs.copyWithin(at, at + 1, count);
  branch.separatorLengths.copyWithin(at, at + 1, count);
  branch.children.splice(at, 1);
  branch.count = count - 1;
}

/** Moves the children of `from` at and behind `index` to the end of `to`; the heads of both are stale then. */
export function moveChildren(from: Branch, index: number, to: Branch): void {
  const at = to.count;
  const { count } = from;
  to.live.set(from.live.subarray(index, count), at);
  to.separatorRefs.set(from.separatorRefs.subarray(index, count), at);
  to.separatorLengths.set(from.separatorLengths.subarray(index, count), at);
  for (let i = index; i < count; i++) to.children.push(from.children[i] as TreeNode);
  from.children.length = index;
  to.count = at + count - index;
  from.count = index;
}

/** Sets prefix and heads of a branch anew from its separators. */
export function refreshBranch(branch: Branch, slab: KeySlab): void {
  const { count, separatorRefs, separatorLengths } = branch;
  if (count < 2) return;
  const last = separatorRefs[count - 1] as number;
  const lastStart = slab.positionOf(last);
  slab.compare(
    separatorRefs[1] as number,
    separatorLengths[1] as number,
    slab.chunkOf(last),
    lastStart,
    lastStart + (separatorLengths[count - 1] as number),
    0,
  );
  branch.prefixLength = slab.equalLength;
  for (let i = 1; i < count; i++) {
    const ref = separatorRefs[i] as number;
    const start = slab.positionOf(ref);
    branch.heads[i] = headOf(slab.chunkOf(ref), start, start + (separatorLengths[i] as number), branch.prefixLength);
  }
}
