/** Outcome of a vote, as far as it is known. */
export const VoteResult = {
  /** It depends on votes that are still out. */
  Pending: 'VotePending',
  Lost: 'VoteLost',
  Won: 'VoteWon',
} as const;
export type VoteResult = (typeof VoteResult)[keyof typeof VoteResult];
