import { CodedError, type DiskFile, type Histogram, hasCode, type Random } from '@quorate/base';
import { purgeFiles } from '../datadir/purge-files.ts';
import { hex16 } from '../wal/segment-name.ts';
import type { WalDeps, WalSnapshot } from '../wal/types.ts';
import { fsyncBuckets } from '../wal/wal-metrics.ts';
import { decodeSnapshotFile, encodeSnapshotFile, type Snapshot } from './snapshot-codec.ts';

export interface SnapshotStoreDeps extends WalDeps {
  readonly random: Random;
}

const suffix = '.snap';
const databaseSuffix = '.snap.db';
/** Seconds: 0.1 doubling 9 times. */
const databaseBuckets: readonly number[] = Array.from({ length: 10 }, (_, i) => 2 ** i / 10);

/**
 * The raft snapshots of a member, in `member/snap` beside the database:
 *
 *     TERM-INDEX.snap    16 hexadecimal digits each: membership and the index that the database has reached at least
 *     INDEX.snap.db      a database received from the leader, which takes the place of `db` when the snapshot is applied
 *     tmpRANDOM          such a database on its way
 *     NAME.snap.broken   a snapshot that could not be read
 */
export class SnapshotStore {
  readonly directory: string;
  private readonly deps: SnapshotStoreDeps;
  private readonly syncSeconds: Histogram;
  private readonly saveSeconds: Histogram;
  private readonly encodeSeconds: Histogram;
  private readonly databaseSyncSeconds: Histogram;
  private readonly databaseSaveSeconds: Histogram;

  constructor(deps: SnapshotStoreDeps, directory: string) {
    this.deps = deps;
    this.directory = directory;
    const histogram = (name: string, help: string, bounds = fsyncBuckets): Histogram =>
      deps.metrics.histogram(name, help, bounds);
    this.syncSeconds = histogram(
      'etcd_snap_fsync_duration_seconds',
      'The latency distributions of fsync called by snap.',
    );
    this.saveSeconds = histogram(
      'etcd_debugging_snap_save_total_duration_seconds',
      'The total latency distributions of save called by snapshot.',
    );
    this.encodeSeconds = histogram(
      'etcd_debugging_snap_save_marshalling_duration_seconds',
      'The marshalling cost distributions of save called by snapshot.',
    );
    this.databaseSyncSeconds = histogram(
      'etcd_snap_db_fsync_duration_seconds',
      'The latency distributions of fsyncing .snap.db file',
    );
    this.databaseSaveSeconds = histogram(
      'etcd_snap_db_save_total_duration_seconds',
      'The total latency distributions of v3 snapshot save',
      databaseBuckets,
    );
  }

  /** Makes the snapshot's file durable; one of index 0 is none. The log's record of it comes after. On a failure nothing is left of it. */
  async save(snapshot: Snapshot): Promise<void> {
    const { disk, clock } = this.deps;
    const { index, term } = snapshot.metadata;
    if (index === 0) return;
    const startMs = clock.nowMs();
    const bytes = encodeSnapshotFile(snapshot);
    const encodedMs = clock.nowMs();
    this.encodeSeconds.observe((encodedMs - startMs) / 1000);
    const path = `${this.directory}/${snapshotName(term, index)}`;
    const file = await disk.open(path, { write: true, create: true, mode: 0o666 });
    try {
      await file.truncate(0);
      await file.write([bytes], 0);
      await file.sync();
      await file.close();
    } catch (error) {
      await this.discard(file);
      throw error;
    }
    await disk.syncDirectory(this.directory);
    this.syncSeconds.observe((clock.nowMs() - encodedMs) / 1000);
    this.saveSeconds.observe((clock.nowMs() - startMs) / 1000);
  }

  /**
   * The newest snapshot that can be read; with `recorded`, the newest of those that the log has a record of. One that cannot be read
   * is renamed to `.broken`, and the one before it tried.
   */
  async loadNewest(recorded?: readonly WalSnapshot[]): Promise<Snapshot | undefined> {
    for (const name of (await this.names()).reverse()) {
      const snapshot = await this.read(name);
      if (snapshot === undefined) continue;
      const { index, term } = snapshot.metadata;
      if (recorded === undefined || recorded.some((record) => record.index === index && record.term === term))
        return snapshot;
    }
    return undefined;
  }

  /** Names of the `.snap` files, ascending: the newest term and in it the highest index is last. */
  async names(): Promise<string[]> {
    return (await this.deps.disk.list(this.directory)).filter((name) => name.endsWith(suffix));
  }

