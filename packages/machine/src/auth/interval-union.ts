import { compareBytes } from '@quorate/base';
import { GrantTree } from './grant-tree.ts';

export interface Interval {
  readonly start: Uint8Array;
  /** Exclusive; undefined when it is open. */
  readonly end: Uint8Array | undefined;
}

/**
 * A set of keys as a union of intervals in the API's (key, range_end) form. Overlapping and adjacent intervals are one, so that what
 * several grants allow together is allowed in one request.
 */
export class IntervalUnion {
  /** Ascending, with gaps between them. */
  private readonly intervals: readonly Interval[];
  private readonly granted: readonly Interval[];
  /** Made when an inverted interval is asked for. */
  private tree: GrantTree | undefined = undefined;

  constructor(ranges: readonly { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }[]) {
    this.granted = ranges
      .map(({ key, rangeEnd }) => intervalOf(key, rangeEnd))
      .filter(({ start, end }) => end === undefined || compareBytes(start, end) < 0);
    const sorted = [...this.granted].sort((a, b) => compareBytes(a.start, b.start));
    const merged: Interval[] = [];
    for (const next of sorted) {
      const last = merged.at(-1);
      if (last === undefined || (last.end !== undefined && compareBytes(last.end, next.start) < 0)) merged.push(next);
      else merged[merged.length - 1] = { start: last.start, end: laterEnd(last.end, next.end) };
    }
    this.intervals = merged;
  }

  /** Whether every key of the interval is in it. An inverted interval is judged by its start, as in etcd. */
  covers(key: Uint8Array, rangeEnd: Uint8Array): boolean {
    if (rangeEnd.length > 0 && !isOpen(rangeEnd) && compareBytes(rangeEnd, key) <= 0) {
      this.tree ??= new GrantTree(this.granted);
      return this.tree.reaches(key, rangeEnd);
    }
    const around = this.intervalAround(key);
    if (around === undefined) return false;
    if (rangeEnd.length === 0 || around.end === undefined) return true;
    return !isOpen(rangeEnd) && compareBytes(rangeEnd, around.end) <= 0;
  }

  private intervalAround(key: Uint8Array): Interval | undefined {
    let low = 0;
    let high = this.intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((this.intervals[middle] as Interval).start, key) <= 0) low = middle + 1;
      else high = middle;
    }
    const found = this.intervals[low - 1];
    return found === undefined || (found.end !== undefined && compareBytes(key, found.end) >= 0) ? undefined : found;
  }
}

function intervalOf(key: Uint8Array, rangeEnd: Uint8Array): Interval {
  if (isOpen(rangeEnd)) return { start: key, end: undefined };
  if (rangeEnd.length > 0) return { start: key, end: rangeEnd };
  const behind = new Uint8Array(key.length + 1);
  behind.set(key);
  return { start: key, end: behind };
}

/** The one byte 0 as range_end: no end. */
export function isOpen(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

function laterEnd(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (a === undefined || b === undefined) return undefined;
  return compareBytes(a, b) < 0 ? b : a;
}
