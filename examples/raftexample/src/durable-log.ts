import type { Clock, Disk, Logger, Metrics, Random } from '@quorate/base';
import { MemoryStorage, type Ready, type Snapshot } from '@quorate/raft';
import {
  encodeWalMetadata,
  SnapshotStore,
  touchDirectory,
  validSnapshotEntries,
  Wal,
  walExists,
  zeroSnapshot,
} from '@quorate/storage';

/** What a node takes from its machine. */
export interface World {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface DurableLogOptions {
  readonly walDirectory: string;
  readonly snapshotDirectory: string;
  /** Whose log it is; stands in front of every file of it. */
  readonly nodeId: bigint;
  readonly clusterId: bigint;
  /** Of one file of the log. */
  readonly segmentBytes?: number;
}

const defaultSegmentBytes = 4 * 1024 * 1024;
/** Files that are kept of each kind, besides those that are needed. */
const filesKept = 5;

/**
 * What a node must not forget, on disk: a write-ahead log of entries and hard states, and snapshots, after which the log before is not
 * needed. Raft reads the same from `memory`, since it reads in the middle of a decision and cannot wait for a disk.
 */
export class DurableLog {
  readonly memory: MemoryStorage;
  private readonly wal: Wal;
  private readonly snapshots: SnapshotStore;

  private constructor(memory: MemoryStorage, wal: Wal, snapshots: SnapshotStore) {
    this.memory = memory;
    this.wal = wal;
    this.snapshots = snapshots;
  }

  /** Begins a log, or reads what the node left: its newest snapshot, and all entries behind it. */
  static async open(world: World, options: DurableLogOptions): Promise<DurableLog> {
    const { walDirectory: directory, snapshotDirectory, nodeId, clusterId } = options;
    const { segmentBytes = defaultSegmentBytes } = options;
    await touchDirectory(world.disk, snapshotDirectory);
    const snapshots = new SnapshotStore(world, snapshotDirectory);
    const memory = new MemoryStorage();
    if (!(await walExists(world, directory))) {
      const wal = await Wal.create(world, { directory, segmentBytes }, encodeWalMetadata({ nodeId, clusterId }));
      return new DurableLog(memory, wal, snapshots);
    }
    // Only a snapshot that the log has a record of counts: another was being written when the node stopped.
    const snapshot = await snapshots.loadNewest(await validSnapshotEntries(world, directory));
    const { wal, content } = await Wal.open(world, { directory, segmentBytes }, snapshot?.metadata ?? zeroSnapshot);
    if (snapshot !== undefined) memory.applySnapshot(snapshot);
    memory.setHardState(content.hardState);
    memory.append(content.entries);
    return new DurableLog(memory, wal, snapshots);
  }

  /** Stores what a Ready says; when this resolves, no power failure takes it back. After a failure the node must stop. */
  async save({ snapshot, entries, hardState }: Ready): Promise<void> {
    const { memory, wal } = this;
    if (snapshot !== undefined) await this.saveSnapshot(snapshot);
    wal.append(hardState, entries);
    // Costs nothing where only the commit index has changed: that need not be durable, since the leader tells it again.
    await wal.sync();
    if (snapshot !== undefined) memory.applySnapshot(snapshot);
    if (hardState !== undefined) memory.setHardState(hardState);
    memory.append(entries);
  }

  /**
   * Puts a snapshot of the state in place of the entries that made it. Some of them stay in memory: a follower that is a little behind gets
   * these, which is cheaper than the whole state.
   */
  async compact({ data, metadata }: Snapshot, keepEntries: number): Promise<void> {
    const { memory, snapshots, wal } = this;
    await this.saveSnapshot(memory.createSnapshot(metadata.index, metadata.confState, data));
    const last = metadata.index - keepEntries;
    if (last >= memory.firstIndex()) memory.compact(last);
    await snapshots.purge(filesKept);
    await wal.purge(filesKept);
  }

  /** The file first, then the log's record that there is one: a crash in between leaves a file that nobody looks at. */
  private async saveSnapshot(snapshot: Snapshot): Promise<void> {
    const { index, term, confState } = snapshot.metadata;
    await this.snapshots.save(snapshot);
    await this.wal.saveSnapshot({ index, term, confState });
    await this.wal.release(index);
  }

  close(): Promise<void> {
    return this.wal.close();
  }
}
