import { type ErrorSymbol, etcdserverpb } from '@quorate/api';
import { assert, compareBytes, nextTurn } from '@quorate/base';
import { intervalEnd } from './interval.ts';
import type { KeyEnd } from './key-index/index.ts';
import type { KeyValueFields } from './key-value.ts';
import { MergeSort } from './merge-sort.ts';
import type { Pin, Pins } from './pins.ts';
import type { MvccStore } from './store.ts';

const { SortOrder, SortTarget } = etcdserverpb;

/** A range's answer; the key-values are encoded. */
export interface RangeResult {
  kvs: Uint8Array[];
  /** Keys in the interval at that revision, whatever the limit and the filters. */
  count: number;
  more: boolean;
  /** The store's revision when the reader was opened. */
  readonly revision: number;
}

/** Keys worked on between two looks at the clock. */
const keysPerLook = 128;

type Phase = 'scan' | 'sort' | 'fetch' | 'done';

/**
 * Reads one range at a fixed revision in steps, so that a long one does not hold the event loop. Between steps it pins its
 * revision against compaction; whoever leaves it unfinished calls {@link close}.
 *
 * The order of what happens is etcd's: collect in key order (cut at limit + 1 when neither sort nor filters need more),
 * filter, sort, cut to the limit, drop the values. Only descending by key is done another way: the walk goes
 * backwards. In key order what the filters leave is cut too, for the same answer.
 */
export class RangeReader {
  private readonly store: MvccStore;
  private readonly request: etcdserverpb.RangeRequest;
  private readonly pins: Pins;
  private readonly atRevision: number;
  /** Undefined for a single key. */
  private readonly end: KeyEnd | undefined;
  /** Whether the walk goes from the last key to the first. */
  private readonly isBackward: boolean;
  /** Whether matches go straight to the result: key order in either direction, no filters. */
  private readonly isPlain: boolean;
  /** Matches after which no more are collected. */
  private readonly collectMax: number;
  private readonly countIsKnown: boolean;
  private readonly fields: KeyValueFields;
  private phase: Phase = 'scan';
  /** What is left of the interval: from `cursor`, or going backwards up to `endCursor`. */
  private cursor: Uint8Array;
  private endCursor: KeyEnd | undefined;
  private matches = 0;
  private pin: Pin | undefined;
  // What was collected for sorting, by position.
  private readonly ids: number[] = [];
  private readonly mains: number[] = [];
  private readonly subs: number[] = [];
  private readonly sortNumbers: number[] = [];
  private readonly sortValues: Uint8Array[] = [];
  private sorter: MergeSort | undefined;
  private fetched = 0;
  /** Of the key-values that it holds. */
  keptBytes = 0;
  private fetchEnd = 0;
  // Facts of the match at hand.
  private create = 0;
  private version = 0;
  /** Set when the reader failed; then the result must not be used. */
  error: ErrorSymbol | undefined;
  readonly result: RangeResult;

  constructor(store: MvccStore, request: etcdserverpb.RangeRequest, pins: Pins) {
    this.store = store;
    this.fields = store.fields;
    this.request = request;
    this.pins = pins;
    const revision = store.readRevision;
    this.atRevision = request.revision > 0 ? request.revision : revision;
    this.result = { kvs: [], count: 0, more: false, revision };
    this.end = intervalEnd(request.rangeEnd);
    this.cursor = request.key;
    this.endCursor = this.end;
    const isByKey = request.sortTarget === SortTarget.KEY;
    const hasFilters = hasRevisionFilter(request);
    this.isBackward = isByKey && request.sortOrder === SortOrder.DESCEND;
    this.isPlain = isByKey && !hasFilters;
    const isCutEarly = isByKey || (request.sortOrder === SortOrder.NONE && !hasFilters);
    const limit = isCutEarly && request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
    this.collectMax = limit + (this.isPlain ? 0 : 1);
    this.countIsKnown = this.end !== undefined && this.atRevision === revision;
    if (this.countIsKnown) this.result.count = store.index.countLive(request.key, this.end as KeyEnd);
  }

  /** True when {@link result} is complete or {@link error} is set. */
  get isDone(): boolean {
    return this.phase === 'done';
  }

