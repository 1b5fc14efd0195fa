import type { Ranged } from './namespace.ts';
import { type RangeGroup, RangeIndex } from './range-index.ts';

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

/** A question that is being answered, or was. It leaves its group when a write may have changed the answer. */
interface Entry {
  readonly question: string;
  readonly group: RangeGroup<Entry>;
  /** Empty until there is one. */
  answer: Uint8Array;
  storedMs: number;
}

/** A question that is being answered; a write meanwhile spoils it. */
export type PendingRange = Readonly<Entry>;

const noAnswer = new Uint8Array(0);

/**
 * Answers to serializable ranges, by the whole question (who asks included). Least recently used goes first; a write through the proxy
 * drops what it may have changed, also answers still on their way.
 */
export class RangeCache {
  private readonly limits: RangeCacheLimits;
  /** Those that are answered. */
  private readonly entries = new Map<string, Entry>();
  /** The same, and those on their way. */
  private readonly index = new RangeIndex<Entry>();
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
    if (nowMs - entry.storedMs > this.limits.maxAgeMs) {
      this.drop(entry);
      return undefined;
    }
    // Used last: to the end of the map.
    this.entries.delete(question);
    this.entries.set(question, entry);
    return entry.answer;
  }

  /** Call before the question goes out; {@link store} or {@link forget} must follow. */
  begin(question: string, range: Ranged): PendingRange {
    const entry: Entry = { question, group: this.index.groupOf(range), answer: noAnswer, storedMs: 0 };
    entry.group.items.add(entry);
    return entry;
  }

  /** @param answer belongs to the cache from then on. */
  store(pending: PendingRange, answer: Uint8Array, nowMs: number): void {
    const entry: Entry = pending;
    if (answer.length * 16 > this.limits.bytesMax) this.forget(entry);
    if (!entry.group.items.has(entry)) return;
    const old = this.entries.get(entry.question);
    if (old !== undefined) this.drop(old);
    entry.answer = answer;
    entry.storedMs = nowMs;
    this.entries.set(entry.question, entry);
    this.bytes += sizeOf(entry);
    for (const eldest of this.entries.values()) {
      if (this.entries.size <= this.limits.entriesMax && this.bytes <= this.limits.bytesMax) break;
      this.drop(eldest);
    }
  }

  forget(pending: PendingRange): void {
    this.index.remove(pending.group, pending);
  }

  /** Something in the interval changes, or just did. */
  invalidate(range: Ranged): void {
    for (const entry of this.index.touchedBy(range)) this.drop(entry);
  }

  clear(): void {
    this.index.clear();
    this.entries.clear();
    this.bytes = 0;
  }

  private drop(entry: Entry): void {
    this.index.remove(entry.group, entry);
    if (this.entries.get(entry.question) !== entry) return;
    this.entries.delete(entry.question);
    this.bytes -= sizeOf(entry);
  }
}

function sizeOf({ answer, question }: Entry): number {
  return answer.length + 2 * question.length;
}
