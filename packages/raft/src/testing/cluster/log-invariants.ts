import { assert } from '../../assert.ts';
import type { Raft } from '../../core/raft.ts';
import { type Entry, EntryType } from '../../entry.ts';
import { broken } from './broken.ts';
import type { SimulatedDisk } from './simulated-disk.ts';

type Content = Pick<Entry, 'term' | 'type' | 'data'>;

interface KnownEntry extends Content {
  /** Term of the entry before it. */
  readonly previousTerm: number;
}

/** What is known of an index that is committed. */
interface Committed {
  /** Term of the entry. */
  readonly term: number;
  /** Term of the leader that committed it. */
  readonly inTerm: number;
}

function sameContent(a: Content, b: Content): boolean {
  if (a.term !== b.term || a.type !== b.type || a.data.length !== b.data.length) return false;
  return a.data.every((byte, i) => byte === b.data[i]);
}

/** Log matching, leader completeness and state machine safety (figure 3 of the Raft paper), over all nodes. */
export class LogInvariants {
  /** By index: every entry that ever stood there. */
  private readonly entries: KnownEntry[][] = [];
  /** By index. */
  private readonly commits: (Committed | undefined)[] = [];
  /** By index: what a state machine applied. */
  private readonly applied: (Entry | undefined)[] = [];
  /** Highest index that is committed. */
  committed: number;
  /** Indexes of committed configuration changes, ascending. */
  readonly committedChanges: number[] = [];

  /** Where all begin: nothing is committed that is not in the first snapshot. */
  constructor(first: { readonly index: number; readonly term: number }) {
    this.committed = first.index;
    this.commits[first.index] = { term: first.term, inTerm: first.term };
  }

  private find(index: number, term: number): KnownEntry | undefined {
    return this.entries[index]?.find((known) => known.term === term);
  }

  /**
   * Entries leave raft to be stored. The same index and term means the same entry and, by induction over the one before
   * it, the same log.
   */
  handedOut(raft: Raft, entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    let previousTerm = raft.log.term(first.index - 1);
    for (const entry of entries) {
      const { index, term, type, data } = entry;
      const known = this.find(index, term);
      if (known === undefined) {
        this.entries[index] ??= [];
        (this.entries[index] as KnownEntry[]).push({ term, type, data, previousTerm });
        if (type !== EntryType.Normal) this.oneChangeAtATime(index, previousTerm);
      } else {
        assert(sameContent(known, entry), `log matching: two entries at ${term}/${index}`);
        assert(known.previousTerm === previousTerm, `log matching: the logs before ${term}/${index} differ`);
      }
      previousTerm = term;
    }
  }

  /** A configuration change is only proposed when those before it are committed. */
  private oneChangeAtATime(index: number, previousTerm: number): void {
    let term = previousTerm;
    for (let i = index - 1; i > this.committed; i--) {
      const known = this.find(i, term);
      if (known === undefined) return;
      assert(known.type === EntryType.Normal, `pending changes: ${index} was proposed while ${i} is not committed`);
      term = known.previousTerm;
    }
  }

  /** Entries go to a disk: what raft takes for stored already stays as it is. */
  storing(raft: Raft, disk: SimulatedDisk, entries: readonly Entry[]): void {
    // What waits to be stored before a snapshot is written, and then replaced by it.
    if (raft.log.hasPendingSnapshot()) return;
    const stable = raft.log.unstable.offset - 1;
    for (const { index, term } of entries) {
      if (index > stable || index > disk.lastIndex()) return;
      if (!disk.holds(index, term)) broken(`stable but overwritten: ${index} on ${raft.id} [${raft.log}]`);
    }
  }

  /** Nobody applies another entry at the same index, or one that is not committed, or not on its own disk. */
  applying(entry: Entry, disk: SimulatedDisk): void {
    const { index, term } = entry;
    if (index > disk.lastIndex()) broken(`applied but not stored: ${term}/${index}`);
    const known = this.applied[index];
    if (known === undefined) this.applied[index] = entry;
    else assert(sameContent(known, entry), `state machine safety: another entry applied at ${index}`);
    assert(this.commits[index]?.term === term, `applied early: ${term}/${index} is not committed`);
  }

  /** After each step of a node. Texts are made only when they are needed, as this runs all the time. */
  checkIndexes({ log, id }: Raft, disk: SimulatedDisk, commitBefore: number): void {
    const { committed, unstable } = log;
    if (committed < commitBefore) broken(`commit went back: on ${id} from ${commitBefore} to ${committed}`);
    if (log.applied > log.applying || log.applying > committed) broken(`applied beyond commit: on ${id} [${log}]`);
    if (committed > log.lastIndex()) broken(`commit beyond log: on ${id} [${log}]`);
    if (log.hasPendingSnapshot()) return;
    const { offset } = unstable;
    if (disk.lastIndex() < offset - 1) broken(`stable but not stored: on ${id} up to ${offset - 1} [${log}]`);
    if (unstable.count === 0 || offset <= disk.firstIndex() - 1) return;
    const known = this.find(offset, log.term(offset));
    if (known !== undefined && known.previousTerm !== log.term(offset - 1)) {
      broken(`torn log: on ${id} the unstable part from ${offset} on does not follow the stored part`);
    }
  }

  /** Every entry in the log of a node follows that before it. */
  checkWholeLog(raft: Raft): void {
    const { log } = raft;
    for (let index = log.lastIndex(); index >= log.firstIndex(); index--) {
      const known = this.find(index, log.term(index));
      const before = log.term(index - 1);
      assert(
        known === undefined || before < 0 || known.previousTerm === before,
        `log matching: on ${raft.id} the entry at ${index} does not follow that before it`,
      );
    }
  }

  /**
   * The node's commit index went up.
   * @returns whether it is the first to know of this commit.
   */
  commitMoved(raft: Raft, from: number): boolean {
    const { log } = raft;
    for (let index = from + 1; index <= log.committed; index++) {
      const term = log.term(index);
      // What came in a snapshot has no terms any more, but for the last.
      if (term < 0) continue;
      const known = this.commits[index];
      assert(
        known === undefined || known.term === term,
        `state machine safety: two entries committed at ${index}, of terms ${known?.term} and ${term}`,
      );
      if (known !== undefined) continue;
      this.commits[index] = { term, inTerm: raft.term };
      if (this.find(index, term)?.type !== EntryType.Normal) this.committedChanges.push(index);
    }
    if (log.committed <= this.committed) return false;
    this.committed = log.committed;
    return true;
  }

  /** All that is committed in earlier terms is in the log of each new leader. */
  checkLeaderCompleteness(raft: Raft): void {
    const { log, term, id } = raft;
    for (let index = Math.max(log.firstIndex() - 1, 0); index <= this.committed; index++) {
      const commit = this.commits[index];
      if (commit === undefined || commit.inTerm >= term) continue;
      assert(
        log.term(index) === commit.term,
        `leader completeness: leader ${id} of term ${term} lacks ${commit.term}/${index}`,
      );
    }
  }
}