  /**
   * Works on at most about `items` keys.
   * @returns whether it is done.
   */
  step(items: number): boolean {
    if (this.pin?.lost) {
      this.error = 'ErrGRPCCompacted';
      this.phase = 'done';
    }
    let budget = items;
    if (this.phase === 'scan') budget -= this.scan(budget);
    if (this.phase === 'sort' && budget > 0) budget -= this.sort(budget);
    if (this.phase === 'fetch' && budget > 0) this.fetch(budget);
    if (this.phase === 'done') this.close();
    else this.pin ??= this.pins.add(this.atRevision);
    return this.phase === 'done';
  }

  /**
   * Works to the end, in slices of `sliceMs` milliseconds; the loop is free between them. The first slice is taken at once.
   * @returns why it failed, if it did.
   */
  async finish(sliceMs = 2): Promise<ErrorSymbol | undefined> {
    const { clock } = this.store;
    for (;;) {
      const endMs = clock.nowMs() + sliceMs;
      while (clock.nowMs() < endMs) if (this.step(keysPerLook)) return this.error;
      await nextTurn(clock);
    }
  }

  /** Takes out the key-values collected so far, for an answer in pieces. Only of a range by key without filters. */
  takeKeyValues(): Uint8Array[] {
    assert(this.isPlain, 'only a plain range comes in pieces');
    const { kvs } = this.result;
    this.takenCount += kvs.length;
    this.result.kvs = [];
    this.keptBytes = 0;
    return kvs;
  }
  private takenCount = 0;

  /** Lets compaction go on; also called by the step that ends it. */
  close(): void {
    this.phase = 'done';
    if (this.pin !== undefined) this.pins.release(this.pin);
    this.pin = undefined;
  }

  private scan(budget: number): number {
    const { index } = this.store;
    const { request, result, atRevision } = this;
    if (this.end === undefined) {
      const id = index.find(request.key);
      if (id !== 0 && index.findAt(id, atRevision)) this.match(id);
      this.endScan();
      return 1;
    }
    // Nothing but the count is wanted, and it is known.
    if (this.countIsKnown && (request.countOnly || result.count === 0)) {
      this.endScan();
      return 0;
    }
    return this.isBackward ? this.walkBackward(budget) : this.walkForward(budget);
  }

  private walkForward(budget: number): number {
    const { index } = this.store;
    let visited = 0;
    let isWhole = true;
    index.scan(this.cursor, this.end as KeyEnd, (id) => {
      if (visited >= budget) {
        this.cursor = index.keyBytes(id);
        isWhole = false;
        return false;
      }
      visited += 1;
      return index.findAt(id, this.atRevision) ? this.match(id) : true;
    });
    if (isWhole) this.endScan();
    return visited;
  }

  private walkBackward(budget: number): number {
    const { index } = this.store;
    let visited = 0;
    let isWhole = true;
    index.scanBack(this.request.key, this.endCursor as KeyEnd, (id) => {
      visited += 1;
      if (index.findAt(id, this.atRevision) && !this.match(id)) return false;
      if (visited < budget) return true;
      this.endCursor = index.keyBytes(id);
      isWhole = false;
      return false;
    });
    if (isWhole) this.endScan();
    return visited;
  }

  /** Takes a key that exists at the revision; false when no more keys are needed. */
  private match(id: number): boolean {
    const { request, result } = this;
    this.matches += 1;
    if (request.countOnly) return true;
    if (this.isPlain) {
      const collected = this.takenCount + result.kvs.length;
      if (collected < this.collectMax) {
        const { foundMain, foundSub } = this.store.index;
        this.keep(this.keyValue(id, foundMain, foundSub));
        return collected + 1 < this.collectMax || !this.countIsKnown;
      }
      return !this.countIsKnown;
    }
    if (this.ids.length < this.collectMax) this.collect(id);
    return this.ids.length < this.collectMax || !this.countIsKnown;
  }

