import { assert, CodedError, type DiskFile, type Gauge, type Histogram, hasCode } from '@quorate/base';
import { parentOf } from '../datadir/parent-of.ts';
import { encodeWalSnapshot } from './raft-codec.ts';
import { repairWal, walExists } from './read-wal.ts';
import { RecordEncoder, RecordType } from './record-encoder.ts';
import type { ReadEnd } from './record-reader.ts';
import { type SegmentName, segmentName } from './segment-name.ts';
import { type HeldSegment, SegmentWriter, type SegmentWriterOptions } from './segment-writer.ts';
import { type Entry, type HardState, isEmptyHardState, type WalDeps, type WalSnapshot, zeroSnapshot } from './types.ts';
import { ContentCollector, closeAll, collect, openSegments, selectSegments, type WalContent } from './wal-content.ts';
import { type WalError, walError } from './wal-error.ts';
import { fsyncBuckets } from './wal-metrics.ts';

export interface WalOptions {
  /** Holds the segments and nothing else. */
  readonly directory: string;
  /** After an append that brings a segment to this size the next one begins. 64,000,000 as in etcd. */
  readonly segmentBytes?: number;
  /** `zeros` (default) writes a segment's blocks before the log gets there; `sparse` only sets its size: cheaper where disks are simulated. */
  readonly preallocation?: 'zeros' | 'sparse';
  readonly unsafeNoSync?: boolean;
}

export interface OpenedWal {
  readonly wal: Wal;
  readonly content: WalContent;
}

const resolved = Promise.resolve();

/**
 * A member's write-ahead log, byte for byte that of etcd 3.4 to 3.6.
 *
 *     append(state, entries) ... append(state, entries)     encode into the slab that fills
 *     sync() ----------------------------------------+      one write and one fdatasync for all of it
 *        append(...)   the other slab fills meanwhile |
 *        sync()        waits, then writes that one    v    resolves
 *
 * When an append brings the segment to its full size, the head of the next segment is encoded right behind, and the slab
 * remembers the place: the running checksum goes through the cut, so it cannot be put in between later. The next write then
 * ends the old file there and begins the new one.
 *
 * After a failed write or sync nobody knows what the disk holds: from then on everything throws one and the same error of
 * code `wal/failed`, and only a new start, which reads the log, goes on.
 */
export class Wal {
  readonly directory: string;
  readonly metadata: Uint8Array;
  private readonly encoder: RecordEncoder;
  private readonly writer: SegmentWriter;
  private readonly segmentBytes: number;
  private readonly encodeSeconds: Histogram;
  private readonly writtenBytes: Gauge;
  private readonly deps: WalDeps;
  private written = 0;
  /** Of the segment that the encoder is in. */
  private sequence: number;
  /** Position in that segment of the slab's byte 0; negative when it began within the slab. */
  private slabPosition: number;
  private state: HardState;
  /** Of the newest snapshot record written. */
  private snapshotIndex = 0;
  private last: number;
  private needsSync = false;
  private failure: WalError | undefined;
  private inFlight: Promise<void> | undefined;
  private queued: Promise<void> | undefined;

  private constructor(
    deps: WalDeps,
    options: WalOptions,
    metadata: Uint8Array,
    segments: HeldSegment[],
    end: Pick<ReadEnd, 'position' | 'crc'>,
    content: { readonly hardState: HardState; readonly lastIndex: number },
  ) {
    this.deps = deps;
    this.directory = options.directory;
    this.metadata = metadata;
    const full = resolveOptions(options);
    this.segmentBytes = full.segmentBytes;
    this.encoder = new RecordEncoder(end.crc);
    this.slabPosition = end.position;
    this.state = content.hardState;
    this.last = content.lastIndex;
    this.sequence = (segments.at(-1) as HeldSegment).sequence;
    this.writer = new SegmentWriter(deps, full, segments, end.position, (error) => this.poison(error));
    this.encodeSeconds = deps.metrics.histogram(
      'etcd_disk_wal_write_duration_seconds',
      'The latency distributions of write called by WAL.',
      fsyncBuckets,
    );
    this.writtenBytes = deps.metrics.gauge('etcd_disk_wal_write_bytes_total', 'Total number of bytes written in WAL.');
  }

