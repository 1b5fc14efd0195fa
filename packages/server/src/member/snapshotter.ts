import type { Clock, Logger, Timer } from '@quorate/base';
import { type Cluster, encodeV2Store } from '@quorate/machine';
import { type ConfState, emptyBytes, type MemoryStorage, type Ready, type Snapshot } from '@quorate/raft';
import type { Backend, SnapshotStore, Wal } from '@quorate/storage';

export interface SnapshotterDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The backend now: a received snapshot brings another. */
  readonly backend: () => Backend;
  readonly wal: Wal;
  readonly snapshots: SnapshotStore;
  readonly raftStorage: MemoryStorage;
  readonly cluster: Cluster;
  /** Up to where raft has been told that entries are applied: it may still look at those behind. */
  readonly raftApplied: () => number;
  readonly onFatal: (error: unknown) => void;
}

export interface SnapshotterOptions {
  /** Applied entries between two snapshots on disk. */
  readonly snapshotCount: number;
  /** Entries kept in memory behind what is applied, for followers. */
  readonly catchUpEntries: number;
  /** Applied entries that the log in memory may grow before it is cut. */
  readonly compactEveryEntries?: number | undefined;
  readonly walsMax: number;
  readonly snapshotsMax: number;
}

/** How many applied entries, and bytes of them, the log in memory may grow before it is cut. */
const compactEveryEntriesDefault = 1000;
const compactEveryBytes = 64 * 1024 * 1024;
/** A snapshot is due after so many bytes of entries, too: a restart reads all that is behind the last one into memory. */
const snapshotEveryBytes = 256 * 1024 * 1024;
/** Entries kept in memory by the only member: nobody has to catch up. */
const catchUpEntriesAlone = 100;
const purgeEveryMs = 30_000;
/** How long entries stay in memory after a snapshot was sent: its receiver needs those behind it (etcd's figure). */
const keepAfterSendMs = 30_000;

/** Keeps the log short: snapshots on disk after so many entries, fewer entries in memory, old files removed. */
export class Snapshotter {
  private readonly deps: SnapshotterDeps;
  private readonly options: SnapshotterOptions;
  private lastIndex: number;
  private lastBytes = 0;
  private compactedAt: number;
  private compactedBytes = 0;
  private running: Promise<void> | undefined;
  private stopped = false;
  /** Snapshots on their way to other members. */
  private sending = 0;
  private isReceiving = false;
  private isForced = false;
  private keptUntilMs = Number.NEGATIVE_INFINITY;
  private purgeTimer: Timer | undefined;

  /** @param startIndex index of the snapshot the member started from. */
  constructor(deps: SnapshotterDeps, options: SnapshotterOptions, startIndex: number) {
    this.deps = deps;
    this.options = options;
    this.lastIndex = startIndex;
    this.compactedAt = startIndex;
    this.purgeLater();
  }

  /** Called after each applied batch. @param bytes of all entries applied since the start. */
  applied(index: number, term: number, confState: ConfState, bytes: number): void {
    // While the log is read again after a restart, members and configuration are those of the database, which is ahead.
    if (index < this.deps.backend().consistentIndex) return;
    const { compactEveryEntries = compactEveryEntriesDefault } = this.options;
    if (index - this.compactedAt >= compactEveryEntries || bytes - this.compactedBytes >= compactEveryBytes) {
      this.compactedBytes = bytes;
      this.compactMemory(index, confState);
    }
    if (this.running !== undefined || this.stopped || this.isReceiving) return;
    if (!this.isDue(index, bytes)) return;
    this.isForced = false;
    this.lastBytes = bytes;
    this.running = this.save(index, term, confState).then(
      () => {
        this.running = undefined;
      },
      (error) => {
        // Stopping closes the files under a snapshot on its way; that loses nothing, the log still has all.
        if (!this.stopped) this.deps.onFatal(error);
      },
    );
  }

