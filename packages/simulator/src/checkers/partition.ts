import type { etcdserverpb } from '@quorate/api';
import { latin1FromBytes } from '@quorate/base';
import type { KeyValueRequest } from '../history/history.ts';

interface Interval {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

const single = new Uint8Array(0);

/** All keys that a request reads or writes, or may, in either branch. */
export function intervalsOf(request: KeyValueRequest): Interval[] {
  switch (request.method) {
    case 'put':
      return [{ key: request.message.key, rangeEnd: single }];
    case 'range':
    case 'delete':
      return [request.message];
    case 'txn':
      return intervalsOfTxn(request.message);
    case 'compact':
      return [];
  }
}

function intervalsOfTxn({ compare, success, failure }: etcdserverpb.TxnRequest): Interval[] {
  const ofOperations = [...success, ...failure].flatMap((operation): Interval[] => {
    const { requestRange, requestPut, requestDeleteRange, requestTxn } = operation;
    if (requestPut !== undefined) return [{ key: requestPut.key, rangeEnd: single }];
    if (requestTxn !== undefined) return intervalsOfTxn(requestTxn);
    return [requestRange ?? requestDeleteRange].filter((interval) => interval !== undefined);
  });
  return [...compare, ...ofOperations];
}

/**
 * Puts keys that one request touches into one group. Linearizability is local (Herlihy and Wing, 1990): a history is linearizable if
 * and only if that of each group by itself is, and these are much cheaper to decide.
 */
export class Partition {
  /** All keys that are named, ascending. */
  private readonly keys: readonly string[];
  private readonly parents: Int32Array;

  /** @param others keys that matter besides those that the requests name. */
  constructor(requests: readonly KeyValueRequest[], others: Iterable<string> = []) {
    const intervals = requests.map(intervalsOf);
    const keys = new Set(others);
    for (const { key } of intervals.flat()) keys.add(latin1FromBytes(key));
    this.keys = [...keys].sort((a, b) => (a < b ? -1 : 1));
    this.parents = Int32Array.from(this.keys, (_, i) => i);
    for (const ofOne of intervals) this.uniteAll(ofOne);
  }

  /** The group of a request that touches a key; requests of one group have the same. */
  groupOf(request: KeyValueRequest): number | undefined {
    const [first] = intervalsOf(request);
    return first && this.groupOfKey(latin1FromBytes(first.key));
  }

  /** The group of a key that a request or `others` named. */
  groupOfKey(key: string): number {
    return this.find(this.placeOf(key));
  }

  private uniteAll(intervals: readonly Interval[]): void {
    const [first] = intervals;
    if (first === undefined) return;
    const place = this.placeOf(latin1FromBytes(first.key));
    for (const { key, rangeEnd } of intervals) {
      const start = this.placeOf(latin1FromBytes(key));
      this.unite(place, start);
      if (rangeEnd.length === 0) continue;
      const isOpen = rangeEnd.length === 1 && rangeEnd[0] === 0;
      const end = isOpen ? this.keys.length : this.placeOf(latin1FromBytes(rangeEnd));
      for (let i = start + 1; i < end; i++) this.unite(i, start);
    }
  }

  /** The first key that is not below the given one. */
  private placeOf(key: string): number {
    let low = 0;
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private find(place: number): number {
    let root = place;
    while (this.parents[root] !== root) root = this.parents[root] as number;
    for (let i = place; i !== root; ) {
      const next = this.parents[i] as number;
      this.parents[i] = root;
      i = next;
    }
    return root;
  }

  private unite(a: number, b: number): void {
    this.parents[this.find(a)] = this.find(b);
  }
}
