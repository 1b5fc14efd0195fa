import { type BucketHeader, bucketHeaderBytes, decodeBucketHeader } from './bucket-header.ts';
import { viewOf } from './bytes.ts';
import { Cursor, type CursorSource } from './cursor.ts';
import { parseInlinePage } from './page.ts';
import { findLeaf, hasKeyAt, type Pages, type Tree, valueAt } from './tree.ts';

/** Told elements in key order, a bucket with value undefined; `false` ends the walk. */
export type ElementVisitor = (key: Uint8Array, value: Uint8Array | undefined) => boolean | undefined;

/**
 * What a bucket can be asked, in read and write transactions alike. Bytes returned in a read transaction are views of pages that never
 * change: they stay valid for ever, even behind its end, and each keeps its page in memory. Those returned in a write transaction are
 * valid until it is over. Nobody may write into them.
 */
export interface ReadableBucket {
  /** Counter kept for the user of the bucket; 0 in a new one. */
  readonly sequence: number;
  /** Undefined when there is no such key or it is a bucket. */
  get(key: Uint8Array): Uint8Array | undefined;
  bucket(name: Uint8Array): ReadableBucket | undefined;
  cursor(): Cursor;
  forEach(visit: ElementVisitor): void;
}

/** A transaction's pages and how far they go. */
export interface BucketPages extends Pages {
  readonly highWaterMark: number;
}

/** A bucket in a read transaction. */
export class Bucket implements ReadableBucket, CursorSource {
  readonly pages: BucketPages;
  readonly changes = 0;
  private readonly header: BucketHeader;
  private readonly tree: Tree;
  /** Where the last look found its key: pages never change, so it holds as long as the bucket does. */
  private foundLeaf: Tree | undefined = undefined;
  private foundPlace = 0;

  constructor(pages: BucketPages, header: BucketHeader, inline: Uint8Array | undefined) {
    this.pages = pages;
    this.header = header;
    this.tree = inline === undefined ? pages.page(header.rootId) : parseInlinePage(inline);
  }

  /** From the value of its element. */
  static open(pages: BucketPages, value: Uint8Array): Bucket {
    const header = decodeBucketHeader(value, pages.highWaterMark);
    return new Bucket(
      pages,
      header,
      header.rootId === 0 ? viewOf(value, bucketHeaderBytes, value.length - bucketHeaderBytes) : undefined,
    );
  }

  get sequence(): number {
    return this.header.sequence;
  }

  /** 0 when it is inline. */
  get rootId(): number {
    return this.header.rootId;
  }

  root(): Tree {
    return this.tree;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.getSpan(key, 0, key.length);
  }

  /** {@link get} of the key that lies in `source`. */
  getSpan(source: Uint8Array, start: number, length: number): Uint8Array | undefined {
    const { foundLeaf } = this;
    // Who asks for one key after the other in their order finds the next beside the last.
    const beside = this.foundPlace + 1;
    if (foundLeaf !== undefined && beside < foundLeaf.count && hasKeyAt(foundLeaf, beside, source, start, length)) {
      this.foundPlace = beside;
      return foundLeaf.isBucket(beside) ? undefined : valueAt(foundLeaf, beside);
    }
    const leaf = findLeaf(this.pages, this.tree, source, start, length);
    const place = leaf.search(source, start, length);
    if (place < 0) return undefined;
    this.foundLeaf = leaf;
    this.foundPlace = place;
    return leaf.isBucket(place) ? undefined : valueAt(leaf, place);
  }

  bucket(name: Uint8Array): Bucket | undefined {
    const leaf = findLeaf(this.pages, this.tree, name, 0, name.length);
    const place = leaf.search(name, 0, name.length);
    return place < 0 || !leaf.isBucket(place) ? undefined : Bucket.open(this.pages, valueAt(leaf, place));
  }

  cursor(): Cursor {
    return new Cursor(this);
  }

  forEach(visit: ElementVisitor): void {
    walk(this.cursor(), visit);
  }
}

export function walk(cursor: Cursor, visit: ElementVisitor): void {
  for (let there = cursor.first(); there; there = cursor.next()) {
    if (visit(cursor.key, cursor.value) === false) return;
  }
}
