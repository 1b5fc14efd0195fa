import {
  assert,
  type Clock,
  CodedError,
  type Disk,
  hasCode,
  type Logger,
  latin1FromBytes,
  type Metrics,
  noMetrics,
  silentLogger,
  type Timer,
} from '@quorate/base';
import { Database, type DatabaseOptions, Slice } from '@quorate/bbolt';
import type {
  Backend,
  BackendErrorCode,
  BackendSnapshot,
  BackendView,
  BatchOptions,
  PairVisitor,
  RevisionVisitor,
} from './backend.ts';
import { hashBackend } from './backend-hash.ts';
import { BackendMetrics } from './backend-metrics.ts';
import { Batch } from './batch.ts';
import { BucketId, bucketNameBytes, type PlainBucketId } from './bucket-id.ts';
import { CommittedReader } from './committed-reader.ts';
import { databaseSizeFields } from './database-size-fields.ts';
import { Deferred } from './deferred.ts';
import { rangeMergedPairs, rangeMergedRevisions } from './merged-reader.ts';
import { revisionCode } from './revision-run.ts';
import { writeBatch } from './write-batch.ts';

export interface BackendDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

export interface BackendOptions
  extends BatchOptions,
    Pick<DatabaseOptions, 'cacheBytesMax' | 'pageSize' | 'lockTimeoutMs'> {
  /** Told once when a commit failed: what the file holds is unknown, and the member must stop. */
  readonly onFatal: (error: unknown) => void;
}

const batchIntervalMsDefault = 100;
const batchLimitDefault = 10_000;
const pendingBytesMaxDefault = 64 * 1024 * 1024;
/** A batch of big values is closed early: at this part of the pending bytes allowed. */
const batchBytesPart = 4;
const keyBytesMax = 32_768;

/**
 * Opens the store's file, or makes it, with all of etcd's buckets.
 * @throws CodedError of the database: bbolt/timeout, bbolt/invalid, … and the disk's
 */
export async function openBackend(deps: BackendDeps, path: string, options: BackendOptions): Promise<Backend> {
  const temporary = defragmentPath(path);
  if (await deps.disk.exists(temporary)) await deps.disk.remove(temporary);
  const database = await Database.open(deps, path, options);
  const backend = new BboltBackend(deps, path, options, database);
  await backend.makeBuckets();
  return backend;
}

function defragmentPath(path: string): string {
  return `${path}.tmp.defragment`;
}

class BboltBackend implements Backend {
  private readonly deps: BackendDeps;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly path: string;
  private readonly options: BackendOptions;
  private readonly metrics: BackendMetrics;
  private readonly batchIntervalMs: number;
  private readonly batchLimit: number;
  private readonly pendingBytesMax: number;

  private database: Database;
  private committed: CommittedReader;
  /** Being written to the file. */
  private frozen: Batch | undefined;
  private current = new Batch();
  /** From old to new, for walks. */
  private batches: readonly Batch[] = [this.current];
  /** Of the current batch, when somebody waits for it. */
  private currentDone: Deferred | undefined;
  private frozenDone: Deferred | undefined;
  private timer: Timer | undefined;
  /** The current batch is to be committed as soon as may be. */
  private isDue = false;
  private isRunning = false;
  /** While the file is being defragmented. */
  private pause: Promise<void> | undefined;
  /** Another database is about to have the name of the file. */
  private isRetired = false;
  private belowWaiter: Deferred | undefined;
  private state: 'open' | 'failed' | 'closed' = 'open';
  private failure: unknown;
  /** What the newest commit covers. */
  private committedIndex: number;
  consistentIndex: number;
  consistentTerm: number;

  constructor(deps: BackendDeps, path: string, options: BackendOptions, database: Database) {
    this.deps = deps;
    this.clock = deps.clock;
    this.logger = deps.logger ?? silentLogger;
    this.path = path;
    this.options = options;
    this.metrics = new BackendMetrics(deps.metrics ?? noMetrics);
    this.batchIntervalMs = options.batchIntervalMs ?? batchIntervalMsDefault;
    this.batchLimit = options.batchLimit ?? batchLimitDefault;
    this.pendingBytesMax = options.pendingBytesMax ?? pendingBytesMaxDefault;
    this.database = database;
    this.committed = new CommittedReader(database.beginRead());
    this.consistentIndex = this.committed.consistentIndex;
    this.consistentTerm = this.committed.consistentTerm;
    this.committedIndex = this.consistentIndex;
  }

