import { type AckedIndex, type CastVote, majorityCommittedIndex, majorityVoteResult } from './majority.ts';
import { VoteResult } from './vote-result.ts';

/** Two majorities that must both agree (section 6 of the Raft paper). Not joint while `outgoing` is empty. */
export interface JointVoters {
  /** Ids of the voters, or of the new half while joint. */
  readonly incoming: ReadonlySet<bigint>;
  /** Ids of the old half. */
  readonly outgoing: ReadonlySet<bigint>;
}

/** The highest index committed in both halves; Infinity if both are empty. */
export function jointCommittedIndex(voters: JointVoters, acked: AckedIndex): number {
  const incoming = majorityCommittedIndex(voters.incoming, acked);
  if (voters.outgoing.size === 0) return incoming;
  return Math.min(incoming, majorityCommittedIndex(voters.outgoing, acked));
}

/** Won when won in both halves, lost when lost in one. */
export function jointVoteResult(voters: JointVoters, votes: CastVote): VoteResult {
  const incoming = majorityVoteResult(voters.incoming, votes);
  const outgoing = majorityVoteResult(voters.outgoing, votes);
  if (incoming === outgoing) return incoming;
  if (incoming === VoteResult.Lost || outgoing === VoteResult.Lost) return VoteResult.Lost;
  return VoteResult.Pending;
}

/** Ids of both halves, ascending. */
export function jointIds(voters: JointVoters): bigint[] {
  return sortedIds(new Set([...voters.incoming, ...voters.outgoing]));
}

/** Ids as an ascending array. */
export function sortedIds(ids: Iterable<bigint>): bigint[] {
  return [...ids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
