import { compareBytes } from '@quorate/base';
import type { Ranged } from './namespace.ts';

export interface RangeCacheLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** How old an answer may become: what others write is not seen sooner than this. */
  readonly maxAgeMs: number;
}

export const defaultRangeCacheLimits: RangeCacheLimits = {
  entriesMax: 2048,
  bytesMax: 64 * 1024 * 1024,
  maxAgeMs: 1000,
};

interface Entry extends Ranged {
  readonly answer: Uint8Array;
  readonly storedMs: number;
}

/** A question that is being answered; a write meanwhile spoils it. */
export interface PendingRange extends Ranged {
  readonly question: string;
  isSpoilt: boolean;
}

function isOpenEnd(end: Uint8Array): boolean {
  return end.length === 1 && end[0] === 0;
}

/** Whether `key` is below the end of the interval. */
function isBelowEnd(key: Uint8Array, range: Ranged): boolean {
  if (range.rangeEnd.length === 0) return compareBytes(key, range.key) <= 0;
  return isOpenEnd(range.rangeEnd) || compareBytes(key, range.rangeEnd) < 0;
}

export function overlaps(a: Ranged, b: Ranged): boolean {
  return isBelowEnd(a.key, b) && isBelowEnd(b.key, a);
}

/**
 * Answers to serializable ranges, by the whole question (who asks included). Least recently used goes first; a write through the proxy
 * drops what it may have changed, also answers still on their way.
 */
export class RangeCache {
  private readonly limits: RangeCacheLimits;
  private readonly entries = new Map<string, Entry>();
  private readonly pending = new Set<PendingRange>();
  private bytes = 0;

  constructor(limits: RangeCacheLimits = defaultRangeCacheLimits) {
    this.limits = limits;
  }

  get size(): number {
    return this.entries.size;
  }

  get(question: string, nowMs: number): Uint8Array | undefined {
    const entry = this.entries.get(question);
    if (entry === undefined) return undefined;
    this.remove(question, entry);
    if (nowMs - entry.storedMs > this.limits.maxAgeMs) return undefined;
    this.add(question, entry);
    return entry.answer;
  }

  /** Call before the question goes out; {@link store} or {@link forget} must follow. */
  begin(question: string, range: Ranged): PendingRange {
    const pending: PendingRange = { question, key: range.key, rangeEnd: range.rangeEnd, isSpoilt: false };
    this.pending.add(pending);
    return pending;
  }

  /** @param answer belongs to the cache from then on. */
  store(pending: PendingRange, answer: Uint8Array, nowMs: number): void {
    this.pending.delete(pending);
    if (pending.isSpoilt || answer.length * 16 > this.limits.bytesMax) return;
    const old = this.entries.get(pending.question);
    if (old !== undefined) this.remove(pending.question, old);
    this.add(pending.question, { key: pending.key, rangeEnd: pending.rangeEnd, answer, storedMs: nowMs });
    for (const [question, entry] of this.entries) {
      if (this.entries.size <= this.limits.entriesMax && this.bytes <= this.limits.bytesMax) break;
      this.remove(question, entry);
    }
  }

  forget(pending: PendingRange): void {
    this.pending.delete(pending);
  }

  /** Something in the interval changes, or just did. */
  invalidate(range: Ranged): void {
    for (const pending of this.pending) if (overlaps(pending, range)) pending.isSpoilt = true;
    for (const [question, entry] of this.entries) if (overlaps(entry, range)) this.remove(question, entry);
  }

  clear(): void {
    for (const pending of this.pending) pending.isSpoilt = true;
    this.entries.clear();
    this.bytes = 0;
  }

  private add(question: string, entry: Entry): void {
    this.entries.set(question, entry);
    this.bytes += entry.answer.length + 2 * question.length;
  }

  private remove(question: string, entry: Entry): void {
    this.entries.delete(question);
    this.bytes -= entry.answer.length + 2 * question.length;
  }
}
