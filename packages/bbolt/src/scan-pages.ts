import { allocateUnsafe } from '@quorate/base';
import type { BucketPages } from './bucket.ts';
import type { Page } from './page.ts';
import type { Pager } from './pager.ts';

/** Pages for one walk from leaf to leaf: a leaf that is not in the cache lies in memory that the next one overwrites. */
export class ScanPages implements BucketPages {
  readonly pageSize: number;
  readonly highWaterMark: number;
  private readonly pager: Pager;
  private readonly checkOpen: () => void;
  private scratch: Uint8Array;
  private readonly room = (size: number): Uint8Array => {
    if (size > this.scratch.length) return allocateUnsafe(size);
    return size === this.scratch.length ? this.scratch : this.scratch.subarray(0, size);
  };

  constructor(pager: Pager, highWaterMark: number, checkOpen: () => void) {
    this.pager = pager;
    this.pageSize = pager.pageSize;
    this.highWaterMark = highWaterMark;
    this.checkOpen = checkOpen;
    this.scratch = allocateUnsafe(pager.pageSize);
  }

  page(id: number): Page {
    this.checkOpen();
    return this.pager.pageInto(id, this.room);
  }
}
