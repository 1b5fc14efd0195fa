import { copyBytes, type DiskFile } from '@quorate/base';
import { bucketHeaderBytes, decodeBucketHeader } from './bucket-header.ts';
import { FileWindow } from './file-window.ts';
import { readUint32LE } from './little-endian.ts';
import { compareSpans, type Page, parseInlinePage, parsePage } from './page.ts';
import { PageSet } from './page-set.ts';
import type { Slice } from './slice.ts';

export interface CheckReport {
  /** What makes the file wrong, as `bbolt check` would find it and more; empty when it is sound. */
  readonly errors: readonly string[];
  /** What reads well but writers should not leave behind. */
  readonly warnings: readonly string[];
  readonly reachablePages: number;
  readonly buckets: number;
  /** Pairs in all buckets. */
  readonly pairs: number;
}

export interface CheckSource {
  readonly file: DiskFile;
  readonly pageSize: number;
  readonly rootId: number;
  readonly highWaterMark: number;
  /** Ids that count as free, ascending. Undefined: the file says nothing about them. */
  readonly freeIds: readonly number[] | undefined;
  /** The stored list of free pages. */
  readonly freelist: { readonly id: number; readonly slots: number } | undefined;
}

/** A page to look at and what its parent says of its keys. */
interface Visit {
  readonly id: number;
  readonly isRoot: boolean;
  readonly depth: number;
  /** Equal to the first key; undefined in a root. */
  readonly low: Uint8Array | undefined;
  /** Behind all keys. */
  readonly high: Uint8Array | undefined;
  /** Number of its bucket; of no meaning in a root. */
  readonly bucket: number;
}

const errorsMax = 1000;

/** Looks at every page in use. Reads past the cache; works in slices. */
export async function checkPages(source: CheckSource, slice: Slice): Promise<CheckReport> {
  return await new Check(source, slice).run();
}

class Check {
  private readonly source: CheckSource;
  private readonly slice: Slice;
  private readonly errors: string[] = [];
  private readonly warnings: string[] = [];
  private readonly used: PageSet;
  private readonly free: PageSet;
  /** Depth of the leaves, bucket by bucket. */
  private readonly leafDepths: number[] = [];
  private next: Visit[] = [];
  private buckets = 0;
  private pairs = 0;

  constructor(source: CheckSource, slice: Slice) {
    this.source = source;
    this.slice = slice;
    this.used = new PageSet(source.highWaterMark);
    this.free = new PageSet(source.highWaterMark);
  }

  async run(): Promise<CheckReport> {
    const { rootId, freeIds, freelist, highWaterMark } = this.source;
    for (const id of freeIds ?? []) if (!this.free.add(id)) this.error(`page ${id}: already freed`);
    if (freelist !== undefined) this.take(freelist.id, freelist.slots);
    this.next.push({ id: rootId, isRoot: true, depth: 0, low: undefined, high: undefined, bucket: 0 });
    const window = new FileWindow(this.source.file);
    while (this.next.length > 0) {
      const level = this.next.sort((a, b) => a.id - b.id);
      this.next = [];
      for (const visit of level) {
        await this.visitPage(visit, window);
        if (this.slice.spent()) await this.slice.rest();
      }
    }
    if (freeIds !== undefined) {
      for (let id = 2; id < highWaterMark; id++) {
        if (!this.used.has(id) && !this.free.has(id)) this.error(`page ${id}: unreachable unfreed`);
      }
    }
    const { errors, warnings, buckets, pairs } = this;
    return { errors, warnings, buckets: buckets - 1, pairs, reachablePages: this.used.size };
  }

  private async visitPage(visit: Visit, window: FileWindow): Promise<void> {
    const { pageSize, highWaterMark } = this.source;
    const { id } = visit;
    const head = window.view(id * pageSize, pageSize) ?? (await window.load(id * pageSize, pageSize));
    const slots = head.length < pageSize ? 1 : readUint32LE(head, 12) + 1;
    if (!this.take(id, slots)) return;
    const size = slots * pageSize;
    const bytes = window.view(id * pageSize, size) ?? (await window.load(id * pageSize, size));
    if (bytes.length < size) {
      this.error(`page ${id}: the file ends before it`);
      return;
    }
    try {
      // The window's bytes go with the next load, and keys are kept.
      this.visitElements(parsePage(id, copyBytes(bytes), highWaterMark), visit);
    } catch (error) {
      this.error(error instanceof Error ? error.message : String(error));
    }
  }

