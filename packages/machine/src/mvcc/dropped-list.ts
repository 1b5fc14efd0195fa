import type { DroppedRevisions } from './key-index/index.ts';

const bucketMains = 128;
/** Subs below it fit beside the main revision in one exact float. */
const packedSubs = 1024;
const packedMainMax = 2 ** 42;

/** Told revisions to delete. */
export type RevisionTaker = (main: number, sub: number, isTombstone: boolean) => void;

class Bucket {
  codes = new Float64Array(64);
  count = 0;

  push(code: number): void {
    if (this.count === this.codes.length) {
      const larger = new Float64Array(this.count * 2);
      larger.set(this.codes);
      this.codes = larger;
    }
    this.codes[this.count++] = code;
  }
}

/**
 * Revisions to delete, gathered in the order of keys and taken out in the order of revisions, which is how the records lie on
 * pages. Sorted in buckets of few main revisions, because a transaction may have changed many keys: a sort must not hold the event loop.
 * 8 bytes a revision.
 */
export class DroppedList implements DroppedRevisions {
  private readonly buckets = new Map<number, Bucket>();
  private order: number[] | undefined;
  private current: Bucket | undefined;
  private position = 0;
  // Revisions of transactions with very many changes, unsorted: main, sub, kind.
  private readonly others: number[] = [];
  private othersTaken = 0;
  count = 0;

  drop(main: number, sub: number, isTombstone: boolean): void {
    this.count += 1;
    if (sub >= packedSubs || main >= packedMainMax) {
      this.others.push(main, sub, isTombstone ? 1 : 0);
      return;
    }
    const name = Math.floor(main / bucketMains);
    let bucket = this.buckets.get(name);
    if (bucket === undefined) {
      bucket = new Bucket();
      this.buckets.set(name, bucket);
    }
    bucket.push(main * packedSubs * 2 + sub * 2 + (isTombstone ? 1 : 0));
  }

  /** Takes the next `limit` revisions out; returns how many there were. Nothing may be added from the first call on. */
  take(limit: number, taker: RevisionTaker): number {
    this.order ??= [...this.buckets.keys()].sort((a, b) => b - a);
    let taken = 0;
    while (taken < limit) {
      const bucket = this.current ?? this.openBucket(this.order);
      if (bucket === undefined) break;
      for (; taken < limit && this.position < bucket.count; this.position++, taken++) {
        const code = bucket.codes[this.position] as number;
        const main = Math.floor(code / (packedSubs * 2));
        const rest = code - main * packedSubs * 2;
        taker(main, rest >>> 1, (rest & 1) === 1);
      }
      if (this.position === bucket.count) this.current = undefined;
    }
    for (; taken < limit && this.othersTaken < this.others.length; this.othersTaken += 3, taken++) {
      const at = this.othersTaken;
      taker(this.others[at] as number, this.others[at + 1] as number, this.others[at + 2] === 1);
    }
    return taken;
  }

  private openBucket(order: number[]): Bucket | undefined {
    const name = order.pop();
    if (name === undefined) return undefined;
    const bucket = this.buckets.get(name);
    this.buckets.delete(name);
    bucket?.codes.subarray(0, bucket.count).sort();
    this.current = bucket;
    this.position = 0;
    return bucket;
  }
}
