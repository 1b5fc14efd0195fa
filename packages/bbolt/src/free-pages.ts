import { assert } from '@quorate/base';

/** Pages that a committed transaction stopped using, as pairs (id, count), and the transaction that first used each. */
interface Pending {
  readonly txid: number;
  readonly runs: readonly number[];
  readonly madeBy: readonly number[];
  /** An open read transaction that can reach some of them: as long as it is there, looking again is not worth it. */
  readonly heldBy: number;
}

const pruneSizeMin = 4096;

/**
 * Which pages can be written: a bitmap, from which runs are taken front to back (so that the pages of a commit lie together), and those
 * that wait because an open read transaction may still reach them.
 */
export class FreePages {
  private words = new Uint32Array(64);
  private hand = 0;
  /** No run of so many pages is free. */
  private noRunOf = Number.POSITIVE_INFINITY;
  private pending: Pending[] = [];
  /** By which transaction pages came into use, as far as read transactions older than that are open. */
  private readonly madeBy = new Map<number, number>();
  private pruneSize = pruneSizeMin;
  /** Open read transactions by txid. */
  private readonly readers = new Map<number, number>();
  freeCount = 0;
  pendingCount = 0;

  /** Makes the pages available. They must not be so yet. */
  add(id: number, count: number): void {
    this.grow(id + count);
    for (let i = id; i < id + count; i++) {
      const bit = 1 << (i & 31);
      assert(((this.words[i >>> 5] as number) & bit) === 0, `page ${i} is freed twice`);
      this.words[i >>> 5] = (this.words[i >>> 5] as number) | bit;
    }
    this.freeCount += count;
    this.noRunOf = Number.POSITIVE_INFINITY;
  }

  has(id: number): boolean {
    return ((this.words[id >>> 5] ?? 0) & (1 << (id & 31))) !== 0;
  }

  /** The first of `count` pages in a row, now taken; 0 when there are none. `txid` is the transaction that will use them. */
  allocate(count: number, txid: number): number {
    if (count > this.freeCount || count >= this.noRunOf) return 0;
    const id = count === 1 ? this.findOne() : this.findRun(count);
    if (id === 0) {
      this.noRunOf = count;
      return 0;
    }
    for (let i = id; i < id + count; i++) this.words[i >>> 5] = (this.words[i >>> 5] as number) & ~(1 << (i & 31));
    this.freeCount -= count;
    this.note(id, txid);
    return id;
  }

  /** Remembers the transaction of pages taken from behind the high-water mark. */
  note(id: number, txid: number): void {
    if (this.readers.size > 0) this.madeBy.set(id, txid);
  }

  /** Takes over the runs (pairs of id and count) that transaction `txid` stopped using, now that it is committed. */
  release(txid: number, runs: readonly number[]): void {
    const madeBy: number[] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const id = runs[i] as number;
      madeBy.push(this.madeBy.get(id) ?? 0);
      this.madeBy.delete(id);
      this.pendingCount += runs[i + 1] as number;
    }
    if (runs.length > 0) this.pending.push({ txid, runs, madeBy, heldBy: -1 });
    this.settle();
  }

  /** Makes available what no open read transaction can reach. */
  settle(): void {
    if (this.readers.size === 0) this.madeBy.clear();
    else if (this.madeBy.size > this.pruneSize) this.prune();
    const left: Pending[] = [];
    for (const batch of this.pending) {
      const kept = this.readers.has(batch.heldBy) ? batch : this.settleBatch(batch);
      if (kept !== undefined) left.push(kept);
    }
    this.pending = left;
  }

  openReader(txid: number): void {
    this.readers.set(txid, (this.readers.get(txid) ?? 0) + 1);
  }

  closeReader(txid: number): void {
    const count = this.readers.get(txid);
    assert(count !== undefined, 'an unknown read transaction is closed');
    if (count > 1) this.readers.set(txid, count - 1);
    else this.readers.delete(txid);
  }

  get readerCount(): number {
    let count = 0;
    for (const some of this.readers.values()) count += some;
    return count;
  }

  /** All ids, free or waiting, ascending: what a stored list of free pages holds. */
  ids(): number[] {
    const ids: number[] = [];
    for (let word = 0; word < this.words.length; word++) {
      if (this.words[word] === 0) continue;
      for (let id = word * 32; id < word * 32 + 32; id++) if (this.has(id)) ids.push(id);
    }
    for (const { runs } of this.pending) {
      for (let i = 0; i < runs.length; i += 2) {
        for (let k = 0; k < (runs[i + 1] as number); k++) ids.push((runs[i] as number) + k);
      }
    }
    return ids.sort((a, b) => a - b);
  }

  private settleBatch({ txid, runs, madeBy }: Pending): Pending | undefined {
    const keptRuns: number[] = [];
    const keptMadeBy: number[] = [];
    let heldBy = -1;
    const readers = [...this.readers.keys()].filter((reader) => reader < txid);
    for (let i = 0; i < runs.length; i += 2) {
      const [id, count, maker] = [runs[i] as number, runs[i + 1] as number, madeBy[i / 2] as number];
      const holder = readers.find((reader) => reader >= maker);
      if (holder !== undefined) {
        heldBy = holder;
        keptRuns.push(id, count);
        keptMadeBy.push(maker);
      } else {
        this.add(id, count);
        this.pendingCount -= count;
      }
    }
    return keptRuns.length === 0 ? undefined : { txid, runs: keptRuns, madeBy: keptMadeBy, heldBy };
  }

  /** Forgets makers that every open read transaction is younger than: they hold back as much as an unknown one. */
  private prune(): void {
    const oldest = Math.min(...this.readers.keys());
    for (const [id, maker] of this.madeBy) if (maker <= oldest) this.madeBy.delete(id);
    this.pruneSize = Math.max(pruneSizeMin, this.madeBy.size * 2);
  }

  private findOne(): number {
    const { words } = this;
    for (let looked = 0; looked <= words.length; looked++) {
      if (this.hand >= words.length) this.hand = 0;
      const word = words[this.hand] as number;
      if (word !== 0) return this.hand * 32 + 31 - Math.clz32(word & -word);
      this.hand += 1;
    }
    return 0;
  }

  private findRun(count: number): number {
    const { words } = this;
    let run = 0;
    for (let word = 0; word < words.length; word++) {
      const bits = words[word] as number;
      if (bits === 0) {
        run = 0;
        continue;
      }
      for (let bit = 0; bit < 32; bit++) {
        run = (bits & (1 << bit)) === 0 ? 0 : run + 1;
        if (run === count) return word * 32 + bit - count + 1;
      }
    }
    return 0;
  }

  private grow(pages: number): void {
    if (pages <= this.words.length * 32) return;
    const words = new Uint32Array(Math.ceil(pages / 32) * 2);
    words.set(this.words);
    this.words = words;
  }
}
