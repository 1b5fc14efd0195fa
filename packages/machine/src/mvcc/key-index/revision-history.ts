/**
 * Older revisions of all keys in one pool. A key's history is a chain of blocks, newest first, whose capacities grow
 * 2, 8, 32, 128, 512, 512 … so that a key overwritten once costs 40 bytes and a key overwritten a million times
 * about 12 bytes a revision, found by a walk over few blocks and a binary search in one.
 *
 * A block, in words of 8 bytes (one Float64Array and one Int32Array over the same memory):
 *
 *     word 0        i32 previous block (older; 0 none) | i32 class
 *     word 1        i32 end (entries used)             | i32 start (entries dropped by compaction)
 *     words 2…      f64 main revision of each entry, ascending
 *     words 2+cap…  i32 of each entry: sub << 1 | tombstone
 *
 * A block is named by chunk << 16 | word; 0 is none.
 */
const chunkWordBits = 16;
const chunkWords = 1 << chunkWordBits;
const wordMask = chunkWords - 1;
const capacities = new Int32Array([2, 8, 32, 128, 512]);
const largestClass = capacities.length - 1;

function capacityOf(index: number): number {
  return capacities[index] as number;
}

/** Takes revisions that compaction drops. */
export interface DroppedRevisions {
  drop(main: number, sub: number, isTombstone: boolean): void;
}

export class RevisionHistory {
  private readonly floats: Float64Array[] = [];
  private readonly ints: Int32Array[] = [];
  private readonly freeBlocks: number[][] = capacitiesAsLists();
  private openPosition = chunkWords;
  /** Heads of chains that compaction cut off. */
  private readonly detached: number[] = [];
  /** After {@link findAt}: what was found. */
  foundMain = 0;
  foundSub = 0;
  foundTombstone = false;

  /** Bytes of memory held. */
  get bytes(): number {
    return this.floats.length * chunkWords * 8;
  }

  /** Adds a revision newer than all in the chain; returns the chain's new head. */
  push(head: number, main: number, sub: number, isTombstone: boolean): number {
    let block = head;
    let index = 0;
    if (head === 0) block = this.allocate(0, 0);
    else {
      const ints = this.ints[head >>> chunkWordBits] as Int32Array;
      const at = (head & wordMask) << 1;
      const classIndex = ints[at + 1] as number;
      index = ints[at + 2] as number;
      if (index === capacityOf(classIndex)) {
        block = this.allocate(classIndex < largestClass ? classIndex + 1 : largestClass, head);
        index = 0;
      }
    }
    const word = block & wordMask;
    const ints = this.ints[block >>> chunkWordBits] as Int32Array;
    const capacity = capacityOf(ints[(word << 1) + 1] as number);
    (this.floats[block >>> chunkWordBits] as Float64Array)[word + 2 + index] = main;
    ints[((word + 2 + capacity) << 1) + index] = (sub << 1) | (isTombstone ? 1 : 0);
    ints[(word << 1) + 2] = index + 1;
    return block;
  }

  /** Finds the newest revision with main <= `atMain`; false when there is none. */
  findAt(head: number, atMain: number): boolean {
    for (let block = head; block !== 0; ) {
      const word = block & wordMask;
      const floats = this.floats[block >>> chunkWordBits] as Float64Array;
      const ints = this.ints[block >>> chunkWordBits] as Int32Array;
      const end = ints[(word << 1) + 2] as number;
      const start = ints[(word << 1) + 3] as number;
      if (start < end && (floats[word + 2 + start] as number) <= atMain) {
        this.load(floats, ints, word, lastAtOrBelow(floats, word + 2, start, end, atMain));
        return true;
      }
      block = ints[word << 1] as number;
    }
    return false;
  }

  /** Reports every entry, newest first, until `visit` returns false. */
  forEach(head: number, visit: (main: number, sub: number, isTombstone: boolean) => boolean): void {
    for (let block = head; block !== 0; ) {
      const word = block & wordMask;
      const floats = this.floats[block >>> chunkWordBits] as Float64Array;
      const ints = this.ints[block >>> chunkWordBits] as Int32Array;
      const start = ints[(word << 1) + 3] as number;
      for (let i = (ints[(word << 1) + 2] as number) - 1; i >= start; i--) {
        this.load(floats, ints, word, i);
        if (!visit(this.foundMain, this.foundSub, this.foundTombstone)) return;
      }
      block = ints[word << 1] as number;
    }
  }

