import { assert, type Interval, IntervalTree } from '@quorate/base';
import type { StoreEvent } from '../mvcc/contract.ts';

/** Knows its place in the list it is in, so that leaving costs O(1). */
export interface Slotted {
  slot: number;
}

/** All that look at the same key (`end` empty) or the same interval. */
export class Interest<T extends Slotted> implements Interval {
  readonly key: string;
  readonly end: string;
  readonly items: T[] = [];
  /** Events of the revision being told; empty in between. */
  events: StoreEvent[] = [];

  constructor(key: string, end: string) {
    this.key = key;
    this.end = end;
  }
}

/** Puts `item` at the end of the list. */
export function pushSlotted<T extends Slotted>(items: T[], item: T): void {
  item.slot = items.length;
  items.push(item);
}

/**
 * Takes `item` out by moving the last one into its place. A loop that walks the list backwards therefore still meets each of
 * the others, at worst one of them twice.
 */
export function removeSlotted<T extends Slotted>(items: T[], item: T): void {
  const last = items.pop();
  assert(last !== undefined && (last === item || items[item.slot] === item), 'an item is where its slot says');
  if (last !== item) {
    items[item.slot] = last;
    last.slot = item.slot;
  }
  item.slot = -1;
}

/** Who looks at a key: a map for single keys, an interval tree for the rest. */
export class InterestIndex<T extends Slotted> {
  private readonly singles = new Map<string, Interest<T>>();
  private readonly ranges = new Map<string, Interest<T>>();
  private readonly tree = new IntervalTree<Interest<T>>();

  add(key: string, end: string, item: T): Interest<T> {
    let interest: Interest<T> | undefined;
    if (end === '') {
      interest = this.singles.get(key);
      if (interest === undefined) {
        interest = new Interest(key, end);
        this.singles.set(key, interest);
      }
    } else {
      const name = rangeName(key, end);
      interest = this.ranges.get(name);
      if (interest === undefined) {
        interest = new Interest(key, end);
        this.ranges.set(name, interest);
        this.tree.insert(interest);
      }
    }
    pushSlotted(interest.items, item);
    return interest;
  }

  remove(interest: Interest<T>, item: T): void {
    removeSlotted(interest.items, item);
    if (interest.items.length > 0) return;
    if (interest.end === '') {
      this.singles.delete(interest.key);
    } else {
      this.ranges.delete(rangeName(interest.key, interest.end));
      this.tree.remove(interest);
    }
  }

  /** Appends the interests that cover `key`. */
  collect(key: string, into: Interest<T>[]): void {
    const single = this.singles.get(key);
    if (single !== undefined) into.push(single);
    if (this.tree.size > 0) this.tree.collect(key, into);
  }

  /** Visits every interest; the visitor must not change the index. */
  forEach(visit: (interest: Interest<T>) => void): void {
    for (const interest of this.singles.values()) visit(interest);
    for (const interest of this.ranges.values()) visit(interest);
  }
}

function rangeName(key: string, end: string): string {
  return `${key.length}:${key}${end}`;
}
