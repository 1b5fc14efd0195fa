import type { ErrorSymbol, etcdserverpb } from '@quorate/api';
import {
  assert,
  type Clock,
  equalBytes,
  type Logger,
  latin1FromBytes,
  latin1ToBytes,
  type Metrics,
  noMetrics,
  type Random,
} from '@quorate/base';
import { type Backend, BucketId, encodeRevisionKey, MetaKey } from '@quorate/storage';
import { CompactionHashes } from './compaction-hashes.ts';
import { Compactor } from './compactor.ts';
import { type ChangeSink, EventType, type History, type LeaseAttachments, type StoreEvent } from './contract.ts';
import { intervalEnd } from './interval.ts';
import { KeyIndex } from './key-index/index.ts';
import { KeyValueEncoder, KeyValueFields } from './key-value.ts';
import { LargeRecords } from './large-records.ts';
import type { Pins } from './pins.ts';
import { PutCall } from './put-call.ts';
import { hasRevisionFilter, RangeReader, type RangeResult } from './range-reader.ts';
import { RecordCache } from './record-cache.ts';
import { StoreMetrics } from './store-metrics.ts';

export interface StoreDeps {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Without it no put may name a lease. */
  readonly leases?: LeaseAttachments;
  readonly metrics?: Metrics;
}

export interface StoreOptions {
  /** Records deleted in one go by a compaction; 1000 as etcd's. */
  readonly compactionBatch?: number;
  /** Pause between two such batches in milliseconds; 10 as etcd's. */
  readonly compactionPauseMs?: number;
  /** Longest time a reader may hold a compaction back, in milliseconds; then the reader fails. */
  readonly pinMsMax?: number;
  /** Records of at most 2 KiB kept for single-key reads; a power of two, 16384 by default. */
  readonly recordCacheSlots?: number;
}

/** What a delete removed. */
export interface DeleteOutcome {
  readonly deleted: number;
  readonly prevKvs: Uint8Array[];
}

const noKeyValues: Uint8Array[] = [];

/**
 * The multi-version key-value store: what is in bucket `key`, found through an index in memory. Every change is visible at
 * once, in memory and to the backend's reads; it becomes durable with the backend's next commit.
 *
 * A write transaction is everything between {@link begin} and {@link end}, in one synchronous stretch; it raises the revision by
 * one if it changed anything. Whatever can be refused is checked before `begin`: between the two nothing may fail.
 */
export class MvccStore implements History {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly index: KeyIndex;
  readonly metrics: StoreMetrics;
  private readonly leases: LeaseAttachments | undefined;
  private readonly compactor: Compactor;
  /** What finished compactions left to be compared between members. */
  readonly compactionHashes = new CompactionHashes();
  private readonly recordCache: RecordCache;
  private readonly largeRecords = new LargeRecords();
  /** Leases of live keys that have one, by the key's id. */
  private readonly leaseOfKey = new Map<number, bigint>();
  readonly encoder = new KeyValueEncoder();
  /** Scratch for one synchronous stretch. */
  readonly fields = new KeyValueFields();
  private readonly putCall = new PutCall();
  private sink: ChangeSink | undefined;
  private inTransaction = false;
  /** Changes made by the open transaction. */
  private changes = 0;
  private events: StoreEvent[] | undefined;
  currentRevision = 1;
  compactRevision = -1;

  constructor(deps: StoreDeps, options: StoreOptions = {}) {
    this.backend = deps.backend;
    this.clock = deps.clock;
    this.logger = deps.logger;
    this.leases = deps.leases;
    this.metrics = new StoreMetrics(deps.metrics ?? noMetrics);
    this.index = new KeyIndex(deps.random.nextUint32());
    this.recordCache = new RecordCache(options.recordCacheSlots ?? 16_384);
    this.compactor = new Compactor(this, {
      batch: options.compactionBatch ?? 1000,
      pauseMs: options.compactionPauseMs ?? 10,
      pinMsMax: options.pinMsMax ?? 10_000,
    });
  }

  /** Who hears of changes from now on. */
  setSink(sink: ChangeSink | undefined): void {
    this.sink = sink;
  }

