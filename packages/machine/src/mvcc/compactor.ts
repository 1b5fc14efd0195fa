import { delay, latin1ToBytes, nextTurn } from '@quorate/base';
import { BucketId, encodeRevisionKey, MetaKey } from '@quorate/storage';
import type { CompactionHash } from './compaction-hashes.ts';
import { DroppedList } from './dropped-list.ts';
import { hashForCompaction } from './hash.ts';
import { Pins } from './pins.ts';
import type { MvccStore } from './store.ts';

export interface CompactorOptions {
  readonly batch: number;
  readonly pauseMs: number;
  readonly pinMsMax: number;
}

interface Job {
  readonly revision: number;
  /** The compacted revision before it; undefined when the compaction there was not finished, and this one computes no hash. */
  readonly hashFrom: number | undefined;
}

/** How often a compaction looks whether the readers it waits for are done. */
const pinPollMs = 5;
const sliceMs = 2;
/** Ids looked at between two looks at the clock. */
const idsPerLook = 256;
/** Blocks of history freed between two looks, mostly small ones; the largest have 512 revisions. */
const blocksPerLook = 64;

/**
 * Deletes in the background what compactions made unreadable, one compaction after the other. Of each it
 *
 * 1. makes the mark `scheduledCompactRev` durable, so that a restart takes the work up again;
 * 2. hashes the records up to it in slices of 2 ms, for the members to compare;
 * 3. waits for readers below it (at most `pinMsMax`, then they fail);
 * 4. walks the index in slices of 2 ms, takes out what goes, and gathers the revisions;
 * 5. deletes them from the backend in ascending order, `batch` at a time with a pause between;
 * 6. writes `finishedCompactRev` in the same synchronous stretch as the last batch, and commits.
 *
 * But for the hash it never looks at records that stay, so its cost is in what it deletes and one short step a key.
 */
export class Compactor {
  private readonly store: MvccStore;
  private readonly options: CompactorOptions;
  readonly pins = new Pins();
  private readonly queue: Job[] = [];
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(store: MvccStore, options: CompactorOptions) {
    this.store = store;
    this.options = options;
  }

  /**
   * @param hashFrom the compacted revision before, when all that was below it is deleted: then the compaction computes a hash.
   * @returns a promise that resolves when the compaction at `revision` is on disk; it never does once stopped.
   */
  schedule(revision: number, hashFrom?: number): Promise<void> {
    this.queue.push({ revision, hashFrom });
    if (this.running === undefined) {
      this.running = this.run();
      this.running.catch((error) => this.store.logger.error('compaction failed', { error }));
    }
    return this.running;
  }

  /** Resolves when nothing is left to delete and all of it is committed. */
  whenIdle(): Promise<void> {
    return this.running ?? Promise.resolve();
  }

  stop(): void {
    this.stopped = true;
  }

  private async run(): Promise<void> {
    try {
      await nextTurn(this.store.clock);
      while (this.queue.length > 0 && !this.stopped) {
        // A later compaction covers an earlier one that has not begun.
        const jobs = this.queue.splice(0);
        await this.compact(Math.max(...jobs.map((job) => job.revision)), jobs);
      }
    } finally {
      this.running = undefined;
    }
  }

  private async compact(revision: number, jobs: readonly Job[]): Promise<void> {
    const { backend, clock, logger, metrics } = this.store;
    const startedMs = clock.nowMs();
    await backend.commit();
    const hashes = await this.hashJobs(jobs);
    await this.waitForReaders(revision);
    const dropped = new DroppedList();
    const walkedMs = clock.nowMs();
    await this.walkIndex(revision, dropped);
    const deletedMs = clock.nowMs();
    metrics.indexCompactionMs.observe(deletedMs - walkedMs);
    if (!(await this.deleteAll(revision, dropped))) return;
    for (const hash of hashes) this.store.compactionHashes.add(hash);
    metrics.compactedRevisions.add(dropped.count);
    metrics.compactionMs.observe(clock.nowMs() - deletedMs);
    metrics.lastCompaction.set(clock.wallMs() / 1000);
    await backend.commit();
    logger.info('finished scheduled compaction', {
      'compact-revision': revision,
      'deleted-revisions': dropped.count,
      took: `${(clock.nowMs() - startedMs).toFixed(1)}ms`,
    });
  }

  private async hashJobs(jobs: readonly Job[]): Promise<CompactionHash[]> {
    const hashes: CompactionHash[] = [];
    for (const { revision, hashFrom } of jobs) {
      if (hashFrom === undefined || this.stopped) continue;
      const hash = await hashForCompaction(this.store, revision, hashFrom, () => this.stopped);
      if (hash !== undefined) hashes.push({ ...hash, compactRevision: hashFrom, hashRevision: revision });
    }
    return hashes;
  }

  private async waitForReaders(revision: number): Promise<void> {
    const { clock, logger } = this.store;
    const endMs = clock.nowMs() + this.options.pinMsMax;
    while (this.pins.hasBelow(revision) && !this.stopped) {
      if (clock.nowMs() >= endMs) {
        const readers = this.pins.breakBelow(revision);
        logger.warn('compaction broke off slow readers', { 'compact-revision': revision, readers });
        return;
      }
      await delay(clock, pinPollMs);
    }
  }

  private async walkIndex(revision: number, dropped: DroppedList): Promise<void> {
    const { clock, index, keyGone } = this.store;
    let isReleased = true;
    for (let id = 1; (id !== 0 || !isReleased) && !this.stopped; ) {
      const endMs = clock.nowMs() + sliceMs;
      do {
        if (isReleased) id = index.compactIds(id, idsPerLook, revision, dropped, keyGone);
        isReleased = index.releaseDropped(blocksPerLook, dropped);
      } while ((id !== 0 || !isReleased) && clock.nowMs() < endMs);
      if (id !== 0 || !isReleased) await nextTurn(clock);
    }
  }

  /** @returns false when it was stopped before the end. */
  private async deleteAll(revision: number, dropped: DroppedList): Promise<boolean> {
    const { backend, clock, metrics } = this.store;
    const { batch, pauseMs } = this.options;
    for (;;) {
      if (this.stopped) return false;
      const startedMs = clock.nowMs();
      const deleted = dropped.take(batch, (main, sub, isTombstone) => backend.deleteRevision(main, sub, isTombstone));
      metrics.compactionBatchMs.observe(clock.nowMs() - startedMs);
      if (deleted < batch) break;
      await delay(clock, pauseMs);
      await backend.whenBelow();
    }
    const key = latin1ToBytes(MetaKey.finishedCompactRevision);
    backend.put(BucketId.meta, key, encodeRevisionKey(revision, 0, false));
    return true;
  }
}
