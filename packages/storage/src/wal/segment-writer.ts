import type { Clock, Disk, DiskFile, Histogram, Logger } from '@quorate/base';
import type { SegmentCut, Slab } from './record-encoder.ts';
import { parseSegmentName, type SegmentName, segmentName } from './segment-name.ts';
import { SegmentPipeline } from './segment-pipeline.ts';
import type { WalDeps } from './types.ts';
import { fsyncBuckets } from './wal-metrics.ts';
import { ZeroFiller } from './zero-filler.ts';

const slowSyncMs = 1000;

/**
 * A segment that this process keeps from being purged. Those found at the start are locked; those begun later are not, because
 * taking a lock would hold the event loop at every cut: the lock of the database keeps others out.
 */
export interface HeldSegment extends SegmentName {
  readonly file: DiskFile;
}

export interface SegmentWriterOptions {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly preallocation: 'zeros' | 'sparse';
  /** Never syncs: for tests and throw-away members (`--unsafe-no-fsync`). */
  readonly unsafeNoSync: boolean;
}

/** The physical side of the log: puts encoded records at the end of the last segment, and begins new segments. */
export class SegmentWriter {
  /** Ascending; the last one is written. */
  readonly held: HeldSegment[];
  private readonly disk: Disk;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly options: SegmentWriterOptions;
  private readonly syncSeconds: Histogram;
  private readonly pipeline: SegmentPipeline;
  private file: DiskFile;
  private filler: ZeroFiller | undefined;
  private position: number;

  /**
   * @param held open and locked segments; the last one has only zeros from `position` on.
   * @param onFailure told when work in the background failed; the log is unsound then.
   */
  constructor(
    deps: WalDeps,
    options: SegmentWriterOptions,
    held: HeldSegment[],
    position: number,
    onFailure: (error: unknown) => void,
  ) {
    this.disk = deps.disk;
    this.clock = deps.clock;
    this.logger = deps.logger;
    this.options = options;
    this.held = held;
    this.position = position;
    this.file = (held.at(-1) as HeldSegment).file;
    this.pipeline = new SegmentPipeline(deps.disk, options, onFailure);
    const help = 'The latency distributions of fsync called by WAL.';
    this.syncSeconds = deps.metrics.histogram('etcd_disk_wal_fsync_duration_seconds', help, fsyncBuckets);
    if (options.preallocation === 'zeros') {
      this.filler = new ZeroFiller(this.file, position, options.segmentBytes, onFailure);
      this.filler.allow(options.segmentBytes);
    }
  }

  /** Writes the slab's records and makes them durable. Only one call at a time. */
  async write(slab: Slab): Promise<void> {
    const { bytes, cuts } = slab;
    await this.put(bytes.subarray(0, cuts[0]?.at ?? slab.length), cuts.length === 0);
    for (let i = 0; i < cuts.length; i++) {
      const cut = cuts[i] as SegmentCut;
      await this.finishSegment();
      await this.beginSegment(cut, bytes.subarray(cut.at, cuts[i + 1]?.at ?? slab.length));
    }
    this.pipeline.advance(this.position);
  }

  private async put(records: Uint8Array, sync: boolean): Promise<void> {
    if (records.length === 0) return;
    const { position } = this;
    this.position = position + records.length;
    const zerosUnderWay = this.filler?.reserve(this.position);
    if (zerosUnderWay !== undefined) await zerosUnderWay;
    if (!sync || this.options.unsafeNoSync) return this.file.write([records], position);
    const startMs = this.clock.nowMs();
    await this.file.writeAndDatasync([records], position);
    this.observe(startMs);
  }

  private observe(startMs: number): void {
    const tookMs = this.clock.nowMs() - startMs;
    this.syncSeconds.observe(tookMs / 1000);
    if (tookMs > slowSyncMs) {
      this.logger.warn('slow fdatasync', { took: `${tookMs}ms`, 'expected-duration': `${slowSyncMs}ms` });
    }
  }

  private async sync(): Promise<void> {
    if (this.options.unsafeNoSync) return;
    const startMs = this.clock.nowMs();
    await this.file.datasync();
    this.observe(startMs);
  }

  /** A finished segment ends with its last record. */
  private async finishSegment(): Promise<void> {
    await this.filler?.stop();
    this.filler = undefined;
    await this.file.truncate(this.position);
    await this.sync();
  }

  /** The new segment gets its name only when its head is durable, so that no reader meets one without. */
  private async beginSegment(cut: SegmentCut, records: Uint8Array): Promise<void> {
    const { directory } = this.options;
    const { file, filler, path } = await this.pipeline.take();
    this.file = file;
    this.filler = filler;
    this.position = 0;
    await this.put(records, true);
    const name = segmentName(cut.sequence, cut.index);
    await this.disk.rename(path, `${directory}/${name}`);
    const startMs = this.clock.nowMs();
    await this.disk.syncDirectory(directory);
    this.observe(startMs);
    this.held.push({ name, sequence: cut.sequence, index: cut.index, file });
    filler?.allow(this.options.segmentBytes);
    this.logger.info('created a new WAL segment', { path: `${directory}/${name}` });
  }

  /** Lets go of the segments before the one in front of the first that begins at or behind `index`. */
  async release(index: number): Promise<void> {
    const { held } = this;
    const found = held.findIndex((segment) => segment.index >= index);
    const count = (found < 0 ? held.length : found) - 1;
    if (count <= 0) return;
    for (const segment of held.splice(0, count)) await segment.file.close();
  }

  /**
   * Removes the oldest segments until `countMax` are left; stops at the first that we or another process hold.
   * @returns the names removed.
   */
  async purge(countMax: number): Promise<string[]> {
    const { directory } = this.options;
    const names = (await this.disk.list(directory)).filter((name) => parseSegmentName(name) !== undefined);
    const removed: string[] = [];
    while (names.length > countMax) {
      const name = names.shift() as string;
      if (this.held.some((segment) => segment.name === name) || (await this.isLocked(name))) break;
      await this.disk.remove(`${directory}/${name}`);
      this.logger.info('purged', { path: `${directory}/${name}` });
      removed.push(name);
    }
    return removed;
  }

  private async isLocked(name: string): Promise<boolean> {
    const file = await this.disk.open(`${this.options.directory}/${name}`);
    try {
      return await file.isLockedElsewhere();
    } finally {
      await file.close();
    }
  }

  async close(): Promise<void> {
    await this.filler?.stop();
    await this.pipeline.close();
    for (const segment of this.held.splice(0)) await segment.file.close();
  }
}
