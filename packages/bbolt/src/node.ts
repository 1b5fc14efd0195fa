import { writeUint16LE, writeUint32LE, writeUint64LE } from './little-endian.ts';
import {
  bucketElementFlag,
  compareSpans,
  elementBytes,
  elementsMax,
  type Page,
  PageFlag,
  pageHeaderBytes,
} from './page.ts';

/** Copying fewer bytes than this in a loop is cheaper than making a view for `set`. */
const shortCopyBytes = 48;

/**
 * A branch or leaf that is being changed. Keys and values are spans of other buffers (the page it was made from, buffers given
 * by the caller), kept in parallel arrays: changing one of a hundred elements makes no objects for the others.
 */
export class Node {
  readonly isLeaf: boolean;
  readonly keySources: Uint8Array[] = [];
  readonly keyStarts: number[] = [];
  readonly keyLengths: number[] = [];
  /** Of a leaf. */
  readonly valueSources: Uint8Array[] = [];
  readonly valueStarts: number[] = [];
  readonly valueLengths: number[] = [];
  readonly flags: number[] = [];
  /** Of a branch: page ids, and the children that are being changed (their id no longer counts). */
  readonly childIds: number[] = [];
  readonly children: (Node | undefined)[] = [];
  /** Size as one page, header included. */
  bytes = pageHeaderBytes;
  /** Elements were removed: it may have become too small for a page of its own. */
  shrunk = false;

  constructor(isLeaf: boolean) {
    this.isLeaf = isLeaf;
  }

  static fromPage(page: Page): Node {
    const node = new Node(page.isLeaf);
    const { bytes } = page;
    for (let i = 0; i < page.count; i++) {
      const keyStart = page.keyStart(i);
      const keyLength = page.keyLength(i);
      if (page.isLeaf) {
        node.pushLeaf(
          bytes,
          keyStart,
          keyLength,
          bytes,
          keyStart + keyLength,
          page.valueLength(i),
          page.isBucket(i) ? bucketElementFlag : 0,
        );
      } else {
        node.pushBranch(bytes, keyStart, keyLength, page.childId(i), undefined);
      }
    }
    return node;
  }

  get count(): number {
    return this.keySources.length;
  }

  keySource(index: number): Uint8Array {
    return this.keySources[index] as Uint8Array;
  }

  keyStart(index: number): number {
    return this.keyStarts[index] as number;
  }

  keyLength(index: number): number {
    return this.keyLengths[index] as number;
  }

  valueSource(index: number): Uint8Array {
    return this.valueSources[index] as Uint8Array;
  }

  valueStart(index: number): number {
    return this.valueStarts[index] as number;
  }

  valueLength(index: number): number {
    return this.valueLengths[index] as number;
  }

  isBucket(index: number): boolean {
    return this.flags[index] === bucketElementFlag;
  }

  childId(index: number): number {
    return this.childIds[index] as number;
  }

