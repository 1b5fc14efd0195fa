import { assert } from '../../assert.ts';
import type { Raft } from '../../core/raft.ts';
import type { Entry } from '../../entry.ts';
import { StateType } from '../../state.ts';

/** What an entry must be the same in wherever it stands. */
interface Content {
  readonly term: number;
  readonly data: Uint8Array;
}

function sameContent(a: Content, b: Content): boolean {
  return a.term === b.term && a.data.length === b.data.length && a.data.every((byte, i) => byte === b.data[i]);
}

/**
 * The safety properties of Raft (figure 3 of the paper), checked over all nodes as things happen. Every method throws
 * when one is broken.
 */
export class Invariants {
  private readonly leaders = new Map<number, bigint>();
  /** By `index/term`: the entry, and the term of the one before it. */
  private readonly entries = new Map<string, Content & { readonly previousTerm: number }>();
  /** By index: terms of what is known to be committed. */
  private readonly committedTerms = new Map<number, number>();
  /** By index: what a state machine applied. */
  private readonly applied = new Map<number, Content>();
  /** Highest index known to be committed anywhere. */
  committed = 0;

  /** Where all begin: nothing is committed that is not in the first snapshot. */
  constructor(firstCommitted: number, term: number) {
    this.committed = firstCommitted;
    this.committedTerms.set(firstCommitted, term);
  }

  /** Log matching: the same index and term means the same entry and, by induction over the one before, the same log. */
  stored(entries: readonly Entry[], previousTerm: number): void {
    let previous = previousTerm;
    for (const { index, term, data } of entries) {
      const key = `${index}/${term}`;
      const known = this.entries.get(key);
      if (known === undefined) this.entries.set(key, { term, data, previousTerm: previous });
      else {
        assert(sameContent(known, { term, data }), `log matching: two entries at ${key}`);
        assert(known.previousTerm === previous, `log matching: the logs before ${key} differ`);
      }
      previous = term;
    }
  }

  /** State machine safety: nobody applies another entry at the same index. */
  applying(entry: Entry): void {
    const known = this.applied.get(entry.index);
    if (known === undefined) this.applied.set(entry.index, { term: entry.term, data: entry.data });
    else assert(sameContent(known, entry), `state machine safety: another entry applied at ${entry.index}`);
    assert(this.committedTerms.get(entry.index) === entry.term, `applied at ${entry.index} what is not committed`);
  }

  /** After each step of a node: commitBefore is its commit index before the step. */
  observe(raft: Raft, commitBefore: number): void {
    const { log } = raft;
    assert(log.committed >= commitBefore, `commit of ${raft.id} went down from ${commitBefore} to ${log.committed}`);
    assert(log.applied <= log.applying && log.applying <= log.committed, `indexes of ${raft.id} are out of order`);
    assert(log.committed <= log.lastIndex(), `commit of ${raft.id} is beyond its log`);
    for (let index = commitBefore + 1; index <= log.committed; index++) this.committedAt(raft, index);
    if (raft.role.state === StateType.Leader) this.observeLeader(raft);
  }

  private committedAt(raft: Raft, index: number): void {
    const term = raft.log.term(index);
    // What came in a snapshot has no terms any more, but for the last.
    if (term < 0) return;
    const known = this.committedTerms.get(index);
    if (known === undefined) this.committedTerms.set(index, term);
    else assert(known === term, `state machine safety: two entries committed at ${index}: terms ${known} and ${term}`);
    this.committed = Math.max(this.committed, index);
  }

  private observeLeader(raft: Raft): void {
    const { term, id, log } = raft;
    const known = this.leaders.get(term);
    assert(known === undefined || known === id, `election safety: ${known} and ${id} lead term ${term}`);
    if (known !== undefined) return;
    this.leaders.set(term, id);
    // Leader completeness: all that is committed so far is in the log of each new leader (it may lead no more by the
    // time it is observed, but then its log is the same still).
    for (const [index, committedTerm] of this.committedTerms) {
      if (index + 1 < log.firstIndex()) continue;
      assert(
        committedTerm > term || log.term(index) === committedTerm,
        `leader completeness: leader ${id} of term ${term} lacks ${index} of term ${committedTerm}`,
      );
    }
  }
}
