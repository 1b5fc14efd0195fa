interface Node<V> {
  readonly key: string;
  readonly value: V;
  readonly priority: number;
  readonly left: Node<V> | undefined;
  readonly right: Node<V> | undefined;
  readonly size: number;
  /** Sum over the whole subtree, so it does not depend on the order of insertion. */
  readonly hash: number;
}

/**
 * A map in the order of its keys that never changes: changing gives another one that shares all but a path with it. A treap whose
 * priorities come from the keys, so equal content has an equal shape, and comparing maps with a common past is cheap.
 */
export class SortedMap<V> {
  private readonly root: Node<V> | undefined;
  private readonly hashValue: (value: V) => number;

  private constructor(root: Node<V> | undefined, hashValue: (value: V) => number) {
    this.root = root;
    this.hashValue = hashValue;
  }

  /** @param hashValue equal values have equal hashes. */
  static empty<V>(hashValue: (value: V) => number): SortedMap<V> {
    return new SortedMap<V>(undefined, hashValue);
  }

  get size(): number {
    return this.root?.size ?? 0;
  }

  /** The same for maps of equal content; different for most others. */
  get hash(): number {
    return this.root?.hash ?? 0;
  }

  get(key: string): V | undefined {
    let node = this.root;
    while (node !== undefined && node.key !== key) node = key < node.key ? node.left : node.right;
    return node?.value;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  set(key: string, value: V): SortedMap<V> {
    const priority = hashText(key);
    return new SortedMap(this.insert(this.root, key, priority, value), this.hashValue);
  }

  delete(key: string): SortedMap<V> {
    return this.has(key) ? new SortedMap(this.remove(this.root, key), this.hashValue) : this;
  }

  /** Visits keys from `from` on, below `end` when there is one, until the visitor answers false. */
  scan(from: string, end: string | undefined, visit: (value: V, key: string) => boolean): void {
    scanNode(this.root, from, end, visit);
  }

  equals(other: SortedMap<V>, equalValues: (a: V, b: V) => boolean): boolean {
    return equalNodes(this.root, other.root, equalValues);
  }

  private insert(node: Node<V> | undefined, key: string, priority: number, value: V): Node<V> {
    if (node === undefined) return this.node(key, value, priority, undefined, undefined);
    if (key === node.key) return this.node(key, value, priority, node.left, node.right);
    if (isAbove(key, priority, node)) {
      const [left, right] = this.split(node, key);
      return this.node(key, value, priority, left, right);
    }
    return key < node.key
      ? this.node(node.key, node.value, node.priority, this.insert(node.left, key, priority, value), node.right)
      : this.node(node.key, node.value, node.priority, node.left, this.insert(node.right, key, priority, value));
  }

  /** The parts below and above a key that is not in it. */
  private split(node: Node<V> | undefined, key: string): [Node<V> | undefined, Node<V> | undefined] {
    if (node === undefined) return [undefined, undefined];
    if (key < node.key) {
      const [below, above] = this.split(node.left, key);
      return [below, this.node(node.key, node.value, node.priority, above, node.right)];
    }
    const [below, above] = this.split(node.right, key);
    return [this.node(node.key, node.value, node.priority, node.left, below), above];
  }

  private remove(node: Node<V> | undefined, key: string): Node<V> | undefined {
    if (node === undefined) return undefined;
    if (key === node.key) return this.merge(node.left, node.right);
    return key < node.key
      ? this.node(node.key, node.value, node.priority, this.remove(node.left, key), node.right)
      : this.node(node.key, node.value, node.priority, node.left, this.remove(node.right, key));
  }

  private merge(left: Node<V> | undefined, right: Node<V> | undefined): Node<V> | undefined {
    if (left === undefined) return right;
    if (right === undefined) return left;
    return isAbove(left.key, left.priority, right)
      ? this.node(left.key, left.value, left.priority, left.left, this.merge(left.right, right))
      : this.node(right.key, right.value, right.priority, this.merge(left, right.left), right.right);
  }

  private node(
    key: string,
    value: V,
    priority: number,
    left: Node<V> | undefined,
    right: Node<V> | undefined,
  ): Node<V> {
    const own = Math.imul(priority ^ this.hashValue(value), 0x9e37_79b1);
    const hash = (own ^ (own >>> 15)) + (left?.hash ?? 0) + (right?.hash ?? 0);
    return { key, value, priority, left, right, size: 1 + (left?.size ?? 0) + (right?.size ?? 0), hash: hash | 0 };
  }
}

/** Whether a key belongs above a node in the tree. */
function isAbove<V>(key: string, priority: number, node: Node<V>): boolean {
  return priority !== node.priority ? priority > node.priority : key < node.key;
}

/** False when the visitor wants no more. */
function scanNode<V>(
  node: Node<V> | undefined,
  from: string,
  end: string | undefined,
  visit: (value: V, key: string) => boolean,
): boolean {
  if (node === undefined) return true;
  const isFrom = node.key >= from;
  if (isFrom && !scanNode(node.left, from, end, visit)) return false;
  const isBelowEnd = end === undefined || node.key < end;
  if (isFrom && isBelowEnd && !visit(node.value, node.key)) return false;
  return isBelowEnd ? scanNode(node.right, from, end, visit) : true;
}

function equalNodes<V>(a: Node<V> | undefined, b: Node<V> | undefined, equalValues: (a: V, b: V) => boolean): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return (
    a.hash === b.hash &&
    a.key === b.key &&
    (a.value === b.value || equalValues(a.value, b.value)) &&
    equalNodes(a.left, b.left, equalValues) &&
    equalNodes(a.right, b.right, equalValues)
  );
}

/** FNV-1a with a last mix; good enough for priorities. */
function hashText(text: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
