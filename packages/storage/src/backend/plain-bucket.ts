import { latin1ToBytes } from '@quorate/base';

/** Pairs of one small bucket in memory: a hash map, and its keys (latin1) in order when somebody walks it. */
export class PlainBucket {
  private pairs = new Map<string, Uint8Array>();
  private order: string[] | undefined;

  get size(): number {
    return this.pairs.size;
  }

  get(key: string): Uint8Array | undefined {
    return this.pairs.get(key);
  }

  put(key: string, value: Uint8Array): void {
    if (!this.pairs.has(key)) this.order = undefined;
    this.pairs.set(key, value);
  }

  delete(key: string): void {
    if (this.pairs.delete(key)) this.order = undefined;
  }

  entries(): IterableIterator<[string, Uint8Array]> {
    return this.pairs.entries();
  }

  /** Visits in key order from `start`; `visit` ends it with false. Deals with changes made by nobody: it must not write. */
  walk(
    start: string,
    end: string | undefined,
    limit: number,
    visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined,
  ): void {
    this.order ??= [...this.pairs.keys()].sort(compareLatin1);
    const order = this.order;
    let left = limit;
    for (let i = lowerBound(order, start); i < order.length && left > 0; i++, left--) {
      const key = order[i] as string;
      if (end !== undefined && key >= end) return;
      if (visit(latin1ToBytes(key), this.pairs.get(key) as Uint8Array) === false) return;
    }
  }

  clone(): PlainBucket {
    const copy = new PlainBucket();
    copy.pairs = new Map(this.pairs);
    copy.order = this.order;
    return copy;
  }
}

/** The order of the bytes that the strings stand for. */
export function compareLatin1(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The first place in sorted `keys` that is at or behind `key`. */
export function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
