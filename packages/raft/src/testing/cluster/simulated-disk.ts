import { assert } from '../../assert.ts';
import { type Entry, emptyBytes } from '../../entry.ts';
import { MemoryStorage } from '../../log/memory-storage.ts';
import type { EntryId } from '../../log/raft-log.ts';
import { type ConfState, emptyConfState, emptyHardState, type HardState, type Snapshot } from '../../state.ts';

/**
 * What a node keeps over a crash: the log, the hard state, snapshots, and how far the state machine is and its
 * configuration there. A commit index that was not synced may be lost, see {@link crash}.
 */
export class SimulatedDisk extends MemoryStorage {
  /** Index up to which the state machine has applied. */
  applied = 0;
  /** The configuration at {@link applied}. */
  confState: ConfState = emptyConfState;
  private synced: HardState = emptyHardState;

  override initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: this.hard, confState: this.confState };
  }

  get hard(): HardState {
    return super.initialState().hardState;
  }

  install(snapshot: Snapshot): void {
    this.applySnapshot(snapshot);
    this.applied = snapshot.metadata.index;
    this.confState = snapshot.metadata.confState;
  }

  /** One write, synced with all before it unless it has a commit index alone, which may wait. */
  write(entries: readonly Entry[], hardState: HardState | undefined): void {
    const { hard } = this;
    this.append(entries);
    if (hardState !== undefined) this.setHardState(hardState);
    if (entries.length > 0 || this.hard.term !== hard.term || this.hard.vote !== hard.vote) this.synced = this.hard;
  }

  /** @param durableApply whether the state machine keeps what it applied since its last snapshot */
  crash(losesUnsynced: boolean, durableApply: boolean): void {
    if (losesUnsynced) this.setHardState({ ...this.hard, commit: this.synced.commit });
    if (durableApply) return;
    const { index, confState } = this.snapshot().metadata;
    this.applied = index;
    this.confState = confState;
  }

  /** What is applied is committed, though the commit index may be stored later, or was lost. */
  recover(): void {
    const known = Math.max(this.applied, this.firstIndex() - 1);
    if (this.hard.commit < known) this.setHardState({ ...this.hard, commit: known });
    this.synced = this.hard;
  }

  /**
   * Makes a snapshot of the state machine, and drops the log but for `keep` entries before it.
   * @param applied as far as raft was told: it still reads what comes after
   */
  compactTo(keep: number, applied: number): void {
    if (this.applied <= this.snapshot().metadata.index || this.applied > this.lastIndex()) return;
    this.createSnapshot(this.applied, this.confState, emptyBytes);
    const index = Math.min(this.applied - keep, applied);
    if (index >= this.firstIndex()) this.compact(index);
  }

  /** Whether the entry is here, in the log or in what was compacted. */
  holds(index: number, term: number): boolean {
    if (index < this.firstIndex() - 1) return true;
    return index <= this.lastIndex() && this.term(index) === term;
  }

  lastEntryId(): EntryId {
    const index = this.lastIndex();
    return { index, term: this.term(index) };
  }

  /** The state machine goes on by one entry. */
  applyEntry(entry: Entry, confState: ConfState | undefined): void {
    assert(entry.index === this.applied + 1, `applied ${entry.index} after ${this.applied}`);
    this.applied = entry.index;
    if (confState !== undefined) this.confState = confState;
  }
}

/** Whether who ends with `other` would vote for a candidate whose log ends with `last` (section 5.4.1 of the paper). */
export function isUpToDate(last: EntryId, other: EntryId): boolean {
  return last.term > other.term || (last.term === other.term && last.index >= other.index);
}