  /**
   * Makes a new log, which begins with the metadata and the snapshot {0, 0}, and opens it. The directory appears complete or
   * not at all.
   * @throws CodedError disk/exists when there is a log already.
   */
  static async create(deps: WalDeps, options: WalOptions, metadata: Uint8Array): Promise<Wal> {
    const { disk } = deps;
    const { directory } = options;
    if (await walExists(deps, directory)) throw new CodedError('disk/exists', `${directory}: file already exists`);
    const temporary = `${directory}.tmp`;
    await disk.removeAll(temporary);
    await disk.makeDirectory(temporary, 0o700);
    const file = await disk.open(`${temporary}/${segmentName(0, 0)}`, {
      write: true,
      create: true,
      exclusive: true,
      mode: 0o600,
    });
    try {
      const encoder = new RecordEncoder(0);
      encoder.crcRecord();
      encoder.record(RecordType.metadata, metadata);
      encoder.record(RecordType.snapshot, encodeWalSnapshot(zeroSnapshot));
      const head = encoder.take();
      await file.truncate(resolveOptions(options).segmentBytes);
      await file.write([head.bytes.subarray(0, head.length)], 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.syncDirectory(temporary);
    await disk.removeAll(directory);
    await disk.rename(temporary, directory);
    await disk.syncDirectory(parentOf(directory));
    const { wal } = await Wal.open(deps, options);
    return wal;
  }

  /**
   * Opens the log for appending: locks its segments from the one that holds `snapshot` on, reads what is behind it, cuts
   * off a torn end, and clears what may stand behind the last record. A missing record of the snapshot is only warned of, as etcd has it.
   * @throws WalError
   */
  static async open(deps: WalDeps, options: WalOptions, snapshot: WalSnapshot = zeroSnapshot): Promise<OpenedWal> {
    try {
      return await Wal.openOnce(deps, options, snapshot);
    } catch (error) {
      if (!hasCode(error, 'wal/unexpected-eof')) throw error;
      if (!(await repairWal(deps, options.directory))) throw error;
      return Wal.openOnce(deps, options, snapshot);
    }
  }

  private static async openOnce(deps: WalDeps, options: WalOptions, snapshot: WalSnapshot): Promise<OpenedWal> {
    const names = await selectSegments(deps, options.directory, snapshot.index);
    const files = await openSegments(deps.disk, options.directory, names, true);
    try {
      const content = new ContentCollector(snapshot);
      const end = await collect(files, deps.clock, content);
      if (end.error !== undefined) throw end.error;
      if (!content.snapshotFound) deps.logger.warn('WAL has no record of the snapshot', { index: snapshot.index });
      const tail = files.at(-1) as DiskFile;
      const size = Math.max(tail.size(), resolveOptions(options).segmentBytes);
      await tail.truncate(end.position);
      await tail.truncate(size);
      if (!options.unsafeNoSync) await makeDurable(deps, options.directory, files);
      const held = names.map((name, i) => ({ ...name, file: files[i] as DiskFile }));
      const last = Math.max(content.lastIndex, snapshot.index);
      const state = { hardState: content.hardState, lastIndex: last };
      const wal = new Wal(deps, options, content.metadata ?? new Uint8Array(0), held, end, state);
      return { wal, content };
    } catch (error) {
      await closeAll(files);
      throw error;
    }
  }

  /** The last one appended, or read at the start. */
  get hardState(): HardState {
    return this.state;
  }

  /** Index of the last entry or snapshot record appended, or read at the start. */
  get lastIndex(): number {
    return this.last;
  }

  /**
   * Whether something was appended since the last {@link sync} that must be durable: entries, a term, a vote, a snapshot. A commit alone need
   * not be, but for one that covers a snapshot recorded before it: until then the record counts for nothing.
   */
  get mustSync(): boolean {
    return this.needsSync;
  }

  /** Segments held against purging, ascending. */
  get segments(): readonly SegmentName[] {
    return this.writer.held;
  }

  /**
   * Takes entries and then the hard state; an undefined or empty one is left out. Nothing is durable before {@link sync} resolves.
   * Entries are copied. The first one may lie at or before the last index: then it replaces what the log had from there on.
   * @throws WalError `wal/record-too-large` with nothing appended; `wal/failed`, `wal/closed`
   */
  append(hardState: HardState | undefined, entries: readonly Entry[]): void {
    if (this.failure !== undefined) throw this.failure;
    const hasState = hardState !== undefined && !isEmptyHardState(hardState);
    const count = entries.length;
    if (!hasState && count === 0) return;
    const { encoder } = this;
    const startMs = this.deps.clock.nowMs();
    if (count > 0) this.appendEntries(entries);
    if (hasState) {
      encoder.state(hardState);
      if (this.mustNotForget(hardState)) this.needsSync = true;
      this.state = hardState;
    }
    if (this.slabPosition + encoder.slab.length >= this.segmentBytes) this.cut();
    this.encodeSeconds.observe((this.deps.clock.nowMs() - startMs) / 1000);
  }

  private mustNotForget({ term, vote, commit }: HardState): boolean {
    const { state, snapshotIndex } = this;
    return term !== state.term || vote !== state.vote || (commit >= snapshotIndex && state.commit < snapshotIndex);
  }

  private appendEntries(entries: readonly Entry[]): void {
    const { encoder } = this;
    const { crc, slab } = encoder;
    const { length } = slab;
    let expected = (entries[0] as Entry).index;
    assert(expected > 0 && expected <= this.last + 1, 'an entry leaves a gap in the log');
    try {
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[i] as Entry;
        assert(entry.index === expected++, 'entries are not consecutive');
        encoder.entry(entry);
      }
    } catch (error) {
      encoder.crc = crc;
      slab.length = length;
      throw error;
    }
    this.last = expected - 1;
    this.needsSync = true;
  }

  /** Notes a snapshot whose file is on the disk already, and makes everything appended durable. */
  saveSnapshot(snapshot: WalSnapshot): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.encoder.record(RecordType.snapshot, encodeWalSnapshot(snapshot));
    this.last = Math.max(this.last, snapshot.index);
    this.snapshotIndex = Math.max(this.snapshotIndex, snapshot.index);
    this.needsSync = true;
    return this.sync();
  }