  /** Readers in progress, which compaction waits for. */
  get pins(): Pins {
    return this.compactor.pins;
  }

  /** Stops background work; the backend stays open. */
  close(): void {
    this.compactor.stop();
  }

  /** The revision that reads see: that of the open transaction once it changed something. */
  get readRevision(): number {
    return this.changes > 0 ? this.currentRevision + 1 : this.currentRevision;
  }

  /** Keys that exist now. */
  get keyCount(): number {
    return this.index.liveCount;
  }

  begin(): void {
    assert(!this.inTransaction, 'a write transaction is open already');
    this.inTransaction = true;
    this.changes = 0;
    if (this.sink !== undefined && this.sink.hasWatchers !== false) this.events = [];
  }

  end(): void {
    assert(this.inTransaction, 'no write transaction is open');
    this.inTransaction = false;
    const { events } = this;
    this.events = undefined;
    if (this.changes === 0) return;
    this.changes = 0;
    this.currentRevision += 1;
    if (events !== undefined) this.sink?.changed(this.currentRevision, events);
  }

  /** Why the put cannot be done now, if so. */
  checkPut(call: PutCall): ErrorSymbol | undefined {
    if (call.lease !== 0n && this.leases?.has(call.lease) !== true) return 'ErrGRPCLeaseNotFound';
    if ((call.ignoreValue || call.ignoreLease) && this.liveId(call.key, call.keyStart, call.keyEnd) === 0) {
      return 'ErrGRPCKeyNotFound';
    }
    return undefined;
  }

  /** A checked put in the open transaction. @returns the key-value before it, when it asks for that. */
  put(call: PutCall): Uint8Array | undefined {
    const { index, encoder } = this;
    const { key, keyStart, keyEnd } = call;
    const main = this.currentRevision + 1;
    const sub = this.changes++;
    let id = index.find(key, keyStart, keyEnd);
    const exists = id !== 0 && index.isLive(id);
    let { value, valueStart, valueEnd, lease } = call;
    let prevKv: Uint8Array | undefined;
    if (exists && (call.prevKv || call.ignoreValue)) {
      prevKv = this.record(index.main(id), index.sub(id));
      if (call.ignoreValue) {
        this.fields.read(prevKv);
        value = prevKv;
        valueStart = this.fields.valueStart;
        valueEnd = this.fields.valueEnd;
      }
    }
    const oldLease = exists && this.leaseOfKey.size > 0 ? (this.leaseOfKey.get(id) ?? 0n) : 0n;
    if (call.ignoreLease) lease = oldLease;
    let create = main;
    let version = 1;
    if (id === 0) id = index.putNew(key, keyStart, keyEnd, main, sub);
    else {
      index.put(id, main, sub);
      if (exists) {
        create = index.create(id);
        version = index.version(id);
      }
    }
    const record = encoder.put(key, keyStart, keyEnd, create, main, version, value, valueStart, valueEnd, lease);
    this.backend.putRevision(main, sub, false, record);
    this.metrics.put(keyEnd - keyStart + valueEnd - valueStart);
    if (lease !== oldLease) this.moveLease(id, oldLease, lease);
    this.events?.push({
      type: EventType.put,
      key: latin1FromBytes(key, keyStart, keyEnd),
      keyValue: record,
      isCreate: !exists,
    });
    return call.prevKv ? prevKv : undefined;
  }

  /** Deletes what the interval holds now, in the open transaction. `rangeEnd` as in the API. */
  deleteRange(key: Uint8Array, rangeEnd: Uint8Array, wantPrevKvs: boolean): DeleteOutcome {
    const { index } = this;
    this.metrics.deletes.add(1);
    const end = intervalEnd(rangeEnd);
    const ids: number[] = [];
    if (end === undefined) {
      const id = this.liveId(key, 0, key.length);
      if (id !== 0) ids.push(id);
    } else {
      index.scan(key, end, (id) => {
        if (index.isLive(id)) ids.push(id);
        return true;
      });
    }
    const prevKvs = wantPrevKvs ? ids.map((id) => this.record(index.main(id), index.sub(id))) : noKeyValues;
    for (const id of ids) this.deleteId(id);
    return { deleted: ids.length, prevKvs };
  }