  private async read(name: string): Promise<Snapshot | undefined> {
    const { disk, logger } = this.deps;
    const path = `${this.directory}/${name}`;
    try {
      return decodeSnapshotFile(await disk.readFile(path));
    } catch (error) {
      logger.warn('failed to read a snap file', {
        path,
        error: error instanceof Error ? error.message : String(error),
      });
      await disk.rename(path, `${path}.broken`);
      logger.warn('renamed to a broken snap file', { path, 'broken-path': `${path}.broken` });
      return undefined;
    }
  }

  /** Where the database received with the snapshot of that index lies, if it does. */
  async databasePath(index: number): Promise<string | undefined> {
    const path = `${this.directory}/${databaseName(index)}`;
    return (await this.deps.disk.exists(path)) ? path : undefined;
  }

  /**
   * Stores a database that the leader sends with the snapshot of that index. One that is there already stays.
   * @returns its size in bytes.
   */
  async saveDatabase(index: number, chunks: AsyncIterable<Uint8Array>): Promise<number> {
    const { disk, clock, random, logger } = this.deps;
    const startMs = clock.nowMs();
    const file = await disk.open(`${this.directory}/tmp${random.nextUint32()}`, {
      write: true,
      create: true,
      exclusive: true,
      mode: 0o600,
    });
    let size = 0;
    try {
      for await (const chunk of chunks) {
        await file.write([chunk], size);
        size += chunk.length;
      }
      const syncMs = clock.nowMs();
      await file.sync();
      this.databaseSyncSeconds.observe((clock.nowMs() - syncMs) / 1000);
      await file.close();
      const path = `${this.directory}/${databaseName(index)}`;
      if (await disk.exists(path)) await disk.remove(file.path);
      else await disk.rename(file.path, path);
      await disk.syncDirectory(this.directory);
      logger.info('saved database snapshot to disk', { path, bytes: size });
    } catch (error) {
      await this.discard(file);
      throw error;
    }
    this.databaseSaveSeconds.observe((clock.nowMs() - startMs) / 1000);
    return size;
  }

  /** Puts the database received with the snapshot of that index in the place of `databaseFile`. @throws CodedError snap/no-database */
  async installDatabase(index: number, databaseFile: string): Promise<void> {
    const path = await this.databasePath(index);
    if (path === undefined) {
      const name = databaseName(index);
      throw new CodedError('snap/no-database', `snap: snapshot file doesn't exist: ${this.directory}/${name}`);
    }
    await this.deps.disk.rename(path, databaseFile);
    await this.deps.disk.syncDirectory(this.directory);
  }

  /** Removes received databases of snapshots before `index`, which nobody will apply any more. @returns their names. */
  async removeDatabasesBefore(index: number): Promise<string[]> {
    const { disk, logger } = this.deps;
    const removed: string[] = [];
    for (const name of await disk.list(this.directory)) {
      if (!name.endsWith(databaseSuffix)) continue;
      const of = Number.parseInt(name, 16);
      if (!(of < index)) continue;
      await disk.remove(`${this.directory}/${name}`);
      logger.info('found orphaned .snap.db file; deleting', { path: `${this.directory}/${name}` });
      removed.push(name);
    }
    return removed;
  }

  /** Removes what a crash left half done: databases on their way, and a defragmentation's. @returns their names. */
  async removeLeftovers(): Promise<string[]> {
    const { disk, logger } = this.deps;
    const names = (await disk.list(this.directory)).filter((name) => /^(tmp|db\.tmp)/.test(name));
    for (const name of names) {
      await disk.remove(`${this.directory}/${name}`);
      logger.info('removed a leftover file', { path: `${this.directory}/${name}` });
    }
    return names;
  }

  /** Removes the oldest `.snap` and `.snap.db` files until `countMax` of each are left; 0 keeps all. @returns their names. */
  async purge(countMax: number): Promise<string[]> {
    if (countMax === 0) return [];
    return [
      ...(await purgeFiles(this.deps, this.directory, databaseSuffix, countMax)),
      ...(await purgeFiles(this.deps, this.directory, suffix, countMax)),
    ];
  }

  private async discard(file: DiskFile): Promise<void> {
    try {
      await file.close();
      await this.deps.disk.remove(file.path);
    } catch (error) {
      // The failure that brought us here is the one to tell of.
      if (!hasCode(error, 'disk/not-found')) {
        this.deps.logger.warn('failed to remove a broken snapshot file', { path: file.path, error: String(error) });
      }
    }
  }
}

/** @returns `%016x-%016x.snap` */
export function snapshotName(term: number, index: number): string {
  return `${hex16(term)}-${hex16(index)}${suffix}`;
}

/** @returns `%016x.snap.db` */
export function databaseName(index: number): string {
  return `${hex16(index)}${databaseSuffix}`;
}