  /** Makes the buckets that the file lacks. */
  async makeBuckets(): Promise<void> {
    const transaction = this.database.beginRead();
    const isWhole = bucketNameBytes.every((name) => transaction.bucket(name) !== undefined);
    transaction.close();
    if (isWhole) return;
    this.isDue = true;
    await this.commit();
  }

  // Writing

  put(bucket: PlainBucketId, key: Uint8Array, value: Uint8Array): void {
    assert((bucket as BucketId) !== BucketId.key, 'bucket key is written by revision');
    assert(key.length > 0 && key.length <= keyBytesMax, 'a key is empty or too long');
    this.writable().put(bucket, latin1FromBytes(key), value);
    this.written();
  }

  delete(bucket: PlainBucketId, key: Uint8Array): void {
    assert((bucket as BucketId) !== BucketId.key, 'bucket key is written by revision');
    this.writable().delete(bucket, latin1FromBytes(key));
    this.written();
  }

  putRevision(main: number, sub: number, tombstone: boolean, value: Uint8Array): void {
    this.writable().putRevision(main, sub, tombstone, value);
    this.written();
  }

  deleteRevision(main: number, sub: number, tombstone: boolean): void {
    this.writable().deleteRevision(main, sub, tombstone);
    this.written();
  }

  setConsistentIndex(index: number, term: number): void {
    this.consistentIndex = index;
    this.consistentTerm = term;
  }

  // Reading

  get(bucket: PlainBucketId, key: Uint8Array): Uint8Array | undefined {
    this.checkReadable();
    const text = latin1FromBytes(key);
    const current = this.current.get(bucket, text);
    if (current !== undefined) return current ?? undefined;
    const frozen = this.frozen?.get(bucket, text);
    if (frozen !== undefined) return frozen ?? undefined;
    return this.committed.get(bucket, key);
  }

  range(
    bucket: PlainBucketId,
    start: Uint8Array,
    end: Uint8Array | undefined,
    limit: number,
    visit: PairVisitor,
  ): void {
    this.checkReadable();
    rangeMergedPairs(this.committed, this.batches, bucket, start, end, limit, visit);
  }

  getRevision(main: number, sub: number, tombstone = false): Uint8Array | undefined {
    const code = revisionCode(sub, tombstone);
    const current = this.current.getRevision(main, code);
    if (current !== undefined) return current ?? undefined;
    const frozen = this.frozen?.getRevision(main, code);
    if (frozen !== undefined) return frozen ?? undefined;
    this.checkReadable();
    return this.committed.getRevision(main, sub, tombstone);
  }

  rangeRevisions(fromMain: number, fromSub: number, toMain: number, visit: RevisionVisitor): void {
    this.checkReadable();
    rangeMergedRevisions(this.committed, this.batches, fromMain, fromSub, toMain, visit);
  }

  scanRevisions(fromMain: number, fromSub: number, toMain: number, visit: RevisionVisitor): void {
    this.checkReadable();
    rangeMergedRevisions(this.committed, this.batches, fromMain, fromSub, toMain, visit, true);
  }

  // Committing

  commit(): Promise<void> {
    if (this.state !== 'open') return Promise.reject(this.stateError());
    if (this.isClean() && !this.isDue) return this.frozenCommitted();
    this.currentDone ??= new Deferred();
    const { promise } = this.currentDone;
    this.isDue = true;
    this.start();
    return promise;
  }

  pendingBytes(): number {
    return this.current.bytes + (this.frozen?.bytes ?? 0);
  }

  whenBelow(): Promise<void> | undefined {
    if (this.pendingBytes() <= this.pendingBytesMax) return undefined;
    if (this.state !== 'open') return Promise.reject(this.stateError());
    this.belowWaiter ??= new Deferred();
    this.isDue = true;
    this.start();
    return this.belowWaiter.promise;
  }

