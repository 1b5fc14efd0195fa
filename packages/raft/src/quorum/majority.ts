import { VoteResult } from './vote-result.ts';

/** The highest index a voter is known to hold; undefined when nothing is known. */
export type AckedIndex<Voter = bigint> = (voter: Voter) => number | undefined;
/** How a voter voted; undefined when it did not. */
export type CastVote = (id: bigint) => boolean | undefined;

/** Used only within one call. */
const scratch: number[] = [];

/**
 * The highest index that a majority of the voters holds, who are ids or whatever stands for them; a voter of which nothing
 * is known holds none (0). A majority of nobody commits everything (Infinity), which makes the empty half of a joint
 * configuration neutral.
 */
export function majorityCommittedIndex<Voter>(voters: Iterable<Voter>, acked: AckedIndex<Voter>): number {
  let count = 0;
  for (const voter of voters) {
    // Insertion sort, ascending: there are few voters, and one is most often placed at an end.
    const index = acked(voter) ?? 0;
    let i = count++;
    for (; i > 0 && (scratch[i - 1] as number) > index; i--) scratch[i] = scratch[i - 1] as number;
    scratch[i] = index;
  }
  // From this position on there are floor(count / 2) + 1 voters.
  return count === 0 ? Number.POSITIVE_INFINITY : (scratch[count - ((count >> 1) + 1)] as number);
}

/** Whether a majority voted yes. Nobody's vote is won, see {@link majorityCommittedIndex}. */
export function majorityVoteResult(voters: ReadonlySet<bigint>, votes: CastVote): VoteResult {
  if (voters.size === 0) return VoteResult.Won;
  let yes = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = votes(id);
    if (vote === undefined) missing++;
    else if (vote) yes++;
  }
  const needed = (voters.size >> 1) + 1;
  if (yes >= needed) return VoteResult.Won;
  return yes + missing >= needed ? VoteResult.Pending : VoteResult.Lost;
}
