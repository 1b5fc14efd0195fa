import { assert, unreachable } from '../assert.ts';
import type { Inflights } from './inflights.ts';

/** How a leader sends to a node. A value is the protocol's name of it. */
export const ProgressState = {
  /** The follower's last index is not known: one message at a time, to find out. */
  Probe: 'StateProbe',
  /** The follower takes entries as fast as they come: `next` runs ahead. */
  Replicate: 'StateReplicate',
  /** The follower needs a snapshot: nothing is sent until it has it. */
  Snapshot: 'StateSnapshot',
} as const;
export type ProgressState = (typeof ProgressState)[keyof typeof ProgressState];

/** What a leader knows of one node (itself included): how far its log matches, and what may be sent. */
export class Progress {
  /** The node. */
  readonly id: bigint;
  /** Highest index known to match. */
  match: number;
  /** Next index to send. All entries below it are sent; always above `match`. */
  next: number;
  /** How it is sent to. */
  state: ProgressState = ProgressState.Probe;
  /** Index of the snapshot under way, 0 for none. */
  pendingSnapshot = 0;
  /** It was heard of in this election timeout. */
  recentActive = false;
  /** Nothing more is sent until the next heartbeat response, as probing or a full window demands. */
  appendsPaused = false;
  /** It has no vote. */
  isLearner: boolean;
  /** What was sent and not yet acknowledged. */
  readonly inflights: Inflights;
  /** Highest commit index sent, a promise that holds only while the message that bears it arrives. */
  sentCommit = 0;

  /** A node that is to be probed from `next` on. */
  constructor(id: bigint, match: number, next: number, isLearner: boolean, inflights: Inflights) {
    this.id = id;
    this.match = match;
    this.next = next;
    this.isLearner = isLearner;
    this.inflights = inflights;
  }

  /** A copy that shares the window; used where a configuration change makes another role of the same node. */
  withRole(isLearner: boolean): Progress {
    return this.copyInto(new Progress(this.id, this.match, this.next, isLearner, this.inflights));
  }

  /** A copy that shares nothing. */
  clone(): Progress {
    return this.copyInto(new Progress(this.id, this.match, this.next, this.isLearner, this.inflights.clone()));
  }

  private copyInto(copy: Progress): Progress {
    copy.state = this.state;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.recentActive = this.recentActive;
    copy.appendsPaused = this.appendsPaused;
    copy.sentCommit = this.sentCommit;
    return copy;
  }

  /** As a new term begins: nothing is known but the role. */
  restart(match: number, next: number): void {
    this.match = match;
    this.next = next;
    this.recentActive = false;
    this.sentCommit = 0;
    this.enter(ProgressState.Probe);
  }

  private enter(state: ProgressState): void {
    this.appendsPaused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }

  /** Sends one message at a time from now on, from behind what is known to match. */
  becomeProbe(): void {
    // A snapshot that arrived is known to be there, even before its acknowledgement.
    const next =
      this.state === ProgressState.Snapshot ? Math.max(this.match + 1, this.pendingSnapshot + 1) : this.match + 1;
    this.enter(ProgressState.Probe);
    this.next = next;
    this.capSentCommit();
  }

  /** Sends entries as fast as the window allows from now on, from behind what is known to match. */
  becomeReplicate(): void {
    this.enter(ProgressState.Replicate);
    this.next = this.match + 1;
  }

  /** Sends nothing until the snapshot at `index` is there. */
  becomeSnapshot(index: number): void {
    this.enter(ProgressState.Snapshot);
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /**
   * Notes that `count` entries with `bytes` of payload were sent from `next` on.
   * @throws {InvariantError} while a snapshot is under way
   */
  sentEntries(count: number, bytes: number): void {
    switch (this.state) {
      case ProgressState.Replicate:
        if (count > 0) {
          this.next += count;
          this.inflights.add(this.next - 1, bytes);
        }
        this.appendsPaused = this.inflights.isFull();
        return;
      case ProgressState.Probe:
        if (count > 0) this.appendsPaused = true;
        return;
      case ProgressState.Snapshot:
        assert(false, 'sending append in unhandled state StateSnapshot');
        return;
      default:
        unreachable(this.state);
    }
  }

  /** Whether a message with that commit index tells the follower something new that it can use. */
  canBumpCommit(index: number): boolean {
    return index > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** Takes an acknowledgement up to `index`; false when it is old news. */
  maybeUpdate(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.appendsPaused = false;
    return true;
  }

  /**
   * Takes the rejection of an append at `rejected`, with the follower's guess of where the logs part.
   * @returns false when the rejection is stale, as messages come late and out of order.
   */
  maybeDecrease(rejected: number, matchHint: number): boolean {
    if (this.state === ProgressState.Replicate) {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      this.capSentCommit();
      return true;
    }
    // Probing sends one message at a time, so anything but its answer is stale.
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, matchHint + 1), this.match + 1);
    this.capSentCommit();
    this.appendsPaused = false;
    return true;
  }

  private capSentCommit(): void {
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  /** Whether nothing may be sent now. */
  isPaused(): boolean {
    return this.state === ProgressState.Snapshot || this.appendsPaused;
  }

  /** `StateReplicate match=5 next=6`, with ` learner`, ` paused` and so on where it holds. */
  toString(): string {
    let text = `${this.state} match=${this.match} next=${this.next}`;
    if (this.isLearner) text += ' learner';
    if (this.isPaused()) text += ' paused';
    if (this.pendingSnapshot > 0) text += ` pendingSnap=${this.pendingSnapshot}`;
    if (!this.recentActive) text += ' inactive';
    if (this.inflights.count > 0) text += ` inflight=${this.inflights.count}${this.inflights.isFull() ? '[full]' : ''}`;
    return text;
  }
}

/** A line `ID: PROGRESS` a node, in the order given. */
export function describeProgress(all: Iterable<Progress>): string {
  let text = '';
  for (const progress of all) text += `${progress.id}: ${progress.toString()}\n`;
  return text;
}
