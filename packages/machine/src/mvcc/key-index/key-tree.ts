import { assert } from '@quorate/base';
import { type KeyRecords, RecordInt } from './key-records.ts';

const leafCapacity = 64;
const branchCapacity = 64;
const leafMinimum = leafCapacity >> 2;
const branchMinimum = branchCapacity >> 2;
const depthMax = 12;

export class Leaf {
  readonly ids = new Int32Array(leafCapacity);
  count = 0;
  next: Leaf | undefined;
}

class Branch {
  readonly children: Node[] = [];
  /** Keys that are live at the current revision, of each child's subtree. */
  readonly live = new Int32Array(branchCapacity);
  /** The keys of child i are at or above separator i (a KeySlab place of its own). Separator 0 is not used. */
  readonly separatorRefs = new Int32Array(branchCapacity);
  readonly separatorLengths = new Int32Array(branchCapacity);

  get count(): number {
    return this.children.length;
  }
}

type Node = Leaf | Branch;

/**
 * The keys in byte order: a B+tree of record ids that counts in every branch the live keys of each subtree, so that
 * the keys of an interval are counted in O(log n). Deleted keys stay in it, uncounted, until compaction takes them out.
 */
export class KeyTree {
  private readonly records: KeyRecords;
  private root: Node = new Leaf();
  private height = 0;
  /** Keys live at the current revision. */
  live = 0;
  /** The way to the leaf of the last descent. */
  private readonly path: Branch[] = [];
  private readonly pathIndexes = new Int32Array(depthMax);
  /** After {@link seek}: the leaf and position of the first key at or above the one sought. */
  leaf: Leaf = this.root as Leaf;
  position = 0;
  private exact = false;

  constructor(records: KeyRecords) {
    this.records = records;
  }

  /** Adds a key that is not there yet; its record says whether it is live. */
  insert(id: number, key: Uint8Array, start: number, end: number): void {
    this.seekForWrite(key, start, end);
    assert(!this.exact, 'key is in the tree already');
    if (this.records.isLive(id)) this.addLive(1);
    const { leaf, position } = this;
    if (leaf.count < leafCapacity) insertId(leaf, position, id);
    else this.splitLeaf(leaf, position, id);
  }

  /** Counts a key that is there as live (+1) or deleted (-1). */
  adjustLive(key: Uint8Array, start: number, end: number, delta: number): void {
    this.descend(key, start, end);
    this.addLive(delta);
  }

  /** Takes out a key that is not live. */
  remove(key: Uint8Array, start: number, end: number): void {
    this.seekForWrite(key, start, end);
    assert(this.exact, 'key is not in the tree');
    const { leaf, position } = this;
    leaf.ids.copyWithin(position, position + 1, leaf.count);
    leaf.count -= 1;
    if (leaf.count < leafMinimum && this.height > 0) this.mendLeaf(leaf);
  }

  /** Live keys below `key`. */
  liveBelow(key: Uint8Array, start: number, end: number): number {
    this.seekForWrite(key, start, end);
    let live = 0;
    for (let depth = 0; depth < this.height; depth++) {
      const branch = this.path[depth] as Branch;
      const index = this.pathIndexes[depth] as number;
      for (let i = 0; i < index; i++) live += branch.live[i] as number;
    }
    const { records, leaf, position } = this;
    for (let i = 0; i < position; i++) if (records.isLive(leaf.ids[i] as number)) live += 1;
    return live;
  }

  /** Sets {@link leaf} and {@link position} to the first key at or above `key`; false when there is none. */
  seek(key: Uint8Array, start: number, end: number): boolean {
    this.seekForWrite(key, start, end);
    if (this.position < this.leaf.count) return true;
    const { next } = this.leaf;
    if (next === undefined) return false;
    this.leaf = next;
    this.position = 0;
    return true;
  }

