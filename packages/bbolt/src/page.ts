import { bboltError } from './errors.ts';
import { readUint16LE, readUint32LE, readUint64LE } from './little-endian.ts';

/*
 * A page. Several slots of `pageSize` bytes when overflow > 0; the further ones have no header.
 *
 *     0    8       10      12         16
 *     | id | flags | count | overflow | elements, 16 bytes each | keys and values
 *
 * Element of a branch:  | u32 pos   | u32 key size | u64 child page id         |
 * Element of a leaf:    | u32 flags | u32 pos      | u32 key size | u32 value size |
 *
 * `pos` counts from the start of its own element; a value follows its key.
 */
export const pageHeaderBytes = 16;
export const elementBytes = 16;
export const keyBytesMax = 32768;
export const valueBytesMax = 2 ** 31 - 2;
export const elementsMax = 0xfffe;

export const PageFlag = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;

/** Flag of a leaf element whose value is a bucket. */
export const bucketElementFlag = 0x01;

/**
 * A branch or leaf page as it lies in the file. Immutable: a page id that is written anew gets a new object, so views of an
 * old one stay as they are. Everything inside was bounds-checked when it was made.
 */
export class Page {
  // What a search looks at comes first, to lie together in memory.
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly isLeaf: boolean;
  /** Of the page cache: asked for since the clock's hand last came by. */
  wasUsed = false;
  /** For a first guess in {@link search}: how long all keys are the same, and the four bytes behind that in the first and the last. */
  private sharedLength = 0;
  private firstWord = 0;
  private lastWord = 0;
  readonly id: number;
  /** Slots behind the first. */
  readonly overflow: number;
  /** Of the page cache: place on the clock. */
  clockPlace = -1;

  constructor(id: number, bytes: Uint8Array) {
    this.bytes = bytes;
    this.count = readUint16LE(bytes, 10);
    this.isLeaf = readUint16LE(bytes, 8) === PageFlag.leaf;
    this.id = id;
    this.overflow = readUint32LE(bytes, 12);
  }

  /** Once the elements are known to lie within the page. */
  prepareSearch(): void {
    const last = this.count - 1;
    if (last < 3) return;
    const { bytes } = this;
    const a = this.keyStart(0);
    const b = this.keyStart(last);
    const length = Math.min(this.keyLength(0), this.keyLength(last));
    let shared = 0;
    while (shared < length && bytes[a + shared] === bytes[b + shared]) shared += 1;
    this.sharedLength = shared;
    this.firstWord = wordAt(bytes, a + shared, a + this.keyLength(0));
    this.lastWord = wordAt(bytes, b + shared, b + this.keyLength(last));
  }

  keyStart(index: number): number {
    const element = pageHeaderBytes + index * elementBytes;
    return element + readUint32LE(this.bytes, this.isLeaf ? element + 4 : element);
  }

  keyLength(index: number): number {
    return readUint32LE(this.bytes, pageHeaderBytes + index * elementBytes + (this.isLeaf ? 8 : 4));
  }

  keySource(_index: number): Uint8Array {
    return this.bytes;
  }

  valueSource(_index: number): Uint8Array {
    return this.bytes;
  }

  valueStart(index: number): number {
    return this.keyStart(index) + this.keyLength(index);
  }

  valueLength(index: number): number {
    return readUint32LE(this.bytes, pageHeaderBytes + index * elementBytes + 12);
  }

  isBucket(index: number): boolean {
    return ((this.bytes[pageHeaderBytes + index * elementBytes] as number) & bucketElementFlag) !== 0;
  }

  childId(index: number): number {
    return readUint64LE(this.bytes, pageHeaderBytes + index * elementBytes + 8);
  }

  /** The place of the key, or `~place` of the first one behind it. */
  search(source: Uint8Array, start: number, length: number): number {
    const { bytes } = this;
    const keyField = this.isLeaf ? 4 : 0;
    let low = 0;
    let high = this.count - 1;
    // Keys that grow evenly, as revisions do, are found at the first guess: each look costs cache misses.
    let middle = this.guess(source, start, length);
    let step = 1;
    while (low <= high) {
      const element = pageHeaderBytes + middle * elementBytes;
      const order = compareSpans(
        bytes,
        element + readUint32LE(bytes, element + keyField),
        readUint32LE(bytes, element + keyField + 4),
        source,
        start,
        length,
      );
      if (order === 0) return middle;
      if (order < 0) {
        low = middle + 1;
        middle += step;
      } else {
        high = middle - 1;
        middle -= step;
      }
      step = step * 2;
      if (step > 8 || middle < low || middle > high) middle = (low + high) >>> 1;
    }
    return ~low;
  }

