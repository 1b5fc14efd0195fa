import { latin1FromBytes } from '@quorate/base';
import { type BucketPages, type ElementVisitor, type ReadableBucket, walk } from './bucket.ts';
import { bucketHeaderBytes, decodeBucketHeader, writeBucketHeader } from './bucket-header.ts';
import { viewOf } from './bytes.ts';
import { Cursor, type CursorSource } from './cursor.ts';
import { bboltError } from './errors.ts';
import { Node } from './node.ts';
import {
  bucketElementFlag,
  childIndexOf,
  compareSpans,
  keyBytesMax,
  type Page,
  parseInlinePage,
  valueBytesMax,
} from './page.ts';
import { childOf, findLeaf, keyAt, type Tree, valueAt } from './tree.ts';

/** The write transaction as its buckets see it. */
export interface BucketOwner extends BucketPages {
  /** A page that becomes a node; what lies in it is valid until the transaction is over. */
  pageToChange(id: number): Page;
  /** The pages are not part of what this transaction will commit. */
  free(id: number, count: number): void;
  /** @throws CodedError bbolt/transaction-over */
  checkOpen(): void;
}

/** How full pages are made that are split: half, so that inserts everywhere find room; near 1 pays when keys only grow. */
export const defaultFillPercent = 0.5;

/** A bucket in a write transaction. */
export class WriteBucket implements ReadableBucket, CursorSource {
  readonly pages: BucketOwner;
  fillPercent = defaultFillPercent;
  changes = 0;
  /** Its element in the parent must be written anew. */
  headerChanged: boolean;
  /** Buckets inside that were opened, by name. */
  readonly opened = new Map<string, WriteBucket>();
  /** Page id of the root unless it is inline (0) or {@link node} is there. */
  rootId: number;
  /** The root once something changed. */
  node: Node | undefined;
  private inlinePage: Page | undefined;
  private sequenceNumber: number;
  /** The last leaf of the tree, when the last put went there: keys that only grow need no search. */
  private lastLeaf: Node | undefined;

  private constructor(pages: BucketOwner, rootId: number, sequence: number, isNew: boolean) {
    this.pages = pages;
    this.rootId = rootId;
    this.sequenceNumber = sequence;
    this.headerChanged = isNew;
  }

  static create(pages: BucketOwner): WriteBucket {
    const bucket = new WriteBucket(pages, 0, 0, true);
    bucket.node = new Node(true);
    return bucket;
  }

  /** The bucket with this root page; the root of all when `sequence` is that of the meta page. */
  static at(pages: BucketOwner, rootId: number, sequence: number): WriteBucket {
    return new WriteBucket(pages, rootId, sequence, false);
  }

  private static open(pages: BucketOwner, value: Uint8Array): WriteBucket {
    const { rootId, sequence } = decodeBucketHeader(value, pages.highWaterMark);
    const bucket = new WriteBucket(pages, rootId, sequence, false);
    if (rootId === 0)
      bucket.inlinePage = parseInlinePage(viewOf(value, bucketHeaderBytes, value.length - bucketHeaderBytes));
    return bucket;
  }

  get sequence(): number {
    return this.sequenceNumber;
  }

  setSequence(sequence: number): void {
    this.pages.checkOpen();
    if (!Number.isSafeInteger(sequence) || sequence < 0) throw new RangeError(`sequence ${sequence}`);
    this.sequenceNumber = sequence;
    this.headerChanged = true;
  }

  /** The next number of the bucket's counter, from 1. */
  nextSequence(): number {
    this.setSequence(this.sequenceNumber + 1);
    return this.sequenceNumber;
  }

  root(): Tree {
    return this.node ?? this.inlinePage ?? this.pages.page(this.rootId);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.pages.checkOpen();
    const leaf = findLeaf(this.pages, this.root(), key, 0, key.length);
    const place = leaf.search(key, 0, key.length);
    return place < 0 || leaf.isBucket(place) ? undefined : valueAt(leaf, place);
  }

