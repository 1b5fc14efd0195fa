import { type Interval, IntervalTree, latin1FromBytes, openEnd } from '@quorate/base';
import type { Ranged } from './namespace.ts';

/** Items about the same key (`end` empty) or the same interval. */
export class RangeGroup<T> implements Interval {
  readonly key: string;
  readonly end: string;
  readonly items = new Set<T>();

  constructor(key: string, end: string) {
    this.key = key;
    this.end = end;
  }
}

/** Items by the interval of keys they are about: a map for all, and an interval tree for those of more than a key. */
export class RangeIndex<T> {
  private readonly groups = new Map<string, RangeGroup<T>>();
  private tree = new IntervalTree<RangeGroup<T>>();

  /** Where items about this interval are; add one to it at once. */
  groupOf({ key, rangeEnd }: Ranged): RangeGroup<T> {
    const from = latin1FromBytes(key);
    const end = endOf(rangeEnd);
    const name = nameOf(from, end);
    let group = this.groups.get(name);
    if (group === undefined) {
      group = new RangeGroup(from, end);
      this.groups.set(name, group);
      if (end !== '') this.tree.insert(group);
    }
    return group;
  }

  /** @returns false when the item is not there any more. */
  remove(group: RangeGroup<T>, item: T): boolean {
    if (!group.items.delete(item)) return false;
    if (group.items.size === 0) {
      this.groups.delete(nameOf(group.key, group.end));
      if (group.end !== '') this.tree.remove(group);
    }
    return true;
  }

  clear(): void {
    for (const { items } of this.groups.values()) items.clear();
    this.groups.clear();
    this.tree = new IntervalTree();
  }

  /** What has a key in common with the interval: for a single key in O(log n + hits), else by a look at each group. */
  touchedBy({ key, rangeEnd }: Ranged): T[] {
    const from = latin1FromBytes(key);
    const end = endOf(rangeEnd);
    const found: RangeGroup<T>[] = [];
    if (end === '') {
      const single = this.groups.get(from);
      if (single !== undefined) found.push(single);
      this.tree.collect(from, found);
    } else {
      for (const group of this.groups.values()) {
        if (group.key < end && (group.end === '' ? group.key >= from : group.end > from)) found.push(group);
      }
    }
    return found.flatMap(({ items }) => [...items]);
  }
}

/** Empty for a single key. */
function endOf(rangeEnd: Uint8Array): string {
  return rangeEnd.length === 1 && rangeEnd[0] === 0 ? openEnd : latin1FromBytes(rangeEnd);
}

/** Of an interval it begins as no key does, so that it is never that of a single key. */
function nameOf(key: string, end: string): string {
  return end === '' ? key : `${openEnd}${key.length}:${key}${end}`;
}