  /**
   * Resolves when everything appended before the call that must be durable is. A hard state whose commit alone has changed
   * stays in memory until the next write (see {@link mustSync}).
   * @throws WalError `wal/failed`, `wal/closed`
   */
  sync(): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (this.queued !== undefined) return this.queued;
    if (!this.needsSync) return this.inFlight ?? resolved;
    if (this.inFlight === undefined) return this.flush();
    this.queued = this.inFlight.then(() => {
      this.queued = undefined;
      return this.flush();
    });
    return this.queued;
  }

  private flush(): Promise<void> {
    this.needsSync = false;
    const slab = this.encoder.take();
    this.slabPosition += slab.length;
    this.inFlight = this.writer.write(slab).then(
      () => {
        this.inFlight = undefined;
        this.written += slab.length;
        this.writtenBytes.set(this.written);
        this.encoder.recycle(slab);
        // Something in the background may have failed meanwhile.
        if (this.failure !== undefined) throw this.failure;
      },
      (error: unknown) => {
        this.inFlight = undefined;
        throw this.poison(error);
      },
    );
    return this.inFlight;
  }

  private cut(): void {
    const { encoder } = this;
    this.sequence++;
    encoder.slab.cuts.push({ at: encoder.slab.length, sequence: this.sequence, index: this.last + 1 });
    this.slabPosition = -encoder.slab.length;
    encoder.crcRecord();
    encoder.record(RecordType.metadata, this.metadata);
    if (!isEmptyHardState(this.state)) encoder.state(this.state);
    this.needsSync = true;
  }

  /**
   * Lets segments be purged that a restart from a snapshot at `index` does not read. The segment with that index stays.
   */
  release(index: number): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return this.writer.release(index);
  }

  /**
   * Removes the oldest segments until `countMax` are left (0 keeps all), but none that is not released.
   * @returns the names removed.
   */
  purge(countMax: number): Promise<string[]> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return countMax === 0 ? Promise.resolve([]) : this.writer.purge(countMax);
  }

  /** Writes what is left, and closes. After a failure it only closes. */
  async close(): Promise<void> {
    if (hasCode(this.failure, 'wal/closed')) return;
    try {
      if (this.failure === undefined && this.encoder.slab.length > 0) {
        this.needsSync = true;
        await this.sync();
      } else {
        await (this.queued ?? this.inFlight);
      }
    } catch {
      // Whoever waits for that sync is told; what follows is the same.
    }
    const failed = this.failure;
    this.failure = walError('wal/closed', `wal: ${this.directory} is closed`);
    try {
      await this.writer.close();
    } catch (error) {
      if (failed === undefined) throw error;
    }
  }

  /** @returns what everything throws from now on. */
  private poison(error: unknown): WalError {
    if (this.failure === undefined) {
      const what = error instanceof Error ? error.message : String(error);
      this.failure = walError('wal/failed', `wal: ${this.directory}: ${what}`, { cause: error });
      this.deps.logger.error('WAL failed', { path: this.directory, error: what });
    }
    return this.failure;
  }
}

function resolveOptions(options: WalOptions): SegmentWriterOptions {
  return {
    directory: options.directory,
    segmentBytes: options.segmentBytes ?? 64_000_000,
    preallocation: options.preallocation ?? 'zeros',
    unsafeNoSync: options.unsafeNoSync ?? false,
  };
}

/**
 * A process that was killed may have left what is read, and the names of its files, in the system's memory alone, and raft takes all that
 * it starts from for durable: a loss of power after that must not take it away.
 */
async function makeDurable({ disk }: WalDeps, directory: string, files: readonly DiskFile[]): Promise<void> {
  for (const file of files) await file.datasync();
  await disk.syncDirectory(directory);
  await disk.syncDirectory(parentOf(directory));
}