  /**
   * Drops what a compaction at `atMain` drops of a chain whose key has a newer revision than the chain.
   * @param keepNewest whether the newest entry <= `atMain` is still the answer at `atMain` (else the key's newest revision is).
   * @returns the chain's new head.
   */
  compact(head: number, atMain: number, keepNewest: boolean, dropped: DroppedRevisions): number {
    for (let block = head, newer = 0; block !== 0; ) {
      const word = block & wordMask;
      const floats = this.floats[block >>> chunkWordBits] as Float64Array;
      const ints = this.ints[block >>> chunkWordBits] as Int32Array;
      const previous = ints[word << 1] as number;
      const start = ints[(word << 1) + 3] as number;
      const end = ints[(word << 1) + 2] as number;
      if (start === end || (floats[word + 2 + start] as number) > atMain) {
        newer = block;
        block = previous;
        continue;
      }
      const newest = lastAtOrBelow(floats, word + 2, start, end, atMain);
      const keepFrom = this.firstKept(floats, ints, word, start, newest, atMain, keepNewest);
      for (let i = start; i < keepFrom; i++) this.report(floats, ints, word, i, dropped);
      this.detach(previous);
      ints[word << 1] = 0;
      if (keepFrom < end) {
        ints[(word << 1) + 3] = keepFrom;
        return head;
      }
      this.release(block);
      if (newer === 0) return 0;
      (this.ints[newer >>> chunkWordBits] as Int32Array)[(newer & wordMask) << 1] = 0;
      return head;
    }
    return head;
  }

  /** Gives up a whole chain; {@link releaseDetached} frees it. */
  detach(head: number): void {
    if (head !== 0) this.detached.push(head);
  }

  /**
   * Frees detached blocks, reporting their entries: at most `blocks` of them, as a key may have any number.
   * @returns whether all are freed.
   */
  releaseDetached(blocks: number, dropped: DroppedRevisions): boolean {
    const { detached } = this;
    for (let released = 0; released < blocks; released++) {
      const block = detached.pop();
      if (block === undefined) return true;
      const word = block & wordMask;
      const floats = this.floats[block >>> chunkWordBits] as Float64Array;
      const ints = this.ints[block >>> chunkWordBits] as Int32Array;
      const end = ints[(word << 1) + 2] as number;
      for (let i = ints[(word << 1) + 3] as number; i < end; i++) this.report(floats, ints, word, i, dropped);
      this.detach(ints[word << 1] as number);
      this.release(block);
    }
    return detached.length === 0;
  }

  /** Index of the first entry that stays. `newest` is the newest one at or below `atMain`. */
  private firstKept(
    floats: Float64Array,
    ints: Int32Array,
    word: number,
    start: number,
    newest: number,
    atMain: number,
    keepNewest: boolean,
  ): number {
    let keepFrom = newest + 1;
    this.load(floats, ints, word, newest);
    // A tombstone exactly at the compacted revision stays, so that a watch from there still shows the delete.
    if (this.foundTombstone ? this.foundMain === atMain : keepNewest) keepFrom = newest;
    if (keepFrom === newest && newest > start) {
      this.load(floats, ints, word, newest - 1);
      if (this.foundTombstone && this.foundMain === atMain) keepFrom = newest - 1;
    }
    return keepFrom;
  }

  private load(floats: Float64Array, ints: Int32Array, word: number, index: number): void {
    const capacity = capacityOf(ints[(word << 1) + 1] as number);
    const packed = ints[((word + 2 + capacity) << 1) + index] as number;
    this.foundMain = floats[word + 2 + index] as number;
    this.foundSub = packed >>> 1;
    this.foundTombstone = (packed & 1) === 1;
  }

  private report(floats: Float64Array, ints: Int32Array, word: number, index: number, dropped: DroppedRevisions): void {
    this.load(floats, ints, word, index);
    dropped.drop(this.foundMain, this.foundSub, this.foundTombstone);
  }

  private allocate(classIndex: number, previous: number): number {
    let block = (this.freeBlocks[classIndex] as number[]).pop();
    if (block === undefined) {
      const capacity = capacityOf(classIndex);
      const words = 2 + capacity + ((capacity + 1) >> 1);
      if (this.openPosition + words > chunkWords) {
        const floats = new Float64Array(chunkWords);
        this.floats.push(floats);
        this.ints.push(new Int32Array(floats.buffer));
        // Word 0 of the first chunk stays unused, so that no block is named 0.
        this.openPosition = this.floats.length === 1 ? 1 : 0;
      }
      block = ((this.floats.length - 1) << chunkWordBits) | this.openPosition;
      this.openPosition += words;
    }
    const ints = this.ints[block >>> chunkWordBits] as Int32Array;
    const at = (block & wordMask) << 1;
    ints[at] = previous;
    ints[at + 1] = classIndex;
    ints[at + 2] = 0;
    ints[at + 3] = 0;
    return block;
  }

  private release(block: number): void {
    const classIndex = (this.ints[block >>> chunkWordBits] as Int32Array)[((block & wordMask) << 1) + 1] as number;
    (this.freeBlocks[classIndex] as number[]).push(block);
  }
}

function capacitiesAsLists(): number[][] {
  return Array.from(capacities, () => []);
}

/** Index of the last of the ascending entries [start, end) that is <= `value`; the first one is. */
function lastAtOrBelow(floats: Float64Array, base: number, start: number, end: number, value: number): number {
  let low = start;
  let high = end - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((floats[base + middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