  cursor(): Cursor {
    return new Cursor(this);
  }

  forEach(visit: ElementVisitor): void {
    walk(this.cursor(), visit);
  }

  /**
   * Takes ownership of both: they must not change any more.
   * @throws CodedError bbolt/key-required, bbolt/key-too-large, bbolt/value-too-large, bbolt/incompatible
   */
  put(key: Uint8Array, value: Uint8Array): void {
    this.putSpan(key, 0, key.length, value);
  }

  /** {@link put} of the key that lies in `source`, which must not change any more. */
  putSpan(source: Uint8Array, start: number, length: number, value: Uint8Array): void {
    this.pages.checkOpen();
    if (length === 0) throw bboltError('bbolt/key-required', 'key required');
    if (length > keyBytesMax) throw bboltError('bbolt/key-too-large', 'key too large');
    if (value.length > valueBytesMax) throw bboltError('bbolt/value-too-large', 'value too large');
    this.putElement(source, start, length, value, 0);
  }

  /** @returns whether there was such a key. @throws CodedError bbolt/incompatible when it is a bucket */
  delete(key: Uint8Array): boolean {
    return this.deleteSpan(key, 0, key.length);
  }

  deleteSpan(source: Uint8Array, start: number, length: number): boolean {
    this.pages.checkOpen();
    const leaf = findLeaf(this.pages, this.root(), source, start, length);
    const place = leaf.search(source, start, length);
    if (place < 0) return false;
    if (leaf.isBucket(place)) throw bboltError('bbolt/incompatible', 'incompatible value');
    const node = leaf instanceof Node ? leaf : this.leafNode(source, start, length);
    node.remove(place);
    this.changes += 1;
    return true;
  }

  bucket(name: Uint8Array): WriteBucket | undefined {
    this.pages.checkOpen();
    const text = latin1FromBytes(name);
    const known = this.opened.get(text);
    if (known !== undefined) return known;
    const leaf = findLeaf(this.pages, this.root(), name, 0, name.length);
    const place = leaf.search(name, 0, name.length);
    if (place < 0 || !leaf.isBucket(place)) return undefined;
    const bucket = WriteBucket.open(this.pages, valueAt(leaf, place));
    this.opened.set(text, bucket);
    return bucket;
  }

  /** @throws CodedError bbolt/bucket-exists, bbolt/incompatible when there is such a key, bbolt/key-required, bbolt/key-too-large */
  createBucket(name: Uint8Array): WriteBucket {
    if (this.bucket(name) !== undefined) throw bboltError('bbolt/bucket-exists', 'bucket already exists');
    if (name.length === 0) throw bboltError('bbolt/key-required', 'bucket name required');
    if (name.length > keyBytesMax) throw bboltError('bbolt/key-too-large', 'bucket name too large');
    if (this.get(name) !== undefined) throw bboltError('bbolt/incompatible', 'incompatible value');
    const bucket = WriteBucket.create(this.pages);
    this.opened.set(latin1FromBytes(name), bucket);
    // A place holder; the commit writes what the bucket has become.
    this.putElement(name, 0, name.length, new Uint8Array(bucketHeaderBytes * 2), bucketElementFlag);
    return bucket;
  }

  createBucketIfMissing(name: Uint8Array): WriteBucket {
    return this.bucket(name) ?? this.createBucket(name);
  }

  /** Removes the bucket and all inside it. @throws CodedError bbolt/bucket-not-found */
  deleteBucket(name: Uint8Array): void {
    const bucket = this.bucket(name);
    if (bucket === undefined) throw bboltError('bbolt/bucket-not-found', 'bucket not found');
    bucket.freeAll();
    this.opened.delete(latin1FromBytes(name));
    const node = this.leafNode(name, 0, name.length);
    node.remove(node.search(name, 0, name.length));
    this.changes += 1;
  }

