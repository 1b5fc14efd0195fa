import { assert } from '@quorate/base';
import { type KeyRecords, RecordInt } from './key-records.ts';
import {
  Branch,
  branchCapacity,
  dropChild,
  dropId,
  firstHeadAtLeast,
  headOf,
  insertChild,
  insertId,
  Leaf,
  leafCapacity,
  linkLeaves,
  moveChildren,
  moveIds,
  refreshBranch,
  sumLive,
  type TreeNode,
} from './tree-node.ts';

const leafMinimum = leafCapacity >> 2;
const branchMinimum = branchCapacity >> 2;
const depthMax = 12;

/**
 * The keys in byte order: a B+tree of record ids that counts in every branch the live keys of each subtree, so that
 * the keys of an interval are counted in O(log n). Deleted keys stay in it, uncounted, until compaction takes them out.
 */
export class KeyTree {
  private readonly records: KeyRecords;
  private root: TreeNode = new Leaf();
  private height = 0;
  /** Keys live at the current revision. */
  live = 0;
  /** The way to the leaf of the last descent. */
  private readonly path: Branch[] = [];
  private readonly pathIndexes = new Int32Array(depthMax);
  /** After {@link seek} and its like: the leaf and position of the key found. */
  leaf: Leaf = this.root as Leaf;
  position = 0;
  // Of the last search in a node: whether the key itself is there, and whether it begins as all keys of the node do.
  private exact = false;
  private sharesPrefix = false;

  constructor(records: KeyRecords) {
    this.records = records;
  }

  /** Adds a key that is not there yet; its record says whether it is live. */
  insert(id: number, key: Uint8Array, start: number, end: number): void {
    this.seekForWrite(key, start, end);
    assert(!this.exact, 'key is in the tree already');
    const isLive = this.records.isLive(id);
    if (isLive) this.addLive(1);
    const { leaf, position, sharesPrefix } = this;
    if (leaf.count === leafCapacity) {
      this.splitLeaf(leaf, position, id, isLive);
      return;
    }
    insertId(leaf, position, id, headOf(key, start, end, leaf.prefixLength), isLive);
    if (!sharesPrefix) this.refreshLeaf(leaf);
  }

  /** Counts a key that is there as live (+1) or deleted (-1). */
  adjustLive(key: Uint8Array, start: number, end: number, delta: 1 | -1): void {
    this.seekForWrite(key, start, end);
    assert(this.exact, 'key is not in the tree');
    this.leaf.live[this.position] = delta > 0 ? 1 : 0;
    this.addLive(delta);
  }

  /** Takes out a key that is not live. */
  remove(key: Uint8Array, start: number, end: number): void {
    this.seekForWrite(key, start, end);
    assert(this.exact, 'key is not in the tree');
    const { leaf } = this;
    dropId(leaf, this.position);
    if (leaf.count < leafMinimum && this.height > 0) this.mendLeaf(leaf);
  }

