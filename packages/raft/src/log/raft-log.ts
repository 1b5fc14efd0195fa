import { type Entry, entriesSize } from '../entry.ts';
import { entryUnavailable, logCompacted, RaftError } from '../errors.ts';
import { fatal } from '../fatal.ts';
import type { RaftLogger } from '../logger.ts';
import { noEntries } from '../message.ts';
import type { Snapshot } from '../state.ts';
import type { Storage } from './storage.ts';
import { Unstable } from './unstable.ts';

/** {@link RaftLog.term} of an entry that is compacted. */
export const TERM_COMPACTED = -1;
/** {@link RaftLog.term} of an entry that is not there yet. */
export const TERM_UNAVAILABLE = -2;

/** Term and index of an entry: they tell it among all entries there ever are. */
export interface EntryId {
  readonly term: number;
  readonly index: number;
}

/**
 * The log: the stored part, the unstable part, and how far it is committed and applied.
 *
 *     applied <= applying <= committed, applying <= lastIndex
 */
export class RaftLog {
  readonly unstable: Unstable;
  /** Highest index known to be on a quorum. */
  committed: number;
  /** Highest index handed out to be applied. */
  applying: number;
  /** Highest index known to be applied. */
  applied: number;
  private readonly storage: Storage;
  private readonly logger: RaftLogger;
  /** Bytes of entries handed out and not yet applied, and their limit. */
  private readonly applyingBytesMax: number;
  private applyingBytes = 0;
  private applyingPaused = false;

  constructor(storage: Storage, logger: RaftLogger, applyingBytesMax: number) {
    this.storage = storage;
    this.logger = logger;
    this.applyingBytesMax = applyingBytesMax;
    const firstIndex = storage.firstIndex();
    this.unstable = new Unstable(storage.lastIndex() + 1, logger);
    this.committed = firstIndex - 1;
    this.applying = firstIndex - 1;
    this.applied = firstIndex - 1;
  }

  toString(): string {
    const { unstable } = this;
    return (
      `committed=${this.committed}, applied=${this.applied}, applying=${this.applying}, ` +
      `unstable.offset=${unstable.offset}, unstable.offsetInProgress=${unstable.offsetInProgress}, ` +
      `len(unstable.Entries)=${unstable.count}`
    );
  }

  firstIndex(): number {
    return this.unstable.firstIndex() ?? this.storage.firstIndex();
  }

  lastIndex(): number {
    return this.unstable.lastIndex() ?? this.storage.lastIndex();
  }

  lastEntryId(): EntryId {
    const index = this.lastIndex();
    const term = this.term(index);
    if (term < 0) fatal(this.logger, `unexpected error when getting the last term at ${index}: ${termError(term)}`);
    return { term, index };
  }

  /** Term of the entry at `index`, {@link TERM_COMPACTED} or {@link TERM_UNAVAILABLE}. */
  term(index: number): number {
    const unstable = this.unstable.term(index);
    if (unstable !== undefined) return unstable;
    // The entry before the first keeps its term: appends match against it.
    if (index + 1 < this.firstIndex()) return TERM_COMPACTED;
    if (index > this.lastIndex()) return TERM_UNAVAILABLE;
    try {
      return this.storage.term(index);
    } catch (error) {
      if (error instanceof RaftError && error.code === 'raft/compacted') return TERM_COMPACTED;
      if (error instanceof RaftError && error.code === 'raft/unavailable') return TERM_UNAVAILABLE;
      throw error;
    }
  }

  /** As {@link term}, with 0 for what is not there. */
  termOrZero(index: number): number {
    return Math.max(0, this.term(index));
  }