  /** Checks order, counts and shape of the whole tree. */
  verify(): void {
    let previous = 0;
    let leaves: Leaf | undefined;
    const visit = (node: Node, depth: number): number => {
      if (node instanceof Branch) {
        assert(node.count >= 2 && node.count <= branchCapacity, 'branch size');
        let total = 0;
        for (let i = 0; i < node.count; i++) {
          const live = visit(node.children[i] as Node, depth + 1);
          assert(live === node.live[i], 'live count');
          total += live;
        }
        return total;
      }
      assert(depth === this.height, 'leaf depth');
      assert(node.count > 0 || this.height === 0, 'empty leaf');
      assert(leaves === undefined || leaves.next === node, 'leaf chain');
      leaves = node;
      let live = 0;
      for (let i = 0; i < node.count; i++) {
        const id = node.ids[i] as number;
        assert(previous === 0 || this.compareIds(previous, id) < 0, 'key order');
        previous = id;
        if (this.records.isLive(id)) live += 1;
      }
      return live;
    };
    assert(visit(this.root, 0) === this.live, 'total live count');
  }

  private compareIds(a: number, b: number): number {
    const { slab } = this.records;
    const ref = this.records.int(b, RecordInt.keyRef);
    const start = slab.positionOf(ref);
    return this.records.compare(a, slab.chunkOf(ref), start, start + this.records.int(b, RecordInt.keyLength), 0);
  }