  private isDue(index: number, bytes: number): boolean {
    if (this.isForced && index > this.lastIndex) return true;
    return index - this.lastIndex > this.options.snapshotCount || bytes - this.lastBytes >= snapshotEveryBytes;
  }

  /** A snapshot is due with the next batch. */
  force(): void {
    this.isForced = true;
  }

  /** Of the newest snapshot on disk. */
  get index(): number {
    return this.lastIndex;
  }

  /** A snapshot is on its way to another member, which needs the entries behind it: none is let go. @returns what ends that. */
  keepEntries(): () => void {
    this.sending++;
    return () => {
      this.sending--;
      this.keptUntilMs = this.deps.clock.nowMs() + keepAfterSendMs;
    };
  }

  /** Makes a leader's snapshot durable with what came beside it, in etcd's order; own snapshots wait until {@link received}. */
  async saveReceived({ metadata, data }: Snapshot, ready: Ready): Promise<void> {
    const { wal, snapshots } = this.deps;
    // One of an older index that is under way would release what is needed, and name a database that is about to go.
    this.isReceiving = true;
    await this.running;
    await snapshots.save({ data, metadata });
    await wal.saveSnapshot({ index: metadata.index, term: metadata.term, confState: metadata.confState });
    wal.append(ready.hardState, ready.entries);
    await wal.sync();
    await wal.release(metadata.index);
  }

  /** The state machine stands on a leader's snapshot. */
  received(index: number, bytes: number): void {
    this.isReceiving = false;
    this.lastIndex = index;
    this.lastBytes = bytes;
    this.compactedAt = index;
    this.compactedBytes = bytes;
  }

  /** Resolves when no snapshot is on its way any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.purgeTimer?.cancel();
    await this.running;
  }

  private compactMemory(index: number, confState: ConfState): void {
    const { raftStorage } = this.deps;
    this.compactedAt = index;
    raftStorage.createSnapshot(index, confState, emptyBytes);
    if (this.sending > 0 || this.deps.clock.nowMs() < this.keptUntilMs) return;
    const { catchUpEntries } = this.options;
    const isAlone = confState.voters.length + confState.learners.length + confState.votersOutgoing.length === 1;
    const catchUp = isAlone ? Math.min(catchUpEntries, catchUpEntriesAlone) : catchUpEntries;
    // Raft is told only when the batch is durable, and a tick may come before: who stands for election looks through all that follows.
    const keepFrom = Math.min(index - catchUp, this.deps.raftApplied());
    if (keepFrom > raftStorage.firstIndex()) raftStorage.compact(keepFrom);
  }

  private async save(index: number, term: number, confState: ConfState): Promise<void> {
    const { backend, wal, snapshots, cluster, logger } = this.deps;
    const data = encodeV2Store(cluster.state);
    logger.info('triggering snapshot', {
      'local-member-applied-index': index,
      'local-member-snapshot-index': this.lastIndex,
    });
    // The database must have reached the index before anything says that the log up to there is not needed.
    await backend().commit();
    await snapshots.save({ data, metadata: { confState, index, term } });
    await wal.saveSnapshot({ index, term, confState });
    await wal.release(index);
    await snapshots.removeDatabasesBefore(index);
    this.lastIndex = index;
    logger.info('saved snapshot to disk', { 'snapshot-index': index });
  }

  private purgeLater(): void {
    this.purgeTimer = this.deps.clock.setTimer(purgeEveryMs, () => {
      if (this.stopped) return;
      this.purge().catch((error: unknown) => this.deps.logger.warn('failed to purge files', { error: String(error) }));
      this.purgeLater();
    });
  }

  private async purge(): Promise<void> {
    const { snapshots, wal, logger } = this.deps;
    const names = [...(await snapshots.purge(this.options.snapshotsMax)), ...(await wal.purge(this.options.walsMax))];
    if (names.length > 0) logger.info('purged', { files: names });
  }
}
