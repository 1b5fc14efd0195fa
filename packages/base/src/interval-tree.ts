/** A half-open interval `[key, end)` of keys. */
export interface Interval {
  readonly key: string;
  readonly end: string;
}

/** An `end` behind every key: keys are latin1 strings, so no character of theirs reaches it. */
export const openEnd = '\uffff';

class Node<T extends Interval> {
  left: Node<T> | undefined = undefined;
  right: Node<T> | undefined = undefined;
  readonly item: T;
  readonly priority: number;
  /** The greatest end in this subtree: what lets a search leave it unseen. */
  maxEnd: string;

  constructor(item: T, priority: number) {
    this.item = item;
    this.priority = priority;
    this.maxEnd = item.end;
  }
}

function isBefore(a: Interval, b: Interval): boolean {
  return a.key < b.key || (a.key === b.key && a.end < b.end);
}

function updateMaxEnd<T extends Interval>(node: Node<T>): void {
  let end = node.item.end;
  if (node.left !== undefined && node.left.maxEnd > end) end = node.left.maxEnd;
  if (node.right !== undefined && node.right.maxEnd > end) end = node.right.maxEnd;
  node.maxEnd = end;
}

function rotateRight<T extends Interval>(node: Node<T>, left: Node<T>): Node<T> {
  node.left = left.right;
  left.right = node;
  updateMaxEnd(node);
  updateMaxEnd(left);
  return left;
}

function rotateLeft<T extends Interval>(node: Node<T>, right: Node<T>): Node<T> {
  node.right = right.left;
  right.left = node;
  updateMaxEnd(node);
  updateMaxEnd(right);
  return right;
}

function insertInto<T extends Interval>(node: Node<T> | undefined, added: Node<T>): Node<T> {
  if (node === undefined) return added;
  if (isBefore(added.item, node.item)) {
    const left = insertInto(node.left, added);
    node.left = left;
    if (left.priority > node.priority) return rotateRight(node, left);
  } else {
    const right = insertInto(node.right, added);
    node.right = right;
    if (right.priority > node.priority) return rotateLeft(node, right);
  }
  updateMaxEnd(node);
  return node;
}

function join<T extends Interval>(left: Node<T> | undefined, right: Node<T> | undefined): Node<T> | undefined {
  if (left === undefined) return right;
  if (right === undefined) return left;
  if (left.priority > right.priority) {
    left.right = join(left.right, right);
    updateMaxEnd(left);
    return left;
  }
  right.left = join(left, right.left);
  updateMaxEnd(right);
  return right;
}

function removeFrom<T extends Interval>(node: Node<T> | undefined, item: T): Node<T> | undefined {
  if (node === undefined) return undefined;
  if (node.item === item) return join(node.left, node.right);
  if (isBefore(item, node.item)) node.left = removeFrom(node.left, item);
  else node.right = removeFrom(node.right, item);
  updateMaxEnd(node);
  return node;
}

function collectFrom<T extends Interval>(node: Node<T> | undefined, key: string, into: T[]): void {
  for (let at = node; at !== undefined && at.maxEnd > key; at = at.right) {
    collectFrom(at.left, key, into);
    if (at.item.key > key) return;
    if (at.item.end > key) into.push(at.item);
  }
}

/**
 * Intervals, found by a key they cover in O(log n + hits): a treap ordered by (key, end), each node knowing the greatest
 * end below it. No two intervals may be equal. Priorities come from a fixed sequence, so equal histories give equal trees.
 */
export class IntervalTree<T extends Interval> {
  private root: Node<T> | undefined = undefined;
  private priorityState = 0x9e37_79b9;
  private count = 0;

  get size(): number {
    return this.count;
  }

  insert(item: T): void {
    // xorshift32 (Marsaglia 2003): never 0, period 2^32 - 1.
    let state = this.priorityState;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.priorityState = state;
    this.root = insertInto(this.root, new Node(item, state));
    this.count++;
  }

  /** Removes an item that is in the tree. */
  remove(item: T): void {
    this.root = removeFrom(this.root, item);
    this.count--;
  }

  /** Appends the items whose interval covers `key`, in order of (key, end). */
  collect(key: string, into: T[]): void {
    if (this.root !== undefined) collectFrom(this.root, key, into);
  }
}
