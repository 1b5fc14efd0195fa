import type { DiskFile } from '@quorate/base';
import { bucketHeaderBytes, decodeBucketHeader } from './bucket-header.ts';
import { FileWindow } from './file-window.ts';
import { readUint16LE, readUint32LE } from './little-endian.ts';
import {
  bucketElementFlag,
  corruptPage,
  elementBytes,
  type Page,
  PageFlag,
  pageHeaderBytes,
  parseInlinePage,
  parsePage,
} from './page.ts';
import { PageSet } from './page-set.ts';
import type { Slice } from './slice.ts';

export interface ScanSource {
  readonly file: DiskFile;
  readonly pageSize: number;
  readonly rootId: number;
  readonly highWaterMark: number;
}

/**
 * Finds all pages in use from the root, level by level in file order, so that the file is read in one or few passes. Needed to
 * know the free pages of a file that does not list them. Leaves without buckets inside are only looked at, not checked.
 * @throws CodedError bbolt/corrupt
 */
export async function reachablePages(source: ScanSource, slice: Slice): Promise<PageSet> {
  const pages = new PageSet(source.highWaterMark);
  const window = new FileWindow(source.file);
  let level = [source.rootId];
  while (level.length > 0) {
    const next: number[] = [];
    for (const id of level.sort((a, b) => a - b)) {
      const { pageSize } = source;
      const head = window.view(id * pageSize, pageSize) ?? (await window.load(id * pageSize, pageSize));
      if (head.length < pageSize) throw corruptPage(id, 'the file ends before it');
      const slots = 1 + readUint32LE(head, 12);
      take(pages, id, slots, source.highWaterMark);
      const wanted = usefulBytes(head, slots * pageSize);
      if (wanted > 0) {
        const bytes = window.view(id * pageSize, wanted) ?? (await window.load(id * pageSize, wanted));
        collect(parsePage(id, bytes, source.highWaterMark), next, source.highWaterMark);
      }
      if (slice.spent()) await slice.rest();
    }
    level = next;
  }
  return pages;
}

function take(pages: PageSet, id: number, slots: number, highWaterMark: number): void {
  if (id + slots > highWaterMark) throw corruptPage(id, 'it ends behind the last page');
  for (let i = id; i < id + slots; i++) if (!pages.add(i)) throw corruptPage(i, 'it is used twice');
}

/** How much of the page must be seen: nothing more when it is a leaf without buckets. */
function usefulBytes(head: Uint8Array, pageBytes: number): number {
  if (readUint16LE(head, 8) !== PageFlag.leaf) return pageBytes;
  const elementsEnd = pageHeaderBytes + readUint16LE(head, 10) * elementBytes;
  if (elementsEnd > head.length) return pageBytes;
  for (let element = pageHeaderBytes; element < elementsEnd; element += elementBytes) {
    if (((head[element] as number) & bucketElementFlag) !== 0) return pageBytes;
  }
  return 0;
}

/** Adds to `ids` what the page points to: children, and the roots of buckets. */
export function collect(page: Page, ids: number[], highWaterMark: number): void {
  for (let i = 0; i < page.count; i++) {
    if (!page.isLeaf) {
      ids.push(page.childId(i));
    } else if (page.isBucket(i)) {
      const start = page.valueStart(i);
      const value = page.bytes.subarray(start, start + page.valueLength(i));
      const { rootId } = decodeBucketHeader(value, highWaterMark);
      if (rootId === 0) collect(parseInlinePage(value.subarray(bucketHeaderBytes)), ids, highWaterMark);
      else ids.push(rootId);
    }
  }
}