  private visitElements(page: Page, visit: Visit): void {
    this.checkOrder(page, visit);
    const bucket = visit.isRoot ? this.buckets++ : visit.bucket;
    if (!page.isLeaf) {
      if (page.count < 2) this.warnings.push(`page ${page.id}: a branch with one child`);
      for (let i = 0; i < page.count; i++) {
        const high = i + 1 < page.count ? keyBytes(page, i + 1) : visit.high;
        this.next.push({
          id: page.childId(i),
          isRoot: false,
          depth: visit.depth + 1,
          low: keyBytes(page, i),
          high,
          bucket,
        });
      }
      return;
    }
    this.leafDepths[bucket] ??= visit.depth;
    if (this.leafDepths[bucket] !== visit.depth)
      this.warnings.push(`page ${page.id}: leaves of one bucket lie at different depths`);
    if (page.count === 0 && !visit.isRoot) this.warnings.push(`page ${page.id}: an empty leaf`);
    // The first bucket of all is the one that holds the others.
    this.visitLeaf(page, bucket === 0);
  }

  private visitLeaf(page: Page, isTop: boolean): void {
    for (let i = 0; i < page.count; i++) {
      if (!page.isBucket(i)) {
        this.pairs += 1;
        if (isTop) this.error(`page ${page.id}: a value among the buckets`);
        continue;
      }
      const start = page.valueStart(i);
      const value = page.bytes.subarray(start, start + page.valueLength(i));
      const { rootId } = decodeBucketHeader(value, this.source.highWaterMark);
      if (rootId !== 0) {
        this.next.push({ id: rootId, isRoot: true, depth: 0, low: undefined, high: undefined, bucket: 0 });
        continue;
      }
      const inline = parseInlinePage(value.subarray(bucketHeaderBytes));
      this.buckets += 1;
      this.checkOrder(inline, { id: 0, isRoot: true, depth: 0, low: undefined, high: undefined, bucket: 0 });
      this.visitLeaf(inline, false);
    }
  }

  private checkOrder(page: Page, { low, high }: Visit): void {
    for (let i = 0; i + 1 < page.count; i++) {
      if (compareKeys(page, i, keyBytes(page, i + 1)) >= 0)
        this.error(`page ${page.id}: key ${i + 1} is not behind key ${i}`);
    }
    if (page.count === 0) return;
    const first = low === undefined ? 0 : compareKeys(page, 0, low);
    if (first < 0) this.error(`page ${page.id}: the first key lies before the parent's`);
    if (first > 0) this.warnings.push(`page ${page.id}: the parent's key is not the first key`);
    if (high !== undefined && compareKeys(page, page.count - 1, high) >= 0) {
      this.error(`page ${page.id}: the last key lies behind the next page's first`);
    }
  }

  /** @returns false when the page must not be looked at. */
  private take(id: number, slots: number): boolean {
    if (id + slots > this.source.highWaterMark) {
      this.error(`page ${id}: out of bounds: ${this.source.highWaterMark} (overflow ${slots - 1})`);
      return false;
    }
    let isNew = true;
    for (let i = id; i < id + slots; i++) {
      if (!this.used.add(i)) {
        this.error(`page ${i}: multiple references`);
        isNew = false;
      }
      if (this.free.has(i)) this.error(`page ${i}: reachable freed`);
    }
    return isNew;
  }

  private error(what: string): void {
    if (this.errors.length < errorsMax) this.errors.push(what);
  }
}

function keyBytes(page: Page, index: number): Uint8Array {
  const start = page.keyStart(index);
  return page.bytes.subarray(start, start + page.keyLength(index));
}

function compareKeys(page: Page, index: number, key: Uint8Array): number {
  return compareSpans(page.bytes, page.keyStart(index), page.keyLength(index), key, 0, key.length);
}