  /** A place where the key may be, by the share of the way from the first key to the last. */
  private guess(source: Uint8Array, start: number, length: number): number {
    const last = this.count - 1;
    const way = this.lastWord - this.firstWord;
    if (way <= 0) return last >>> 1;
    const done = wordAt(source, start + this.sharedLength, start + length) - this.firstWord;
    if (done <= 0) return 0;
    return done >= way ? last : Math.floor((done / way) * last);
  }
}

/** Four bytes as a signed number in byte order; zeros behind `end`. */
function wordAt(bytes: Uint8Array, position: number, end: number): number {
  if (position + 4 <= end) {
    return (
      ((bytes[position] as number) << 24) ^
      0x8000_0000 ^
      ((bytes[position + 1] as number) << 16) ^
      ((bytes[position + 2] as number) << 8) ^
      (bytes[position + 3] as number)
    );
  }
  let word = 0;
  for (let i = position; i < position + 4; i++) word = (word << 8) | (i < end ? (bytes[i] as number) : 0);
  return word ^ 0x8000_0000;
}

/** Which child of a branch holds the key whose {@link Page.search} in the branch gave `found`. */
export function childIndexOf(found: number): number {
  if (found >= 0) return found;
  return ~found === 0 ? 0 : ~found - 1;
}

/** Bytewise order of two spans, as compareBytes. */
export function compareSpans(
  a: Uint8Array,
  aStart: number,
  aLength: number,
  b: Uint8Array,
  bStart: number,
  bLength: number,
): number {
  const length = Math.min(aLength, bLength);
  for (let i = 0; i < length; i++) {
    const difference = (a[aStart + i] as number) - (b[bStart + i] as number);
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** A page read from the file. @throws CodedError bbolt/corrupt */
export function parsePage(id: number, bytes: Uint8Array, highWaterMark: number): Page {
  const flags = readUint16LE(bytes, 8);
  if (readUint64LE(bytes, 0) !== id) {
    throw corruptPage(id, `it says to be page ${readUint64LE(bytes, 0)}`);
  }
  if (flags !== PageFlag.branch && flags !== PageFlag.leaf)
    throw corruptPage(id, `unexpected flags 0x${flags.toString(16)}`);
  const page = new Page(id, bytes);
  checkElements(page, highWaterMark);
  return page;
}

/** The mini page inside an inline bucket's value. @throws CodedError bbolt/corrupt */
export function parseInlinePage(bytes: Uint8Array): Page {
  if (bytes.length < pageHeaderBytes || readUint16LE(bytes, 8) !== PageFlag.leaf) {
    throw bboltError('bbolt/corrupt', 'an inline bucket is not a leaf');
  }
  const page = new Page(0, bytes);
  checkElements(page, 0);
  return page;
}

function checkElements(page: Page, highWaterMark: number): void {
  const { bytes, count } = page;
  if (pageHeaderBytes + count * elementBytes > bytes.length) throw corruptPage(page.id, `${count} elements do not fit`);
  if (!page.isLeaf && count === 0) throw corruptPage(page.id, 'a branch without children');
  for (let i = 0; i < count; i++) {
    const end = page.keyStart(i) + page.keyLength(i) + (page.isLeaf ? page.valueLength(i) : 0);
    if (end > bytes.length) throw corruptPage(page.id, `element ${i} ends behind the page`);
    if (page.isLeaf) continue;
    const child = page.childId(i);
    // Also false when it is NaN.
    if (!(child >= 2 && child < highWaterMark)) throw corruptPage(page.id, `element ${i} points to page ${child}`);
  }
  page.prepareSearch();
}

export function corruptPage(id: number, what: string): Error {
  return bboltError('bbolt/corrupt', `page ${id}: ${what}`);
}