  matchTerm(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends there is at least as up to date as this one (section 5.4.1). */
  isUpToDate(term: number, index: number): boolean {
    const last = this.lastEntryId();
    return term > last.term || (term === last.term && index >= last.index);
  }

  /** Appends entries of the node's own term; they follow the last one. Returns the new last index. */
  append(entries: readonly Entry[], start = 0): number {
    if (start >= entries.length) return this.lastIndex();
    const after = (entries[start] as Entry).index - 1;
    if (after < this.committed) {
      fatal(this.logger, `after(${after}) is out of range [committed(${this.committed})]`);
    }
    this.unstable.truncateAndAppend(entries, start);
    return this.lastIndex();
  }

  /**
   * Takes entries from the leader, which follow the entry (`previousTerm`, `previousIndex`).
   * @returns the index of the last of them, or undefined when this log does not hold the entry before them.
   */
  maybeAppend(
    previousTerm: number,
    previousIndex: number,
    entries: readonly Entry[],
    committed: number,
  ): number | undefined {
    if (!this.matchTerm(previousIndex, previousTerm)) return undefined;
    const lastNew = previousIndex + entries.length;
    const conflict = this.findConflict(entries);
    if (conflict !== 0) {
      if (conflict <= this.committed) {
        fatal(this.logger, `entry ${conflict} conflict with committed entry [committed(${this.committed})]`);
      }
      const start = conflict - (previousIndex + 1);
      if (start > entries.length) fatal(this.logger, `index, ${start}, is out of range [${entries.length}]`);
      this.append(entries, start);
    }
    this.commitTo(Math.min(committed, lastNew));
    return lastNew;
  }

  /** Index of the first of the entries that is not in this log, 0 when all are. */
  private findConflict(entries: readonly Entry[]): number {
    for (let i = 0; i < entries.length; i++) {
      const { index, term } = entries[i] as Entry;
      if (this.matchTerm(index, term)) continue;
      if (index <= this.lastIndex()) {
        this.logger.info?.(
          `found conflict at index ${index} [existing term: ${this.termOrZero(index)}, conflicting term: ${term}]`,
        );
      }
      return index;
    }
    return 0;
  }

  /**
   * The last entry up to `index` whose term is not above `term`: where a log with that entry can at most agree with this
   * one. Its term is 0 when it is not known.
   */
  findConflictByTerm(index: number, term: number): EntryId {
    for (let i = index; i > 0; i--) {
      const ours = this.term(i);
      if (ours < 0) return { index: i, term: 0 };
      if (ours <= term) return { index: i, term: ours };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: number): void {
    if (index <= this.committed) return;
    if (index > this.lastIndex()) {
      fatal(
        this.logger,
        `tocommit(${index}) is out of range [lastIndex(${this.lastIndex()})]. ` +
          'Was the raft log corrupted, truncated, or lost?',
      );
    }
    this.committed = index;
  }

  /** Commits up to an entry that a quorum holds, if it is of that term: older ones are committed by it (section 5.4.2). */
  maybeCommit(term: number, index: number): boolean {
    if (index <= this.committed || !this.matchTerm(index, term)) return false;
    this.commitTo(index);
    return true;
  }

  // Handing out what is committed.

  private maxAppliable(allowUnstable: boolean): number {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    // A snapshot must be applied before what follows it.
    if (this.applyingPaused || this.unstable.snapshot !== undefined) return false;
    return this.applying < this.maxAppliable(allowUnstable);
  }

  /** Entries to apply next, within the limit of bytes. Entries not yet stored only if `allowUnstable`. */
  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return noEntries;
    const bytesMax = this.applyingBytesMax - this.applyingBytes;
    if (bytesMax <= 0) {
      fatal(
        this.logger,
        `applying entry size (${this.applyingBytesMax}-${this.applyingBytes})=${bytesMax} not positive`,
      );
    }
    const entries = this.slice(this.applying + 1, this.maxAppliable(allowUnstable) + 1, bytesMax);
    if (entries === undefined)
      return fatal(this.logger, `unexpected error when getting unapplied entries (${logCompacted().message})`);
    return entries;
  }

  /** The entries up to `index` are handed out. */
  acceptApplying(index: number, bytes: number, allowUnstable: boolean): void {
    if (this.committed < index) {
      fatal(
        this.logger,
        `applying(${index}) is out of range [prevApplying(${this.applying}), committed(${this.committed})]`,
      );
    }
    this.applying = index;
    this.applyingBytes += bytes;
    // Either the limit is reached, or the size of the next entry would cross it: wait until something is applied.
    this.applyingPaused = this.applyingBytes >= this.applyingBytesMax || index < this.maxAppliable(allowUnstable);
  }

  /** The entries up to `index` are applied; `bytes` is what of them was counted by {@link acceptApplying}. */
  appliedTo(index: number, bytes: number): void {
    if (this.committed < index || index < this.applied) {
      fatal(
        this.logger,
        `applied(${index}) is out of range [prevApplied(${this.applied}), committed(${this.committed})]`,
      );
    }
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.applyingBytes = Math.max(0, this.applyingBytes - bytes);
    this.applyingPaused = this.applyingBytes >= this.applyingBytesMax;
  }

  // Snapshots.

  snapshot(): Snapshot {
    return this.unstable.snapshot ?? this.storage.snapshot();
  }

  hasPendingSnapshot(): boolean {
    return this.unstable.snapshot !== undefined;
  }

  restore(snapshot: Snapshot): void {
    const { index, term } = snapshot.metadata;
    this.logger.info?.(`log [${this}] starts to restore snapshot [index: ${index}, term: ${term}]`);
    this.committed = index;
    this.unstable.restore(snapshot);
  }

  // Reading.

  /** Entries from `index` on within `maxSize` bytes; undefined when they are compacted. */
  entriesFrom(index: number, maxSize: number): readonly Entry[] | undefined {
    const last = this.lastIndex();
    return index > last ? noEntries : this.slice(index, last + 1, maxSize);
  }

  /**
   * Calls `visit` with the entries in [lo, hi), a page of at most `pageSize` bytes at a time, until it returns true.
   * @returns whether it did.
   */
  scan(lo: number, hi: number, pageSize: number, visit: (entries: readonly Entry[]) => boolean): boolean {
    for (let next = lo; next < hi; ) {
      const page = this.slice(next, hi, pageSize);
      if (page === undefined || page.length === 0) {
        const why = page === undefined ? logCompacted().message : `got 0 entries in [${next}, ${hi})`;
        return fatal(this.logger, `error scanning unapplied entries [${lo}, ${hi}): ${why}`);
      }
      if (visit(page)) return true;
      next += page.length;
    }
    return false;
  }

  /** Entries in [lo, hi), as many as fit into `maxSize` bytes but at least one; undefined when they are compacted. */
  slice(lo: number, hi: number, maxSize: number): readonly Entry[] | undefined {
    if (lo > hi) fatal(this.logger, `invalid slice ${lo} > ${hi}`);
    const first = this.firstIndex();
    if (lo < first) return undefined;
    const last = this.lastIndex();
    if (hi > last + 1) fatal(this.logger, `slice[${lo},${hi}) out of bound [${first},${last}]`);
    if (lo === hi) return noEntries;
    const { offset } = this.unstable;
    if (lo >= offset) return this.unstable.sliceWithin(lo, hi, maxSize);
    const cut = Math.min(hi, offset);
    const stored = this.storedEntries(lo, cut, maxSize);
    if (stored === undefined || hi <= offset || stored.length < cut - lo) return stored;
    return this.extend(stored, hi, maxSize);
  }

  /** Entries of the stored log with what still fits of the unstable ones up to `hi`. */
  private extend(stored: readonly Entry[], hi: number, maxSize: number): readonly Entry[] {
    const { offset } = this.unstable;
    if (maxSize === Number.POSITIVE_INFINITY) return stored.concat(this.unstable.slice(offset, hi));
    const size = entriesSize(stored);
    if (size >= maxSize) return stored;
    const more = this.unstable.sliceWithin(offset, hi, maxSize - size);
    // At least one always comes; here it may be one too many.
    if (more.length === 1 && size + entriesSize(more) > maxSize) return stored;
    return stored.concat(more);
  }

  private storedEntries(lo: number, hi: number, maxSize: number): readonly Entry[] | undefined {
    try {
      return this.storage.entries(lo, hi, maxSize);
    } catch (error) {
      if (error instanceof RaftError && error.code === 'raft/compacted') return undefined;
      if (error instanceof RaftError && error.code === 'raft/unavailable') {
        fatal(this.logger, `entries[${lo}:${hi}) is unavailable from storage`);
      }
      throw error;
    }
  }
}

function termError(term: number): string {
  return term === TERM_COMPACTED ? logCompacted().message : entryUnavailable().message;
}
