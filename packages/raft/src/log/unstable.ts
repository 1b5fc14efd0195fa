import { assert } from '../assert.ts';
import { countWithinSize, type Entry } from '../entry.ts';
import { fatal } from '../fatal.ts';
import type { RaftLogger } from '../logger.ts';
import { noEntries } from '../message.ts';
import type { Snapshot } from '../state.ts';

/** Stable entries are let go of in bulk, when they are this many and more than those that remain. */
const TRIM_BATCH = 256;

/**
 * What is not yet stored: a snapshot, and the entries behind it or behind the stored log. A part of it is in progress,
 * that is, handed out to be stored.
 *
 *     stored log          | in progress          | to be handed out
 *     ... offset - 1      | offset ...           | offsetInProgress ... lastIndex
 *
 * The entry at `index` is `log[head + index - offset]`. Arrays that are handed out are always copies.
 */
export class Unstable {
  snapshot: Snapshot | undefined = undefined;
  /** Index of the first unstable entry, whether there is one or not. */
  offset: number;
  offsetInProgress: number;
  private snapshotInProgress = false;
  private log: Entry[] = [];
  private head = 0;
  private readonly logger: RaftLogger;

  constructor(offset: number, logger: RaftLogger) {
    this.offset = offset;
    this.offsetInProgress = offset;
    this.logger = logger;
  }

  get count(): number {
    return this.log.length - this.head;
  }

  /** Index behind the last unstable entry. */
  get end(): number {
    return this.offset + this.log.length - this.head;
  }

  /** Known only while there is a snapshot. */
  firstIndex(): number | undefined {
    return this.snapshot === undefined ? undefined : this.snapshot.metadata.index + 1;
  }

  lastIndex(): number | undefined {
    if (this.log.length > this.head) return this.end - 1;
    return this.snapshot?.metadata.index;
  }

  term(index: number): number | undefined {
    if (index < this.offset) {
      const metadata = this.snapshot?.metadata;
      return metadata !== undefined && metadata.index === index ? metadata.term : undefined;
    }
    return index < this.end ? (this.log[this.head + index - this.offset] as Entry).term : undefined;
  }

  /** Entries not yet handed out. */
  nextEntries(): readonly Entry[] {
    return this.hasNextEntries() ? this.slice(this.offsetInProgress, this.end) : noEntries;
  }

  hasNextEntries(): boolean {
    return this.offsetInProgress < this.end;
  }

  nextSnapshot(): Snapshot | undefined {
    return this.snapshotInProgress ? undefined : this.snapshot;
  }

  /** Everything counts as handed out. */
  acceptInProgress(): void {
    if (this.count > 0) this.offsetInProgress = this.end;
    if (this.snapshot !== undefined) this.snapshotInProgress = true;
  }

  /**
   * The entries up to this one are stored. Ignored when it is another entry than the one here: the log was changed while
   * it was on its way, and the new entry is not stored yet.
   */
  stableTo(index: number, term: number): void {
    const ours = this.term(index);
    if (ours === undefined) {
      this.logger.info?.(`entry at index ${index} missing from unstable log; ignoring`);
    } else if (index < this.offset) {
      this.logger.info?.(`entry at index ${index} matched unstable snapshot; ignoring`);
    } else if (ours !== term) {
      this.logger.info?.(
        `entry at (index,term)=(${index},${term}) mismatched with entry at (${index},${ours}) in unstable log; ignoring`,
      );
    } else {
      this.drop(index + 1);
    }
  }

  private drop(offset: number): void {
    this.head += offset - this.offset;
    this.offset = offset;
    this.offsetInProgress = Math.max(this.offsetInProgress, offset);
    if (this.head === this.log.length) {
      this.log = [];
      this.head = 0;
    } else if (this.head >= TRIM_BATCH && this.head * 2 >= this.log.length) {
      this.log = this.log.slice(this.head);
      this.head = 0;
    }
  }

  stableSnapshotTo(index: number): void {
    if (this.snapshot !== undefined && this.snapshot.metadata.index === index) {
      this.snapshot = undefined;
      this.snapshotInProgress = false;
    }
  }

  restore(snapshot: Snapshot): void {
    this.offset = snapshot.metadata.index + 1;
    this.offsetInProgress = this.offset;
    this.log = [];
    this.head = 0;
    this.snapshot = snapshot;
    this.snapshotInProgress = false;
  }

  /** Appends `entries[start...]`, which may replace entries here and in the stored log. */
  truncateAndAppend(entries: readonly Entry[], start: number): void {
    const from = (entries[start] as Entry).index;
    if (from <= this.offset && from !== this.end) {
      this.logger.info?.(`replace the unstable entries from index ${from}`);
      this.log = [];
      this.head = 0;
      this.offset = from;
      this.offsetInProgress = from;
    } else if (from < this.end) {
      this.logger.info?.(`truncate the unstable entries before index ${from}`);
      this.log.length = this.head + from - this.offset;
      this.offsetInProgress = Math.min(this.offsetInProgress, from);
    } else {
      assert(from === this.end, 'entries are appended without a gap');
    }
    const { log } = this;
    // A copy has the size it needs, an array that grows takes more.
    if (log.length === 0) this.log = entries.slice(start);
    else for (let i = start; i < entries.length; i++) log.push(entries[i] as Entry);
  }

  /** A copy of the entries in [lo, hi). */
  slice(lo: number, hi: number): Entry[] {
    if (lo > hi) fatal(this.logger, `invalid unstable.slice ${lo} > ${hi}`);
    if (lo < this.offset || hi > this.end) {
      fatal(this.logger, `unstable.slice[${lo},${hi}) out of bound [${this.offset},${this.end}]`);
    }
    const shift = this.head - this.offset;
    return this.log.slice(lo + shift, hi + shift);
  }

  /** A copy of as many entries from `lo` on, below `hi`, as fit into `maxSize` bytes, but at least one. */
  sliceWithin(lo: number, hi: number, maxSize: number): Entry[] {
    const shift = this.head - this.offset;
    return this.slice(lo, lo + countWithinSize(this.log, lo + shift, hi + shift, maxSize));
  }
}