  private collect(id: number): void {
    const { request } = this;
    const { foundMain, foundSub } = this.store.index;
    const isValueSort = request.sortTarget === SortTarget.VALUE;
    let record: Uint8Array | undefined;
    if (isValueSort) {
      record = this.store.record(foundMain, foundSub);
      this.fields.read(record);
      this.create = this.fields.create;
      this.version = this.fields.version;
    } else this.loadFacts(id, foundMain, foundSub);
    if (!passesFilter(request, this.create, foundMain)) return;
    this.ids.push(id);
    this.mains.push(foundMain);
    this.subs.push(foundSub);
    if (record !== undefined) {
      this.sortValues.push(record.subarray(this.fields.valueStart, this.fields.valueEnd));
      this.keptBytes += record.length;
    } else if (request.sortTarget === SortTarget.VERSION) this.sortNumbers.push(this.version);
    else if (request.sortTarget === SortTarget.CREATE) this.sortNumbers.push(this.create);
    else if (request.sortTarget === SortTarget.MOD) this.sortNumbers.push(foundMain);
  }

  private endScan(): void {
    const { request, result } = this;
    if (!this.countIsKnown) result.count = this.matches;
    if (request.countOnly) {
      this.phase = 'done';
      return;
    }
    if (this.isPlain) {
      result.more = request.limit > 0 && result.count > request.limit;
      this.phase = 'done';
      return;
    }
    const found = this.ids.length;
    result.more = request.limit > 0 && found > request.limit;
    this.fetchEnd = result.more ? request.limit : found;
    this.phase = 'fetch';
    const isDescending = request.sortOrder === SortOrder.DESCEND;
    // By key: collected in order.
    if (request.sortTarget === SortTarget.KEY) return;
    if (request.sortTarget === SortTarget.VALUE) {
      const { sortValues } = this;
      this.sorter = new MergeSort(found, (a, b) => {
        const order = compareBytes(sortValues[a] as Uint8Array, sortValues[b] as Uint8Array);
        return isDescending ? -order : order;
      });
    } else {
      const { sortNumbers } = this;
      this.sorter = new MergeSort(found, (a, b) => {
        const order = (sortNumbers[a] as number) - (sortNumbers[b] as number);
        return isDescending ? -order : order;
      });
    }
    this.phase = 'sort';
  }

  private sort(budget: number): number {
    if (this.sorter?.step(budget)) this.phase = 'fetch';
    return Math.min(budget, this.ids.length);
  }

  private fetch(budget: number): void {
    const order = this.sorter?.order;
    const end = Math.min(this.fetchEnd, this.fetched + budget);
    for (; this.fetched < end; this.fetched++) {
      const at = order === undefined ? this.fetched : (order[this.fetched] as number);
      this.keep(this.keyValue(this.ids[at] as number, this.mains[at] as number, this.subs[at] as number));
    }
    if (this.fetched === this.fetchEnd) this.phase = 'done';
  }

  private keep(keyValue: Uint8Array): void {
    this.result.kvs.push(keyValue);
    this.keptBytes += keyValue.length;
  }

  /** The key-value as the answer has it. */
  private keyValue(id: number, main: number, sub: number): Uint8Array {
    const { request, store, fields } = this;
    if (!request.keysOnly) return store.record(main, sub);
    if (request.sortTarget === SortTarget.VALUE) {
      // etcd reads the record here, and so keeps the lease that it drops below.
      const record = store.record(main, sub);
      const { keyStart, keyEnd, create, mod, version, lease } = fields.read(record);
      return store.encoder.put(record, keyStart, keyEnd, create, mod, version, record, 0, 0, lease);
    }
    this.loadFacts(id, main, sub);
    const key = store.index.keyBytes(id);
    return store.encoder.put(key, 0, key.length, this.create, main, this.version, key, 0, 0, 0n);
  }

  /** Sets create revision and version of the key as of the revision (main, sub) of its own. */
  private loadFacts(id: number, main: number, sub: number): void {
    const { index } = this.store;
    if (index.main(id) === main && index.sub(id) === sub) {
      this.create = index.create(id);
      this.version = index.version(id);
      return;
    }
    const fields = this.fields.read(this.store.record(main, sub));
    this.create = fields.create;
    this.version = fields.version;
  }
}

/** Whether any of the four revision filters is set. */
export function hasRevisionFilter(request: etcdserverpb.RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

function passesFilter(request: etcdserverpb.RangeRequest, create: number, mod: number): boolean {
  return (
    (request.minModRevision === 0 || mod >= request.minModRevision) &&
    (request.maxModRevision === 0 || mod <= request.maxModRevision) &&
    (request.minCreateRevision === 0 || create >= request.minCreateRevision) &&
    (request.maxCreateRevision === 0 || create <= request.maxCreateRevision)
  );
}
