import { assert, InvariantError } from '../assert.ts';
import { countWithinSize, type Entry } from '../entry.ts';
import { entryUnavailable, logCompacted, snapshotOutOfDate } from '../errors.ts';
import {
  type ConfState,
  emptyHardState,
  emptySnapshot,
  type HardState,
  type Snapshot,
  type SnapshotMetadata,
} from '../state.ts';
import type { Storage } from './storage.ts';

/** Compacted entries are let go of in bulk, when they are this many and more than those that remain. */
const COMPACT_BATCH = 1024;

/**
 * A {@link Storage} in memory: for tests, and for servers that keep the recent log in memory beside a write-ahead log. What
 * is put in is kept without a copy. Misuse (gaps, indexes behind the end) is an `InvariantError`.
 *
 * The entry at `index` is `log[head + index - offset - 1]`; `offset` and `offsetTerm` stand for the one before the first.
 */
export class MemoryStorage implements Storage {
  private hardState: HardState = emptyHardState;
  private latest: Snapshot = emptySnapshot;
  private log: (Entry | undefined)[] = [];
  private head = 0;
  private offset = 0;
  private offsetTerm = 0;

  /** The hard state that was set last, and the configuration of the snapshot. */
  initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: this.hardState, confState: this.latest.metadata.confState };
  }

  /** Puts `Ready.hardState` in place of the one there is. */
  setHardState(state: HardState): void {
    this.hardState = state;
  }

  /**
   * Entries in [lo, hi) within `maxSize` bytes, at least one; a new array.
   * @throws {RaftError} raft/compacted, raft/unavailable
   */
  entries(lo: number, hi: number, maxSize: number): readonly Entry[] {
    if (lo <= this.offset) throw logCompacted();
    if (hi > this.lastIndex() + 1) {
      throw new InvariantError(`entries' hi(${hi}) is out of bound lastindex(${this.lastIndex()})`);
    }
    if (this.log.length === this.head) throw entryUnavailable();
    const shift = this.head - this.offset - 1;
    const stored = this.log as readonly Entry[];
    const count = countWithinSize(stored, lo + shift, hi + shift, maxSize);
    return stored.slice(lo + shift, lo + shift + count);
  }

  /**
   * Term of the entry at `index`, or of the one before the first.
   * @throws {RaftError} raft/compacted, raft/unavailable
   */
  term(index: number): number {
    if (index === this.offset) return this.offsetTerm;
    if (index < this.offset) throw logCompacted();
    const entry = this.log[this.head + index - this.offset - 1];
    if (entry === undefined) throw entryUnavailable();
    return entry.term;
  }

  /** Index of the last entry, or of what was compacted when there is none. */
  lastIndex(): number {
    return this.offset + this.log.length - this.head;
  }

  /** Index behind what was compacted. */
  firstIndex(): number {
    return this.offset + 1;
  }

  /** The snapshot that was made or applied last; an empty one if none was. */
  snapshot(): Snapshot {
    return this.latest;
  }

  /**
   * Puts a snapshot in place of everything but the hard state: `Ready.snapshot`, or where a node starts. One of index 0 gives
   * a new storage its ConfState, and nothing else.
   * @throws {RaftError} raft/snapshot-out-of-date
   */
  applySnapshot(snapshot: Snapshot): void {
    const { index } = this.latest.metadata;
    if (index !== 0 && index >= snapshot.metadata.index) throw snapshotOutOfDate();
    this.latest = snapshot;
    this.log = [];
    this.head = 0;
    this.offset = snapshot.metadata.index;
    this.offsetTerm = snapshot.metadata.term;
  }

  /**
   * Makes the snapshot at an applied index; the log stays as it is, see {@link compact}. `data` is the state machine there
   * and `confState` what `applyConfChange` returned last; without it that of the snapshot before holds.
   * @throws {RaftError} raft/snapshot-out-of-date
   */
  createSnapshot(index: number, confState: ConfState | undefined, data: Uint8Array): Snapshot {
    if (index <= this.latest.metadata.index) throw snapshotOutOfDate();
    assert(index <= this.lastIndex(), `snapshot ${index} is out of bound lastindex(${this.lastIndex()})`);
    const metadata: SnapshotMetadata = {
      confState: confState ?? this.latest.metadata.confState,
      index,
      term: this.term(index),
    };
    this.latest = { data, metadata };
    return this.latest;
  }

  /**
   * Drops the entries up to and including that at `index`, which must be applied and not above the snapshot's: who needs
   * them gets that instead.
   * @throws {RaftError} raft/compacted
   */
  compact(index: number): void {
    if (index <= this.offset) throw logCompacted();
    assert(index <= this.lastIndex(), `compact ${index} is out of bound lastindex(${this.lastIndex()})`);
    this.offsetTerm = this.term(index);
    const start = this.head;
    this.head += index - this.offset;
    this.offset = index;
    if (this.head >= COMPACT_BATCH && this.head * 2 >= this.log.length) {
      this.log = this.log.slice(this.head);
      this.head = 0;
    } else {
      this.log.fill(undefined, start, this.head);
    }
  }

  /**
   * Appends `Ready.entries`, replacing what is at the same indexes and all behind it. Entries that are compacted already are
   * skipped.
   */
  append(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const first = (entries[0] as Entry).index;
    const skipped = Math.max(0, this.offset + 1 - first);
    if (skipped >= entries.length) return;
    const at = first + skipped;
    if (at > this.lastIndex() + 1) {
      throw new InvariantError(`missing log entry [last: ${this.lastIndex()}, append at: ${first}]`);
    }
    const keep = this.head + at - this.offset - 1;
    if (keep < this.log.length) this.log.length = keep;
    for (let i = skipped; i < entries.length; i++) this.log.push(entries[i]);
  }
}
