/** Outcome of a vote, as far as it is known. A value is the protocol's name of it. */
export const VoteResult = {
  /** It depends on votes that are still out. */
  Pending: 'VotePending',
  /** No majority can come together any more. */
  Lost: 'VoteLost',
  /** A majority said yes. */
  Won: 'VoteWon',
} as const;
export type VoteResult = (typeof VoteResult)[keyof typeof VoteResult];
