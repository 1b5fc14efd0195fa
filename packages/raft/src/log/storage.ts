import type { Entry } from '../entry.ts';
import type { ConfState, HardState, Snapshot } from '../state.ts';

/**
 * The part of the log that is stored, as raft reads it. The application writes it, from what a `Ready` tells it to.
 * Every method answers at once; an error other than the named ones stops raft.
 */
export interface Storage {
  /**
   * What was stored last: read once, when the node is made. `confState` is the configuration at `config.applied`; all zero
   * and empty for a node that was never started.
   */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState };

  /**
   * Entries in [lo, hi), of which as many as fit into `maxSize` bytes (by `entrySize`) but at least one. The array is
   * raft's to keep: later changes of the storage must not show in it. `countWithinSize` counts how many fit.
   * @throws {RaftError} raft/compacted, raft/unavailable
   */
  entries(lo: number, hi: number, maxSize: number): readonly Entry[];

  /**
   * Term of the entry at `index`, which is in [firstIndex() - 1, lastIndex()]: that before the first is kept for matching.
   * @throws {RaftError} raft/compacted, raft/unavailable
   */
  term(index: number): number;

  /** Index of the last entry, or of the snapshot when there is none behind it; 0 in a new log. */
  lastIndex(): number;

  /** Index of the first entry that may be asked for: what is older is in the snapshot only. 1 in a new log. */
  firstIndex(): number;

  /**
   * The most recent snapshot, which is sent to nodes whose next entries are compacted. Its index is not below
   * firstIndex() - 1.
   * @throws {RaftError} raft/snapshot-temporarily-unavailable to be asked again later
   */
  snapshot(): Snapshot;
}