  /** Live keys below `key`. */
  liveBelow(key: Uint8Array, start: number, end: number): number {
    this.seekForWrite(key, start, end);
    let below = 0;
    for (let depth = 0; depth < this.height; depth++) {
      const { live } = this.path[depth] as Branch;
      const index = this.pathIndexes[depth] as number;
      for (let i = 0; i < index; i++) below += live[i] as number;
    }
    const { live } = this.leaf;
    for (let i = 0; i < this.position; i++) below += live[i] as number;
    return below;
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

  /** Sets {@link leaf} and {@link position} to the last key below `key`; false when there is none. */
  seekBelow(key: Uint8Array, start: number, end: number): boolean {
    this.seekForWrite(key, start, end);
    if (this.position > 0) {
      this.position -= 1;
      return true;
    }
    const { previous } = this.leaf;
    if (previous === undefined) return false;
    this.leaf = previous;
    this.position = previous.count - 1;
    return true;
  }

  /** Sets {@link leaf} and {@link position} to the last of all keys; false when there is none. */
  seekLast(): boolean {
    let node = this.root;
    while (node instanceof Branch) node = node.children[node.count - 1] as TreeNode;
    this.leaf = node;
    this.position = node.count - 1;
    return node.count > 0;
  }

  /** Checks order, heads, counts and shape of the whole tree. */
  verify(): void {
    let previous = 0;
    let leaves: Leaf | undefined;
    const visit = (node: TreeNode, depth: number): number => {
      if (node instanceof Branch) {
        assert(node.count >= 2 && node.count <= branchCapacity && node.count === node.children.length, 'branch size');
        for (let i = 0; i < node.count; i++) {
          assert(visit(node.children[i] as TreeNode, depth + 1) === node.live[i], 'live count');
        }
        return sumLive(node);
      }
      assert(depth === this.height, 'leaf depth');
      assert(node.count > 0 || this.height === 0, 'empty leaf');
      assert(leaves === node.previous && (leaves === undefined || leaves.next === node), 'leaf chain');
      leaves = node;
      for (let i = 0; i < node.count; i++) {
        const id = node.ids[i] as number;
        assert(previous === 0 || this.compareIds(previous, id) < 0, 'key order');
        previous = id;
        assert(this.records.isLive(id) === (node.live[i] === 1), 'live mark');
        assert(node.heads[i] === this.headOfId(id, node.prefixLength), 'head');
      }
      return sumLive(node);
    };
    assert(visit(this.root, 0) === this.live, 'total live count');
  }

  private compareIds(a: number, b: number): number {
    const { slab } = this.records;
    const ref = this.records.int(b, RecordInt.keyRef);
    const start = slab.positionOf(ref);
    return this.records.compare(a, slab.chunkOf(ref), start, start + this.records.int(b, RecordInt.keyLength), 0);
  }

  private headOfId(id: number, prefixLength: number): number {
    const { slab } = this.records;
    const ref = this.records.int(id, RecordInt.keyRef);
    const start = slab.positionOf(ref);
    return headOf(slab.chunkOf(ref), start, start + this.records.int(id, RecordInt.keyLength), prefixLength);
  }

  /** Goes to the leaf that the key belongs to, and to its place there. */
  private seekForWrite(key: Uint8Array, start: number, end: number): void {
    let node = this.root;
    for (let depth = 0; depth < this.height; depth++) {
      const branch = node as Branch;
      const at = this.searchBranch(branch, key, start, end);
      this.path[depth] = branch;
      this.pathIndexes[depth] = at;
      node = branch.children[at] as TreeNode;
    }
    this.leaf = node as Leaf;
    this.position = this.searchLeaf(node as Leaf, key, start, end);
  }

  /** The child that the key belongs to: the last whose separator is at or below it. */
  private searchBranch(branch: Branch, key: Uint8Array, start: number, end: number): number {
    const { slab } = this.records;
    const { count, heads, prefixLength, separatorRefs, separatorLengths } = branch;
    const order = slab.comparePrefix(separatorRefs[1] as number, prefixLength, key, start, end);
    if (order !== 0) return order > 0 ? 0 : count - 1;
    const head = headOf(key, start, end, prefixLength);
    let low = firstHeadAtLeast(heads, 1, count, head);
    let high = low;
    while (high < count && heads[high] === head) high++;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const ref = separatorRefs[middle] as number;
      if (slab.compare(ref, separatorLengths[middle] as number, key, start, end, prefixLength) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The first position whose key is at or above the key. */
  private searchLeaf(leaf: Leaf, key: Uint8Array, start: number, end: number): number {
    const { records } = this;
    const { count, heads, prefixLength, ids } = leaf;
    this.exact = false;
    this.sharesPrefix = count === 0;
    if (count === 0) return 0;
    const ref = records.int(ids[0] as number, RecordInt.keyRef);
    const prefixOrder = records.slab.comparePrefix(ref, prefixLength, key, start, end);
    if (prefixOrder !== 0) return prefixOrder > 0 ? 0 : count;
    this.sharesPrefix = true;
    const head = headOf(key, start, end, prefixLength);
    let low = firstHeadAtLeast(heads, 0, count, head);
    let high = low;
    while (high < count && heads[high] === head) high++;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = records.compare(ids[middle] as number, key, start, end, prefixLength);
      if (order === 0) {
        this.exact = true;
        return middle;
      }
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Sets prefix and heads anew. */
  private refreshLeaf(leaf: Leaf): void {
    const { count, ids } = leaf;
    if (count === 0) {
      leaf.prefixLength = 0;
      return;
    }
    this.compareIds(ids[0] as number, ids[count - 1] as number);
    leaf.prefixLength = this.records.slab.equalLength;
    for (let i = 0; i < count; i++) leaf.heads[i] = this.headOfId(ids[i] as number, leaf.prefixLength);
  }

  private addLive(delta: number): void {
    this.live += delta;
    for (let depth = 0; depth < this.height; depth++) {
      const { live } = this.path[depth] as Branch;
      const index = this.pathIndexes[depth] as number;
      live[index] = (live[index] as number) + delta;
    }
  }

  private splitLeaf(leaf: Leaf, position: number, id: number, isLive: boolean): void {
    const right = new Leaf();
    linkLeaves(right, leaf.next);
    linkLeaves(leaf, right);
    // Keys often arrive in ascending order; then the left leaf stays full.
    const from = position === leafCapacity && right.next === undefined ? leafCapacity : leafCapacity >> 1;
    moveIds(leaf, from, leafCapacity, right);
    if (position > from || from === leafCapacity) insertId(right, position - from, id, 0, isLive);
    else insertId(leaf, position, id, 0, isLive);
    this.refreshLeaf(leaf);
    this.refreshLeaf(right);
    const first = right.ids[0] as number;
    const length = this.records.int(first, RecordInt.keyLength);
    const separator = this.records.slab.duplicate(this.records.int(first, RecordInt.keyRef), length);
    this.addChild(this.height - 1, leaf, right, sumLive(right), separator, length);
  }

  /** Puts `right` behind `left` into the branch at `depth` of the path. */
  private addChild(
    depth: number,
    left: TreeNode,
    right: TreeNode,
    rightLive: number,
    separator: number,
    length: number,
  ): void {
    const { slab } = this.records;
    if (depth < 0) {
      const root = new Branch();
      insertChild(root, 0, left, this.live - rightLive, 0, 0);
      insertChild(root, 1, right, rightLive, separator, length);
      refreshBranch(root, slab);
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
      refreshBranch(branch, slab);
      return;
    }
    const other = new Branch();
    const from = at === branchCapacity && this.isLastOnPath(depth) ? branchCapacity - 1 : branchCapacity >> 1;
    const otherSeparator = branch.separatorRefs[from] as number;
    const otherLength = branch.separatorLengths[from] as number;
    moveChildren(branch, from, other);
    if (at > from) insertChild(other, at - from, right, rightLive, separator, length);
    else insertChild(branch, at, right, rightLive, separator, length);
    refreshBranch(branch, slab);
    refreshBranch(other, slab);
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
      moveIds(right, 0, right.count, left);
      linkLeaves(left, right.next);
      this.refreshLeaf(left);
      this.removeChild(depth, leftIndex + 1);
      return;
    }
    const half = total >> 1;
    if (left.count < half) moveIds(right, 0, half - left.count, left);
    else {
      const spare = new Leaf();
      moveIds(left, half, left.count, spare);
      moveIds(right, 0, right.count, spare);
      moveIds(spare, 0, spare.count, right);
    }
    this.refreshLeaf(left);
    this.refreshLeaf(right);
    branch.live[leftIndex] = sumLive(left);
    branch.live[leftIndex + 1] = sumLive(right);
    this.replaceSeparator(branch, leftIndex + 1, right.ids[0] as number);
  }

  private replaceSeparator(branch: Branch, index: number, id: number): void {
    const { slab } = this.records;
    slab.release(branch.separatorRefs[index] as number, branch.separatorLengths[index] as number);
    const length = this.records.int(id, RecordInt.keyLength);
    branch.separatorRefs[index] = slab.duplicate(this.records.int(id, RecordInt.keyRef), length);
    branch.separatorLengths[index] = length;
    refreshBranch(branch, slab);
  }

  /** Drops child `index` (above 0), whose content went to the child before it. */
  private removeChild(depth: number, index: number): void {
    const branch = this.path[depth] as Branch;
    const { slab } = this.records;
    slab.release(branch.separatorRefs[index] as number, branch.separatorLengths[index] as number);
    branch.live[index - 1] = (branch.live[index - 1] as number) + (branch.live[index] as number);
    dropChild(branch, index);
    refreshBranch(branch, slab);
    if (depth === 0) {
      if (branch.count === 1) {
        this.root = branch.children[0] as TreeNode;
        this.height -= 1;
      }
      return;
    }
    if (branch.count < branchMinimum) this.mendBranch(depth);
  }

  private mendBranch(depth: number): void {
    const { slab } = this.records;
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
      refreshBranch(left, slab);
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
    } else {
      moveChildren(right, half - left.count, spare);
      moveChildren(right, 0, left);
    }
    moveChildren(spare, 0, right);
    refreshBranch(left, slab);
    refreshBranch(right, slab);
    parent.separatorRefs[leftIndex + 1] = right.separatorRefs[0] as number;
    parent.separatorLengths[leftIndex + 1] = right.separatorLengths[0] as number;
    parent.live[leftIndex] = sumLive(left);
    parent.live[leftIndex + 1] = sumLive(right);
    refreshBranch(parent, slab);
  }
}