  /** As {@link Page.search}. */
  search(source: Uint8Array, start: number, length: number): number {
    const { keySources, keyStarts, keyLengths } = this;
    let low = 0;
    let high = keySources.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = compareSpans(
        keySources[middle] as Uint8Array,
        keyStarts[middle] as number,
        keyLengths[middle] as number,
        source,
        start,
        length,
      );
      if (order < 0) low = middle + 1;
      else if (order > 0) high = middle - 1;
      else return middle;
    }
    return ~low;
  }

  pushLeaf(
    keySource: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueSource: Uint8Array,
    valueStart: number,
    valueLength: number,
    flags: number,
  ): void {
    this.keySources.push(keySource);
    this.keyStarts.push(keyStart);
    this.keyLengths.push(keyLength);
    this.valueSources.push(valueSource);
    this.valueStarts.push(valueStart);
    this.valueLengths.push(valueLength);
    this.flags.push(flags);
    this.bytes += elementBytes + keyLength + valueLength;
  }

  pushBranch(
    keySource: Uint8Array,
    keyStart: number,
    keyLength: number,
    childId: number,
    child: Node | undefined,
  ): void {
    this.keySources.push(keySource);
    this.keyStarts.push(keyStart);
    this.keyLengths.push(keyLength);
    this.childIds.push(childId);
    this.children.push(child);
    this.bytes += elementBytes + keyLength;
  }

  /** Appends element `index` of `other`, which must be of the same kind. */
  pushFrom(other: Node, index: number): void {
    const keySource = other.keySource(index);
    const keyStart = other.keyStart(index);
    const keyLength = other.keyLength(index);
    if (this.isLeaf) {
      this.pushLeaf(
        keySource,
        keyStart,
        keyLength,
        other.valueSource(index),
        other.valueStart(index),
        other.valueLength(index),
        other.flags[index] as number,
      );
    } else {
      this.pushBranch(keySource, keyStart, keyLength, other.childId(index), other.children[index]);
    }
  }

  /** Inserts into a leaf before place `index`. */
  insert(
    index: number,
    keySource: Uint8Array,
    keyStart: number,
    keyLength: number,
    value: Uint8Array,
    flags: number,
  ): void {
    if (index === this.count) {
      this.pushLeaf(keySource, keyStart, keyLength, value, 0, value.length, flags);
      return;
    }
    this.keySources.splice(index, 0, keySource);
    this.keyStarts.splice(index, 0, keyStart);
    this.keyLengths.splice(index, 0, keyLength);
    this.valueSources.splice(index, 0, value);
    this.valueStarts.splice(index, 0, 0);
    this.valueLengths.splice(index, 0, value.length);
    this.flags.splice(index, 0, flags);
    this.bytes += elementBytes + keyLength + value.length;
  }

  setValue(index: number, value: Uint8Array, flags: number): void {
    this.bytes += value.length - this.valueLength(index);
    if (value.length < this.valueLength(index)) this.shrunk = true;
    this.valueSources[index] = value;
    this.valueStarts[index] = 0;
    this.valueLengths[index] = value.length;
    this.flags[index] = flags;
  }

  remove(index: number): void {
    this.shrunk = true;
    this.bytes -= elementBytes + this.keyLength(index) + (this.isLeaf ? this.valueLength(index) : 0);
    this.keySources.splice(index, 1);
    this.keyStarts.splice(index, 1);
    this.keyLengths.splice(index, 1);
    if (this.isLeaf) {
      this.valueSources.splice(index, 1);
      this.valueStarts.splice(index, 1);
      this.valueLengths.splice(index, 1);
      this.flags.splice(index, 1);
    } else {
      this.childIds.splice(index, 1);
      this.children.splice(index, 1);
    }
  }

  elementSize(index: number): number {
    return elementBytes + this.keyLength(index) + (this.isLeaf ? this.valueLength(index) : 0);
  }

  /**
   * Where to cut into pages: the ends of the parts, ascending, the last being {@link count}. A node that fits stays whole. Else
   * parts are filled up to `fillPercent`; a branch never gets a part with fewer than two children.
   */
  cuts(pageSize: number, fillPercent: number): number[] {
    const { count } = this;
    if (this.bytes <= pageSize && count <= elementsMax) return [count];
    const ends: number[] = [];
    const threshold = Math.floor(pageSize * fillPercent);
    const least = this.isLeaf ? 1 : 2;
    let size = pageHeaderBytes;
    let begin = 0;
    for (let i = 0; i < count; i++) {
      const element = this.elementSize(i);
      const held = i - begin;
      const full = size + element > threshold || held >= elementsMax;
      // A part that would need overflow for little over a page takes a second element: it wastes less.
      const wasteful = this.isLeaf && held === 1 && size > pageSize && size < 8 * pageSize;
      if (held >= least && full && !wasteful && count - i >= least) {
        ends.push(i);
        begin = i;
        size = pageHeaderBytes;
      }
      size += element;
    }
    ends.push(count);
    return ends;
  }

  sizeOf(begin: number, end: number): number {
    if (begin === 0 && end === this.count) return this.bytes;
    let size = pageHeaderBytes;
    for (let i = begin; i < end; i++) size += this.elementSize(i);
    return size;
  }

  /** Writes elements [begin, end) as a page of `slots * pageSize` bytes or, for id 0, an inline page, at `position`; zeros behind them up to `limit`. */
  encode(
    begin: number,
    end: number,
    id: number,
    overflow: number,
    target: Uint8Array,
    position: number,
    limit: number,
  ): void {
    target.fill(0, position, position + pageHeaderBytes);
    writeUint64LE(id, target, position);
    writeUint16LE(this.isLeaf ? PageFlag.leaf : PageFlag.branch, target, position + 8);
    writeUint16LE(end - begin, target, position + 10);
    writeUint32LE(overflow, target, position + 12);
    const data = position + pageHeaderBytes + (end - begin) * elementBytes;
    const behind = this.isLeaf
      ? this.encodeLeaf(begin, end, target, position + pageHeaderBytes, data)
      : this.encodeBranch(begin, end, target, position + pageHeaderBytes, data);
    target.fill(0, behind, limit);
  }

  private encodeBranch(begin: number, end: number, target: Uint8Array, elements: number, data: number): number {
    let element = elements;
    let at = data;
    for (let i = begin; i < end; i++, element += elementBytes) {
      const length = this.keyLength(i);
      writeUint32LE(at - element, target, element);
      writeUint32LE(length, target, element + 4);
      writeUint64LE(this.childId(i), target, element + 8);
      at = copySpan(this.keySource(i), this.keyStart(i), length, target, at);
    }
    return at;
  }

  private encodeLeaf(begin: number, end: number, target: Uint8Array, elements: number, data: number): number {
    const { keySources, keyStarts, keyLengths, valueSources, valueStarts, valueLengths, flags } = this;
    let element = elements;
    let at = data;
    // The span of the source that waits to be copied: pairs that lie one behind the other there are copied at once.
    let runSource: Uint8Array | undefined;
    let runStart = 0;
    let runEnd = 0;
    for (let i = begin; i < end; i++, element += elementBytes) {
      const keyLength = keyLengths[i] as number;
      const valueLength = valueLengths[i] as number;
      const keySource = keySources[i] as Uint8Array;
      const keyStart = keyStarts[i] as number;
      const valueSource = valueSources[i] as Uint8Array;
      const valueStart = valueStarts[i] as number;
      const position = at + (runEnd - runStart);
      writeUint32LE(flags[i] as number, target, element);
      writeUint32LE(position - element, target, element + 4);
      writeUint32LE(keyLength, target, element + 8);
      writeUint32LE(valueLength, target, element + 12);
      const together = keySource === valueSource && valueStart === keyStart + keyLength;
      if (together && keySource === runSource && keyStart === runEnd) {
        runEnd = valueStart + valueLength;
        continue;
      }
      if (runSource !== undefined) at = copySpan(runSource, runStart, runEnd - runStart, target, at);
      if (together) {
        [runSource, runStart, runEnd] = [keySource, keyStart, valueStart + valueLength];
      } else {
        at = copySpan(keySource, keyStart, keyLength, target, at);
        at = copySpan(valueSource, valueStart, valueLength, target, at);
        [runSource, runStart, runEnd] = [undefined, 0, 0];
      }
    }
    return runSource === undefined ? at : copySpan(runSource, runStart, runEnd - runStart, target, at);
  }
}

function copySpan(source: Uint8Array, start: number, length: number, target: Uint8Array, position: number): number {
  if (length < shortCopyBytes) {
    for (let i = 0; i < length; i++) target[position + i] = source[start + i] as number;
  } else if (start === 0 && length === source.length) {
    target.set(source, position);
  } else {
    target.set(source.subarray(start, start + length), position);
  }
  return position + length;
}