  /** Writes the element of a bucket inside. Of the commit. */
  putHeader(name: Uint8Array, value: Uint8Array): void {
    this.putElement(name, 0, name.length, value, bucketElementFlag);
  }

  /** The bucket as the value of its element; `inline` is the length of the inline page, 0 when {@link rootId} says where it is. Of the commit. */
  encodeHeader(inline: number): Uint8Array {
    const value = new Uint8Array(bucketHeaderBytes + inline);
    writeBucketHeader({ rootId: inline > 0 ? 0 : this.rootId, sequence: this.sequenceNumber }, value);
    if (inline === 0) return value;
    const { node, inlinePage } = this;
    if (node !== undefined) node.encode(0, node.count, 0, 0, value, bucketHeaderBytes, value.length);
    else if (inlinePage !== undefined) value.set(inlinePage.bytes, bucketHeaderBytes);
    return value;
  }

  /** Bytes of the inline page it is now, when it is one and nothing in it changed; else 0. */
  get inlineBytes(): number {
    return this.node === undefined && this.inlinePage !== undefined ? this.inlinePage.bytes.length : 0;
  }

  private putElement(source: Uint8Array, start: number, length: number, value: Uint8Array, flags: number): void {
    const last = this.lastLeaf;
    if (last !== undefined && isBehind(last, source, start, length)) {
      last.pushLeaf(source, start, length, value, 0, value.length, flags);
      this.changes += 1;
      return;
    }
    const node = this.leafNode(source, start, length);
    const place = node.search(source, start, length);
    if (place < 0) {
      node.insert(~place, source, start, length, value, flags);
    } else {
      if (node.isBucket(place) !== (flags === bucketElementFlag))
        throw bboltError('bbolt/incompatible', 'incompatible value');
      node.setValue(place, value, flags);
    }
    this.changes += 1;
  }

  /** The leaf for the key, with all from the root to it made ready for change. */
  private leafNode(source: Uint8Array, start: number, length: number): Node {
    let node = this.rootNode();
    let isLast = true;
    while (!node.isLeaf) {
      const place = childIndexOf(node.search(source, start, length));
      if (place !== node.count - 1) isLast = false;
      node = childNode(this.pages, node, place);
    }
    if (isLast) this.lastLeaf = node;
    return node;
  }

  private rootNode(): Node {
    if (this.node !== undefined) return this.node;
    if (this.inlinePage !== undefined) this.node = Node.fromPage(this.inlinePage);
    else this.node = nodeOf(this.pages, this.pages.pageToChange(this.rootId));
    this.changes += 1;
    return this.node;
  }

  private freeAll(): void {
    this.freeTree(this.root());
    this.pages.checkOpen();
  }

  private freeTree(tree: Tree): void {
    if (!(tree instanceof Node) && tree.id !== 0) this.pages.free(tree.id, tree.overflow + 1);
    for (let i = 0; i < tree.count; i++) {
      if (!tree.isLeaf) this.freeTree(childOf(this.pages, tree, i));
      else if (tree.isBucket(i)) this.bucket(keyAt(tree, i))?.freeAll();
    }
  }
}

/** The page as a node; the page itself is given up. */
function nodeOf(pages: BucketOwner, page: Page): Node {
  pages.free(page.id, page.overflow + 1);
  return Node.fromPage(page);
}

/** Child `index` made ready for change. */
export function childNode(pages: BucketOwner, parent: Node, index: number): Node {
  const there = parent.children[index];
  if (there !== undefined) return there;
  const node = nodeOf(pages, pages.pageToChange(parent.childId(index)));
  parent.children[index] = node;
  return node;
}

function isBehind(leaf: Node, source: Uint8Array, start: number, length: number): boolean {
  const last = leaf.count - 1;
  return (
    last >= 0 &&
    compareSpans(leaf.keySource(last), leaf.keyStart(last), leaf.keyLength(last), source, start, length) < 0
  );
}
