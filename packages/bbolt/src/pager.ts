import type { DiskFile } from '@quorate/base';
import { pageBytes } from './bytes.ts';
import { bboltError } from './errors.ts';
import { readUint32LE } from './little-endian.ts';
import { corruptPage, type Page, parsePage } from './page.ts';
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

  private load(id: number): Page {
    if (this.isClosed) throw bboltError('bbolt/closed', 'the database is closed');
    const { pageSize } = this;
    this.cache.misses += 1;
    let bytes = pageBytes(pageSize);
    this.fill(id, bytes);
    const overflow = readUint32LE(bytes, 12);
    if (overflow > 0) {
      if (id + overflow >= this.highWaterMark) throw corruptPage(id, `overflows by ${overflow} pages behind the end`);
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