  private descend(key: Uint8Array, start: number, end: number): Leaf {
    let node = this.root;
    const { slab } = this.records;
    for (let depth = 0; depth < this.height; depth++) {
      const branch = node as Branch;
      let low = 0;
      let high = branch.children.length - 1;
      let lowEqual = 0;
      let highEqual = 0;
      // What both bounds share with the key is shared by all between them, and need not be compared again.
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        const order = slab.compare(
          branch.separatorRefs[middle] as number,
          branch.separatorLengths[middle] as number,
          key,
          start,
          end,
          Math.min(lowEqual, highEqual),
        );
        if (order <= 0) {
          low = middle;
          lowEqual = slab.equalLength;
        } else {
          high = middle - 1;
          highEqual = slab.equalLength;
        }
      }
      this.path[depth] = branch;
      this.pathIndexes[depth] = low;
      node = branch.children[low] as Node;
    }
    return node as Leaf;
  }

  /** Like {@link seek}, but stays in the leaf that the key belongs to. */
  private seekForWrite(key: Uint8Array, start: number, end: number): void {
    const leaf = this.descend(key, start, end);
    const { records } = this;
    const { slab } = records;
    let low = 0;
    let high = leaf.count;
    let lowEqual = 0;
    let highEqual = 0;
    this.exact = false;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = records.compare(leaf.ids[middle] as number, key, start, end, Math.min(lowEqual, highEqual));
      if (order < 0) {
        low = middle + 1;
        lowEqual = slab.equalLength;
      } else {
        high = middle;
        highEqual = slab.equalLength;
        if (order === 0) {
          this.exact = true;
          low = middle;
        }
      }
    }
    this.leaf = leaf;
    this.position = low;
  }

  private addLive(delta: number): void {
    this.live += delta;
    for (let depth = 0; depth < this.height; depth++) {
      const { live } = this.path[depth] as Branch;
      const index = this.pathIndexes[depth] as number;
      live[index] = (live[index] as number) + delta;
    }
  }

  private countLive(leaf: Leaf): number {
    let live = 0;
    for (let i = 0; i < leaf.count; i++) if (this.records.isLive(leaf.ids[i] as number)) live += 1;
    return live;
  }

  private splitLeaf(leaf: Leaf, position: number, id: number): void {
    const right = new Leaf();
    right.next = leaf.next;
    leaf.next = right;
    // Keys often arrive in ascending order; then the left leaf stays full.
    const from = position === leafCapacity && right.next === undefined ? leafCapacity : leafCapacity >> 1;
    right.ids.set(leaf.ids.subarray(from, leafCapacity));
    right.count = leafCapacity - from;
    leaf.count = from;
    if (position > from || from === leafCapacity) insertId(right, position - from, id);
    else insertId(leaf, position, id);
    const first = right.ids[0] as number;
    const length = this.records.int(first, RecordInt.keyLength);
    const separator = this.records.slab.duplicate(this.records.int(first, RecordInt.keyRef), length);
    this.addChild(this.height - 1, leaf, right, this.countLive(right), separator, length);
  }

  /** Puts `right` behind `left` into the branch at `depth` of the path. */
  private addChild(depth: number, left: Node, right: Node, rightLive: number, separator: number, length: number): void {
    if (depth < 0) {
      const root = new Branch();
      root.children.push(left, right);
      root.live[0] = this.live - rightLive;
      root.live[1] = rightLive;
      root.separatorRefs[1] = separator;
      root.separatorLengths[1] = length;
      this.root = root;
      this.height += 1;
      assert(this.height < depthMax, 'tree too deep');
      return;
    }
    const branch = this.path[depth] as Branch;
    const at = (this.pathIndexes[depth] as number) + 1;
    branch.live[at - 1] = (branch.live[at - 1] as number) - rightLive;
    if (branch.count < branchCapacity) {
      insertChild(branch, at, right, rightLive, separator, length);
      return;
    }
    const other = new Branch();
    const from = at === branchCapacity && this.isLastOnPath(depth) ? branchCapacity - 1 : branchCapacity >> 1;
    const otherSeparator = branch.separatorRefs[from] as number;
    const otherLength = branch.separatorLengths[from] as number;
    moveChildren(branch, from, other);
    if (at > from) insertChild(other, at - from, right, rightLive, separator, length);
    else insertChild(branch, at, right, rightLive, separator, length);
    this.addChild(depth - 1, branch, other, sumLive(other), otherSeparator, otherLength);
  }

  private isLastOnPath(depth: number): boolean {
    for (let i = 0; i < depth; i++) {
      if ((this.pathIndexes[i] as number) !== (this.path[i] as Branch).count - 1) return false;
    }
    return true;
  }

  /** Merges or levels a leaf that became small with a neighbour under the same branch. */
  private mendLeaf(small: Leaf): void {
    const depth = this.height - 1;
    const branch = this.path[depth] as Branch;
    const index = this.pathIndexes[depth] as number;
    const leftIndex = index > 0 ? index - 1 : 0;
    const left = branch.children[leftIndex] as Leaf;
    const right = branch.children[leftIndex + 1] as Leaf;
    assert(left === small || right === small, 'path is stale');
    const total = left.count + right.count;
    if (total <= leafCapacity - leafMinimum) {
      left.ids.set(right.ids.subarray(0, right.count), left.count);
      left.count = total;
      left.next = right.next;
      this.removeChild(depth, leftIndex + 1);
      return;
    }
    const all = new Int32Array(total);
    all.set(left.ids.subarray(0, left.count));
    all.set(right.ids.subarray(0, right.count), left.count);
    const half = total >> 1;
    left.ids.set(all.subarray(0, half));
    left.count = half;
    right.ids.set(all.subarray(half));
    right.count = total - half;
    const rightLive = this.countLive(right);
    const both = (branch.live[leftIndex] as number) + (branch.live[leftIndex + 1] as number);
    branch.live[leftIndex] = both - rightLive;
    branch.live[leftIndex + 1] = rightLive;
    this.replaceSeparator(branch, leftIndex + 1, right.ids[0] as number);
  }

  private replaceSeparator(branch: Branch, index: number, id: number): void {
    const { slab } = this.records;
    slab.release(branch.separatorRefs[index] as number, branch.separatorLengths[index] as number);
    const length = this.records.int(id, RecordInt.keyLength);
    branch.separatorRefs[index] = slab.duplicate(this.records.int(id, RecordInt.keyRef), length);
    branch.separatorLengths[index] = length;
  }

  /** Drops child `index` (above 0), whose content went to the child before it. */
  private removeChild(depth: number, index: number): void {
    const branch = this.path[depth] as Branch;
    this.records.slab.release(branch.separatorRefs[index] as number, branch.separatorLengths[index] as number);
    branch.live[index - 1] = (branch.live[index - 1] as number) + (branch.live[index] as number);
    dropChild(branch, index);
    if (depth === 0) {
      if (branch.count === 1) {
        this.root = branch.children[0] as Node;
        this.height -= 1;
      }
      return;
    }
    if (branch.count < branchMinimum) this.mendBranch(depth);
  }

  private mendBranch(depth: number): void {
    const parent = this.path[depth - 1] as Branch;
    const index = this.pathIndexes[depth - 1] as number;
    const leftIndex = index > 0 ? index - 1 : 0;
    const left = parent.children[leftIndex] as Branch;
    const right = parent.children[leftIndex + 1] as Branch;
    const total = left.count + right.count;
    // The separator above the right branch comes down: it bounds the right branch's first child.
    right.separatorRefs[0] = parent.separatorRefs[leftIndex + 1] as number;
    right.separatorLengths[0] = parent.separatorLengths[leftIndex + 1] as number;
    if (total <= branchCapacity - branchMinimum) {
      moveChildren(right, 0, left);
      const { slab } = this.records;
      // removeChild releases the separator that just moved; give it a copy to release.
      parent.separatorRefs[leftIndex + 1] = slab.duplicate(
        parent.separatorRefs[leftIndex + 1] as number,
        parent.separatorLengths[leftIndex + 1] as number,
      );
      this.removeChild(depth - 1, leftIndex + 1);
      return;
    }
    const spare = new Branch();
    const half = total >> 1;
    if (left.count > half) {
      moveChildren(right, 0, spare);
      moveChildren(left, half, right);
      moveChildren(spare, 0, right);
    } else {
      moveChildren(right, half - left.count, spare);
      moveChildren(right, 0, left);
      moveChildren(spare, 0, right);
    }
    parent.separatorRefs[leftIndex + 1] = right.separatorRefs[0] as number;
    parent.separatorLengths[leftIndex + 1] = right.separatorLengths[0] as number;
    parent.live[leftIndex] = sumLive(left);
    parent.live[leftIndex + 1] = sumLive(right);
  }
}