  private isClean(): boolean {
    return this.current.operations === 0 && this.consistentIndex === this.lastIndex();
  }

  /** The consistent index of the newest batch closed. */
  private lastIndex(): number {
    return this.frozen?.consistentIndex ?? this.committedIndex;
  }

  private written(): void {
    const { operations, bytes } = this.current;
    if (operations === 1) {
      this.timer ??= this.clock.setTimer(this.batchIntervalMs, () => {
        this.timer = undefined;
        this.isDue = true;
        this.start();
      });
    }
    if (this.isDue || (operations < this.batchLimit && bytes * batchBytesPart < this.pendingBytesMax)) return;
    this.isDue = true;
    // Not in the midst of an entry: its consistent index comes behind its writes.
    this.clock.defer(() => this.start());
  }

  private start(): void {
    if (this.isRunning || !this.isDue || this.pause !== undefined || this.state !== 'open') return;
    this.isRunning = true;
    this.run().then(
      () => {
        this.isRunning = false;
        this.start();
      },
      (error) => this.fail(error),
    );
  }

  /** Closes the current batch at once and commits it; and so on while another is due. */
  private async run(): Promise<void> {
    while (this.isDue && this.pause === undefined && this.state === 'open') {
      const batch = this.freeze();
      const startMs = this.clock.nowMs();
      const transaction = this.database.beginWrite();
      await writeBatch(transaction, batch, new Slice(this.clock));
      await transaction.commit();
      this.reopen();
      this.committedIndex = batch.consistentIndex;
      this.frozen = undefined;
      this.batches = [this.current];
      this.metrics.commitSeconds.observe((this.clock.nowMs() - startMs) / 1000);
      const done = this.frozenDone;
      this.frozenDone = undefined;
      done?.resolve();
      if (this.belowWaiter !== undefined && this.pendingBytes() <= this.pendingBytesMax) {
        this.belowWaiter.resolve();
        this.belowWaiter = undefined;
      }
    }
  }

  private freeze(): Batch {
    const batch = this.current;
    batch.consistentIndex = this.consistentIndex;
    batch.consistentTerm = this.consistentTerm;
    this.isDue = false;
    this.timer?.cancel();
    this.timer = undefined;
    this.frozen = batch;
    this.frozenDone = this.currentDone;
    this.currentDone = undefined;
    this.current = new Batch();
    this.batches = [batch, this.current];
    return batch;
  }

  /** Reads the newest commit from here on. */
  private reopen(): void {
    const before = this.committed;
    this.committed = new CommittedReader(this.database.beginRead());
    before.close();
  }

  async retire(): Promise<void> {
    this.isRetired = true;
    while (this.pause !== undefined) await this.pause;
  }

  abandon(): void {
    if (this.state !== 'open') return;
    this.failure = new Error('the member has stopped');
    this.state = 'failed';
    this.timer?.cancel();
    for (const waiter of [this.currentDone, this.belowWaiter]) waiter?.reject(this.stateError());
  }

  private fail(error: unknown): void {
    this.failure = error;
    this.state = 'failed';
    this.timer?.cancel();
    this.logger.error('failed to commit to the database', { path: this.path, error: String(error) });
    const failed = this.stateError();
    for (const waiter of [this.frozenDone, this.currentDone, this.belowWaiter]) waiter?.reject(failed);
    this.options.onFatal(error);
  }

  // The whole

  size(): number {
    this.checkReadable();
    return this.database.sizeBytes;
  }

  sizeInUse(): number {
    this.checkReadable();
    return this.database.stats().inUseBytes;
  }

  async hash(): Promise<number> {
    const view = await this.openView();
    const startMs = this.clock.nowMs();
    try {
      const hash = await hashBackend(this.clock, view);
      this.metrics.hashSeconds.observe((this.clock.nowMs() - startMs) / 1000);
      return hash;
    } finally {
      view.close();
    }
  }

  async openView(): Promise<BackendView> {
    await this.commit();
    return new CommittedReader(this.database.beginRead());
  }

