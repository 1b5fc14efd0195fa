import type { DiskFile } from '@quorate/base';
import { pageBytes } from './bytes.ts';
import { bboltError } from './errors.ts';
import { readUint16LE, readUint32LE } from './little-endian.ts';
import { corruptPage, type Page, PageFlag, parsePage } from './page.ts';
import { PageCache } from './page-cache.ts';
import type { Pages } from './tree.ts';

/** Pages of the file through the cache. */
export class Pager implements Pages {
  readonly file: DiskFile;
  readonly pageSize: number;
  readonly cache: PageCache;
  /** Of the last committed transaction. */
  highWaterMark: number;
  isClosed = false;

  constructor(file: DiskFile, pageSize: number, highWaterMark: number, cacheBytesMax: number) {
    this.file = file;
    this.pageSize = pageSize;
    this.highWaterMark = highWaterMark;
    this.cache = new PageCache(cacheBytesMax);
  }

  page(id: number): Page {
    return this.cache.get(id) ?? this.load(id);
  }

  /**
   * A page for one look, outside the cache: if it is not in there, a leaf is read into bytes that `room` gives, and is theirs.
   * Branches come through the cache all the same.
   */
  pageInto(id: number, room: (size: number) => Uint8Array): Page {
    const cached = this.cache.get(id);
    if (cached !== undefined) return cached;
    if (this.isClosed) throw bboltError('bbolt/closed', 'the database is closed');
    let bytes = room(this.pageSize);
    this.fill(id, bytes);
    if (readUint16LE(bytes, 8) !== PageFlag.leaf) return this.load(id);
    const overflow = readUint32LE(bytes, 12);
    if (overflow > 0) {
      this.checkOverflow(id, overflow);
      bytes = room(this.pageSize * (overflow + 1));
      this.fill(id, bytes);
    }
    return parsePage(id, bytes, this.highWaterMark);
  }

  private checkOverflow(id: number, overflow: number): void {
    if (id + overflow >= this.highWaterMark) throw corruptPage(id, `overflows by ${overflow} pages behind the end`);
  }

  private load(id: number): Page {
    if (this.isClosed) throw bboltError('bbolt/closed', 'the database is closed');
    const { pageSize } = this;
    this.cache.misses += 1;
    let bytes = pageBytes(pageSize);
    this.fill(id, bytes);
    const overflow = readUint32LE(bytes, 12);
    if (overflow > 0) {
      this.checkOverflow(id, overflow);
      bytes = pageBytes(pageSize * (overflow + 1));
      this.fill(id, bytes);
    }
    const page = parsePage(id, bytes, this.highWaterMark);
    this.cache.put(page);
    return page;
  }

  private fill(id: number, target: Uint8Array): void {
    const position = id * this.pageSize;
    for (let done = 0; done < target.length; ) {
      const rest = done === 0 ? target : target.subarray(done);
      const count = this.file.readSync(rest, position + done);
      if (count === 0) throw corruptPage(id, 'the file ends before it');
      done += count;
    }
  }
}