  /** One transaction that deletes the keys (latin1) that exist, in the order given: the end of a lease. */
  deleteKeys(keys: readonly string[]): void {
    this.begin();
    for (const key of keys) {
      const bytes = latin1ToBytes(key);
      const id = this.liveId(bytes, 0, bytes.length);
      if (id !== 0) this.deleteId(id);
    }
    this.end();
  }

  /** A put from a decoded request, checked already, in the open transaction. */
  putRequest(request: etcdserverpb.PutRequest): Uint8Array | undefined {
    return this.put(this.putCall.set(request));
  }

  checkPutRequest(request: etcdserverpb.PutRequest): ErrorSymbol | undefined {
    return this.checkPut(this.putCall.set(request));
  }

  /**
   * Reads a range at once, however long. The bytes belong to the store.
   * For long ones {@link openRange} works in slices.
   */
  range(request: etcdserverpb.RangeRequest): RangeResult | ErrorSymbol {
    if (isPlainGet(request)) {
      this.metrics.ranges.add(1);
      const record = this.get(request.key);
      const revision = this.readRevision;
      if (record === undefined) return { kvs: [], count: 0, more: false, revision };
      return { kvs: [record], count: 1, more: false, revision };
    }
    const reader = this.openRange(request);
    if (typeof reader === 'string') return reader;
    reader.step(Number.POSITIVE_INFINITY);
    return reader.result;
  }

  /** A reader of the range as of now, or of the revision asked for. Close it. */
  openRange(request: etcdserverpb.RangeRequest): RangeReader | ErrorSymbol {
    const { revision } = request;
    if (revision > this.currentRevision) return 'ErrGRPCFutureRev';
    if (revision > 0 && revision < this.compactRevision) return 'ErrGRPCCompacted';
    this.metrics.ranges.add(1);
    return new RangeReader(this, request, this.pins);
  }

  /** The encoded KeyValue of a key as it is now; undefined when it does not exist. The single-key read without anything around it. */
  get(key: Uint8Array, start = 0, end: number = key.length): Uint8Array | undefined {
    const id = this.liveId(key, start, end);
    if (id === 0) return undefined;
    const main = this.index.main(id);
    const sub = this.index.sub(id);
    let record = this.recordCache.get(id, main, sub);
    if (record === undefined) {
      record = this.record(main, sub);
      this.recordCache.set(id, main, sub, record);
    }
    return record;
  }

  /** The lease of a live key; 0 for none. */
  leaseOf(id: number): bigint {
    return this.leaseOfKey.get(id) ?? 0n;
  }

  /** The id of a key that exists now; 0 when it does not. */
  liveId(key: Uint8Array, start: number, end: number): number {
    const id = this.index.find(key, start, end);
    return id !== 0 && this.index.isLive(id) ? id : 0;
  }

  /** The stored record of a put that is not compacted. */
  record(main: number, sub: number): Uint8Array {
    const record = this.backend.getRevision(main, sub);
    if (record === undefined) assert(false, `record of revision ${main}_${sub} is missing`);
    return record;
  }

  /**
   * Forgets history below `revision`: at once for readers, in the background on disk.
   * `physical` resolves when everything compacted so far is deleted and committed, also with an error.
   */
  compact(revision: number): { readonly error?: ErrorSymbol; readonly physical: Promise<void> } {
    if (revision <= this.compactRevision) return { error: 'ErrGRPCCompacted', physical: this.compactor.whenIdle() };
    if (revision > this.currentRevision) return { error: 'ErrGRPCFutureRev', physical: Promise.resolve() };
    const hashFrom = this.isCompactionFinished() ? this.compactRevision : undefined;
    this.compactRevision = revision;
    const key = latin1ToBytes(MetaKey.scheduledCompactRevision);
    this.backend.put(BucketId.meta, key, encodeRevisionKey(revision, 0, false));
    this.sink?.compacted(revision);
    return { physical: this.compactor.schedule(revision, hashFrom) };
  }