  async snapshot(): Promise<BackendSnapshot> {
    await this.commit();
    const startMs = this.clock.nowMs();
    const image = this.database.image();
    const { consistentIndex, consistentTerm } = new CommittedReader(image.transaction);
    let isClosed = false;
    return {
      sizeBytes: image.sizeBytes,
      consistentIndex,
      consistentTerm,
      chunks: () => image.chunks(),
      close: () => {
        image.close();
        if (!isClosed) this.metrics.snapshotSeconds.observe((this.clock.nowMs() - startMs) / 1000);
        isClosed = true;
      },
    };
  }

  async defragment(): Promise<void> {
    const done = new Deferred();
    const startMs = this.clock.nowMs();
    await this.commit();
    // Another may have begun during the commit: two at once would each throw away what is committed to the file of the other.
    while (this.pause !== undefined) {
      await this.pause;
      await this.commit();
    }
    if (this.isRetired) throw new CodedError<BackendErrorCode>('backend/closed', `${this.path} is being replaced`);
    this.pause = done.promise;
    this.metrics.defragmentInflight.set(1);
    try {
      while (this.frozen !== undefined) await this.frozenCommitted();
      if (this.state !== 'open') throw this.stateError();
      await this.replaceFile();
      this.metrics.defragmentSeconds.observe((this.clock.nowMs() - startMs) / 1000);
    } finally {
      this.metrics.defragmentInflight.set(0);
      this.pause = undefined;
      done.resolve();
      this.start();
    }
  }

  /** Resolves once the batch being written is durable. */
  private frozenCommitted(): Promise<void> {
    if (this.frozen === undefined) return Promise.resolve();
    this.frozenDone ??= new Deferred();
    return this.frozenDone.promise;
  }

  private async replaceFile(): Promise<void> {
    const { disk } = this.deps;
    const old = this.database;
    const temporary = defragmentPath(this.path);
    const startMs = this.clock.nowMs();
    const before = { bytes: old.sizeBytes, inUseBytes: old.stats().inUseBytes };
    this.logger.info('defragmenting', { path: this.path, ...databaseSizeFields(before) });
    await old.compactTo(temporary);
    const compacted = await Database.open(this.deps, temporary, this.options);
    try {
      await disk.rename(temporary, this.path);
      await disk.syncDirectory(this.path.slice(0, Math.max(1, this.path.lastIndexOf('/'))));
    } catch (error) {
      // Which of the two files has the name after a crash is unknown.
      this.fail(error);
      await compacted.close();
      throw this.stateError();
    }
    this.database = compacted;
    this.reopen();
    old
      .closeAfterReads()
      .catch((error) => this.logger.warn('failed to close the file before defragmentation', { error: String(error) }));
    const after = { bytes: compacted.sizeBytes, inUseBytes: compacted.stats().inUseBytes };
    this.logger.info('finished defragmenting directory', {
      path: this.path,
      'current-db-size-bytes-diff': after.bytes - before.bytes,
      'current-db-size-in-use-bytes-diff': after.inUseBytes - before.inUseBytes,
      ...databaseSizeFields(after),
      took: `${(this.clock.nowMs() - startMs).toFixed(1)}ms`,
    });
  }

  async close(): Promise<void> {
    if (this.state === 'closed') return;
    try {
      if (this.state === 'failed') return;
      while (this.pause !== undefined) await this.pause;
      while (this.frozen !== undefined || !this.isClean()) await this.commit();
    } finally {
      this.state = 'closed';
      this.timer?.cancel();
      this.committed.close();
      await this.database.close();
    }
  }

  private writable(): Batch {
    if (this.state !== 'open') throw this.stateError();
    return this.current;
  }

  private checkReadable(): void {
    if (this.state === 'closed') throw this.stateError();
  }

  private stateError(): CodedError<BackendErrorCode> {
    if (this.state === 'closed') return new CodedError('backend/closed', 'the backend is closed');
    const cause = hasCode(this.failure, 'bbolt/failed') ? (this.failure as Error).cause : this.failure;
    return new CodedError('backend/failed', `a commit to ${this.path} failed: ${String(cause)}`, { cause });
  }
}
