import type { Message } from '../message.ts';
import { StateType } from '../state.ts';
import type { ReadOnlyQueue } from './read-only-queue.ts';

export interface FollowerRole {
  readonly state: typeof StateType.Follower;
}

export interface PreCandidateRole {
  readonly state: typeof StateType.PreCandidate;
}

export interface CandidateRole {
  readonly state: typeof StateType.Candidate;
}

/** What only a leader has; it ends with the leadership. */
export interface LeaderRole {
  readonly state: typeof StateType.Leader;
  /** To whom leadership is being transferred, 0 for nobody. Proposals are dropped meanwhile. */
  transferee: bigint;
  /** Somebody was told to campaign, for which followers vote at once: this leader's lease may end without it knowing. */
  isLeaseVoid: boolean;
  /**
   * No configuration change is proposed until this index is applied: that of the last one proposed, or of the end of the
   * log when the leadership began, as there may be one before it.
   */
  pendingConfIndex: number;
  /** Payload bytes proposed in this term and not yet committed. */
  uncommittedBytes: number;
  /** Reads that wait for a quorum to confirm the leadership. */
  readonly reads: ReadOnlyQueue;
  /** Reads that wait for the first entry of the term to be committed. */
  postponedReads: Message[];
}

export type Role = FollowerRole | PreCandidateRole | CandidateRole | LeaderRole;

export const follower: FollowerRole = { state: StateType.Follower };
export const preCandidate: PreCandidateRole = { state: StateType.PreCandidate };
export const candidate: CandidateRole = { state: StateType.Candidate };
