import type { ConfChange } from '@quorate/raft';

/** What is handed to raft at once, with the sequences of the calls that wait for it. */
export interface Batch {
  readonly entries: Uint8Array[];
  readonly sequences: number[];
}

export interface GatheredChange {
  readonly sequence: number;
  readonly change: ConfChange;
}

/** What this member proposes as the leader of a term, and nobody else may make of it. */
export interface OwnProposal {
  readonly sequence: number;
  readonly entry: Uint8Array;
  readonly term: number;
}

/** Proposals of this turn, and of earlier ones while there is no leader to take them or the disk lags behind. */
export class ProposalQueue {
  private entries: Uint8Array[] = [];
  private sequences: number[] = [];
  private gatheredChanges: GatheredChange[] = [];
  private own: OwnProposal[] = [];
  /** Of all entries. */
  bytes = 0;

  get isEmpty(): boolean {
    return this.entries.length === 0 && this.gatheredChanges.length === 0 && this.own.length === 0;
  }

  add(sequence: number, entry: Uint8Array): void {
    this.entries.push(entry);
    this.sequences.push(sequence);
    this.bytes += entry.length;
  }

  addOwn(proposal: OwnProposal): void {
    this.own.push(proposal);
  }

  addChange(sequence: number, change: ConfChange): void {
    this.gatheredChanges.push({ sequence, change });
  }

  /** Whether a proposal has not been handed over yet. */
  holds(sequence: number): boolean {
    const first = this.sequences[0];
    return first !== undefined && sequence >= first;
  }

  /** Takes the entries whose callers still wait: nothing is to come of a call that was told that it failed. */
  take(isAwaited: (sequence: number) => boolean): Batch {
    let batch: Batch = { entries: this.entries, sequences: this.sequences };
    // The usual case costs one look: calls expire in the order they came.
    if (batch.sequences.length > 0 && !isAwaited(batch.sequences[0] as number)) {
      const kept = batch.sequences.map((_, i) => i).filter((i) => isAwaited(batch.sequences[i] as number));
      batch = {
        entries: kept.map((i) => batch.entries[i] as Uint8Array),
        sequences: kept.map((i) => batch.sequences[i] as number),
      };
    }
    this.entries = [];
    this.sequences = [];
    this.bytes = 0;
    return batch;
  }

  takeOwn(): readonly OwnProposal[] {
    const { own } = this;
    if (own.length > 0) this.own = [];
    return own;
  }

  takeChanges(): readonly GatheredChange[] {
    const changes = this.gatheredChanges;
    if (changes.length > 0) this.gatheredChanges = [];
    return changes;
  }
}