function insertId(leaf: Leaf, position: number, id: number): void {
  leaf.ids.copyWithin(position + 1, position, leaf.count);
  leaf.ids[position] = id;
  leaf.count += 1;
}

function sumLive(branch: Branch): number {
  let live = 0;
  for (let i = 0; i < branch.count; i++) live += branch.live[i] as number;
  return live;
}

function insertChild(branch: Branch, at: number, child: Node, live: number, separator: number, length: number): void {
  const { count } = branch;
  branch.live.copyWithin(at + 1, at, count);
  branch.separatorRefs.copyWithin(at + 1, at, count);
  branch.separatorLengths.copyWithin(at + 1, at, count);
  branch.children.splice(at, 0, child);
  branch.live[at] = live;
  branch.separatorRefs[at] = separator;
  branch.separatorLengths[at] = length;
}

function dropChild(branch: Branch, at: number): void {
  const { count } = branch;
  branch.live.copyWithin(at, at + 1, count);
  branch.separatorRefs.copyWithin(at, at + 1, count);
  branch.separatorLengths.copyWithin(at, at + 1, count);
  branch.children.splice(at, 1);
}

/** Moves the children of `from` at and behind `index` to the end of `to`. */
function moveChildren(from: Branch, index: number, to: Branch): void {
  const at = to.count;
  const { count } = from;
  to.live.set(from.live.subarray(index, count), at);
  to.separatorRefs.set(from.separatorRefs.subarray(index, count), at);
  to.separatorLengths.set(from.separatorLengths.subarray(index, count), at);
  for (let i = index; i < count; i++) to.children.push(from.children[i] as Node);
  from.children.length = index;
}