  /** By the marks, as etcd: whether the last compaction deleted all it had to. */
  private isCompactionFinished(): boolean {
    const scheduled = this.backend.get(BucketId.meta, latin1ToBytes(MetaKey.scheduledCompactRevision));
    const finished = this.backend.get(BucketId.meta, latin1ToBytes(MetaKey.finishedCompactRevision));
    if (scheduled === undefined || finished === undefined) return scheduled === finished;
    return equalBytes(scheduled, finished);
  }

  /** See {@link Compactor.whenIdle}. */
  whenCompacted(): Promise<void> {
    return this.compactor.whenIdle();
  }

  /** Hears the id of a key that compaction took out of the index. */
  readonly keyGone = (id: number): void => {
    this.leaseOfKey.delete(id);
  };

  readChanges(from: number, to: number, visit: (revision: number, event: StoreEvent) => boolean): void {
    const { fields, encoder } = this;
    this.backend.rangeRevisions(from, 0, to + 1, (main, sub, tombstone, stored) => {
      const record = this.largeRecords.unique(main, sub, stored);
      fields.read(record);
      const { keyStart, keyEnd } = fields;
      return visit(main, {
        type: tombstone ? EventType.delete : EventType.put,
        key: latin1FromBytes(record, keyStart, keyEnd),
        keyValue: tombstone ? encoder.deletion(record, keyStart, keyEnd, main) : record,
        isCreate: !tombstone && fields.create === fields.mod,
      });
    });
  }

  keyValueAt(key: string, revision: number): Uint8Array | undefined {
    if (revision < this.compactRevision) return undefined;
    const id = this.index.find(latin1ToBytes(key));
    if (id === 0 || !this.index.findAt(id, revision)) return undefined;
    return this.record(this.index.foundMain, this.index.foundSub);
  }

  /** Takes over what restore found; only for restore. */
  restored(current: number, compacted: number, scheduled: number): void {
    this.currentRevision = current;
    this.compactRevision = compacted;
    // A compaction at 0 deletes nothing, and its mark is that of none.
    if (scheduled <= compacted || scheduled === 0) return;
    // A compaction had begun when the process ended: its readers were refused already, so it is finished first.
    this.compactRevision = scheduled;
    this.compactor.schedule(scheduled);
  }

  /** Attaches a restored live key; only for restore. */
  restoreLease(id: number, lease: bigint): void {
    if (lease === 0n || this.leases?.has(lease) !== true) return;
    this.leaseOfKey.set(id, lease);
    this.leases.attach(lease, this.index.keyText(id));
  }

  private deleteId(id: number): void {
    const { index, encoder } = this;
    const main = this.currentRevision + 1;
    const sub = this.changes++;
    const key = index.keyBytes(id);
    index.delete(id, main, sub);
    this.backend.putRevision(main, sub, true, encoder.tombstone(key, 0, key.length));
    if (this.leaseOfKey.size > 0) this.moveLease(id, this.leaseOfKey.get(id) ?? 0n, 0n);
    this.events?.push({
      type: EventType.delete,
      key: latin1FromBytes(key),
      keyValue: encoder.deletion(key, 0, key.length, main),
      isCreate: false,
    });
  }

  private moveLease(id: number, from: bigint, to: bigint): void {
    if (from === to) return;
    const { leases } = this;
    assert(leases !== undefined, 'a leased key without lessor');
    const key = this.index.keyText(id);
    if (from !== 0n) leases.detach(from, key);
    if (to === 0n) this.leaseOfKey.delete(id);
    else {
      leases.attach(to, key);
      this.leaseOfKey.set(id, to);
    }
  }
}

/** A single key as it is now, with nothing asked besides: by far the most frequent range. */
function isPlainGet(request: etcdserverpb.RangeRequest): boolean {
  return (
    request.rangeEnd.length === 0 &&
    request.revision <= 0 &&
    !request.countOnly &&
    !request.keysOnly &&
    !hasRevisionFilter(request)
  );
}
