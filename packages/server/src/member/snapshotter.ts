import type { Clock, Logger, Timer } from '@quorate/base';
import { type Cluster, encodeV2Store } from '@quorate/machine';
import { type ConfState, emptyBytes, type MemoryStorage } from '@quorate/raft';
import type { Backend, SnapshotStore, Wal } from '@quorate/storage';

export interface SnapshotterDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly backend: Backend;
  readonly wal: Wal;
  readonly snapshots: SnapshotStore;
  readonly raftStorage: MemoryStorage;
  readonly cluster: Cluster;
  readonly onFatal: (error: unknown) => void;
}

export interface SnapshotterOptions {
  /** Applied entries between two snapshots on disk. */
  readonly snapshotCount: number;
  /** Entries kept in memory behind what is applied, for followers. */
  readonly catchUpEntries: number;
  readonly walsMax: number;
  readonly snapshotsMax: number;
}

/** How many applied entries, and bytes of them, the log in memory may grow before it is cut. */
const compactEveryEntries = 1000;
const compactEveryBytes = 64 * 1024 * 1024;
/** A snapshot is due after so many bytes of entries, too: a restart reads all that is behind the last one into memory. */
const snapshotEveryBytes = 256 * 1024 * 1024;
/** Entries kept in memory by the only member: nobody has to catch up. */
const catchUpEntriesAlone = 100;
const purgeEveryMs = 30_000;

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
    if (index - this.compactedAt >= compactEveryEntries || bytes - this.compactedBytes >= compactEveryBytes) {
      this.compactedBytes = bytes;
      this.compactMemory(index, confState);
    }
    if (this.running !== undefined || this.stopped) return;
    if (index - this.lastIndex <= this.options.snapshotCount && bytes - this.lastBytes < snapshotEveryBytes) return;
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
    const { catchUpEntries } = this.options;
    const isAlone = confState.voters.length + confState.learners.length + confState.votersOutgoing.length === 1;
    const keepFrom = index - (isAlone ? Math.min(catchUpEntries, catchUpEntriesAlone) : catchUpEntries);
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
    await backend.commit();
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
