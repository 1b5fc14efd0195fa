import type { Page } from './page.ts';

const chunkShift = 10;
const chunkMask = (1 << chunkShift) - 1;
/** A page larger than this part of the cache would push out too much and is not kept. */
const largestPart = 8;

/**
 * Pages by id, at most about `bytesMax` bytes, thrown out by the clock algorithm (second chance). Throwing out drops the
 * reference and never reuses a buffer: whoever holds a view of it keeps it.
 */
export class PageCache {
  private readonly bytesMax: number;
  /** Two levels of plain arrays: a look-up costs two loads and no hashing. */
  private readonly chunks: ((Page | undefined)[] | undefined)[] = [];
  private readonly clock: Page[] = [];
  private hand = 0;
  bytes = 0;
  misses = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get(id: number): Page | undefined {
    const page = this.chunks[id >>> chunkShift]?.[id & chunkMask];
    if (page !== undefined && !page.wasUsed) page.wasUsed = true;
    return page;
  }

  /** Keeps the page in place of the one that has its id, if any. */
  put(page: Page): void {
    this.remove(page.id);
    const size = page.bytes.length;
    if (size * largestPart > this.bytesMax) return;
    while (this.bytes + size > this.bytesMax) this.evictOne();
    let chunk = this.chunks[page.id >>> chunkShift];
    if (chunk === undefined) {
      chunk = new Array(chunkMask + 1).fill(undefined);
      this.chunks[page.id >>> chunkShift] = chunk;
    }
    chunk[page.id & chunkMask] = page;
    page.clockPlace = this.clock.length;
    this.clock.push(page);
    this.bytes += size;
  }

  remove(id: number): void {
    const page = this.chunks[id >>> chunkShift]?.[id & chunkMask];
    if (page !== undefined) this.drop(page);
  }

  clear(): void {
    this.chunks.length = 0;
    this.clock.length = 0;
    this.bytes = 0;
  }

  private evictOne(): void {
    for (;;) {
      if (this.hand >= this.clock.length) this.hand = 0;
      const page = this.clock[this.hand] as Page;
      if (!page.wasUsed) {
        this.drop(page);
        // Its place now holds the page that came last: that one gets a whole round before it is looked at.
        this.hand += 1;
        return;
      }
      page.wasUsed = false;
      this.hand += 1;
    }
  }

  private drop(page: Page): void {
    (this.chunks[page.id >>> chunkShift] as (Page | undefined)[])[page.id & chunkMask] = undefined;
    const last = this.clock.pop() as Page;
    if (last !== page) {
      this.clock[page.clockPlace] = last;
      last.clockPlace = page.clockPlace;
    }
    this.bytes -= page.bytes.length;
  }
}
