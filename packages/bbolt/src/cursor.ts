import { childIndexOf, corruptPage } from './page.ts';
import { childOf, depthMax, keyAt, type Pages, type Tree, valueAt } from './tree.ts';

/** A bucket as a cursor sees it. */
export interface CursorSource {
  readonly pages: Pages;
  root(): Tree;
  /** Grows with every change. */
  readonly changes: number;
}

/**
 * Walks a bucket in key order. It stands on an element (then `key`, `value` and so on may be asked) or outside. In a write transaction the bucket
 * may change meanwhile: the next step goes from the key on which it stood.
 */
export class Cursor {
  private readonly source: CursorSource;
  /** The way from the root to the leaf. */
  private readonly trees: Tree[] = [];
  private readonly places: number[] = [];
  private changes = 0;
  private leaf: Tree | undefined;
  private place = 0;

  constructor(source: CursorSource) {
    this.source = source;
  }

  /** Whether it stands on an element. */
  get isValid(): boolean {
    return this.leaf !== undefined;
  }

  /** A view that never changes. */
  get key(): Uint8Array {
    return keyAt(this.at(), this.place);
  }

  /** A view that never changes; undefined when the element is a bucket. */
  get value(): Uint8Array | undefined {
    const leaf = this.at();
    return leaf.isBucket(this.place) ? undefined : valueAt(leaf, this.place);
  }

  get isBucket(): boolean {
    return this.at().isBucket(this.place);
  }

  /** The buffer in which the key lies, for callers that need no view of it. */
  get keySource(): Uint8Array {
    return this.at().keySource(this.place);
  }

  get keyStart(): number {
    return this.at().keyStart(this.place);
  }

  get keyLength(): number {
    return this.at().keyLength(this.place);
  }

  /** Stands on the first element; false when there is none. */
  first(): boolean {
    this.restart();
    this.descend(this.source.root(), false);
    return this.settleForward();
  }

  last(): boolean {
    this.restart();
    this.descend(this.source.root(), true);
    return this.settleBackward();
  }

  /** Stands on the first element whose key is at or behind `key`; false when there is none. */
  seek(key: Uint8Array): boolean {
    return this.seekSpan(key, 0, key.length);
  }

  next(): boolean {
    if (this.leaf === undefined) return false;
    if (this.changes !== this.source.changes) {
      const before = this.key;
      if (!this.seek(before)) return false;
      if (compareKey(this, before) !== 0) return true;
    }
    this.place += 1;
    return this.settleForward();
  }

  prev(): boolean {
    if (this.leaf === undefined) return false;
    if (this.changes !== this.source.changes && !this.seek(this.key)) return this.last();
    this.place -= 1;
    return this.settleBackward();
  }

  private seekSpan(source: Uint8Array, start: number, length: number): boolean {
    this.restart();
    let tree = this.source.root();
    while (!tree.isLeaf) {
      const place = childIndexOf(tree.search(source, start, length));
      this.enter(tree, place);
      tree = childOf(this.source.pages, tree, place);
    }
    const found = tree.search(source, start, length);
    this.leaf = tree;
    this.place = found < 0 ? ~found : found;
    return this.settleForward();
  }

  private at(): Tree {
    if (this.leaf === undefined) throw new RangeError('the cursor does not stand on an element');
    return this.leaf;
  }

  private restart(): void {
    this.trees.length = 0;
    this.places.length = 0;
    this.leaf = undefined;
    this.changes = this.source.changes;
  }

  private enter(tree: Tree, place: number): void {
    if (this.trees.length === depthMax) throw corruptPage(tree.childId(place), 'the tree is too deep');
    this.trees.push(tree);
    this.places.push(place);
  }

  /** Down to the outermost leaf on that side. */
  private descend(from: Tree, toLast: boolean): void {
    let tree = from;
    while (!tree.isLeaf) {
      const place = toLast ? tree.count - 1 : 0;
      this.enter(tree, place);
      tree = childOf(this.source.pages, tree, place);
    }
    this.leaf = tree;
    this.place = toLast ? tree.count - 1 : 0;
  }

  /** Goes on to the following leaves while it stands behind the end of one. Empty leaves can occur. */
  private settleForward(): boolean {
    while (this.leaf !== undefined && this.place >= this.leaf.count) this.stepLeaf(1);
    return this.leaf !== undefined;
  }

  private settleBackward(): boolean {
    while (this.leaf !== undefined && this.place < 0) this.stepLeaf(-1);
    return this.leaf !== undefined;
  }

  private stepLeaf(direction: 1 | -1): void {
    const { trees, places } = this;
    this.leaf = undefined;
    while (trees.length > 0) {
      const top = trees.length - 1;
      const tree = trees[top] as Tree;
      const place = (places[top] as number) + direction;
      if (place >= 0 && place < tree.count) {
        places[top] = place;
        this.descend(childOf(this.source.pages, tree, place), direction < 0);
        return;
      }
      trees.pop();
      places.pop();
    }
  }
}

function compareKey(cursor: Cursor, key: Uint8Array): number {
  if (cursor.keyLength !== key.length) return 1;
  const { keySource, keyStart } = cursor;
  for (let i = 0; i < key.length; i++) if (keySource[keyStart + i] !== key[i]) return 1;
  return 0;
}
