import { assert } from '../../assert.ts';
import type { Raft } from '../../core/raft.ts';
import { type Message, MessageType } from '../../message.ts';
import { type HardState, NONE, StateType } from '../../state.ts';
import { broken } from './broken.ts';
import { type Halves, isQuorum } from './quorums.ts';

/** Terms and votes: who may lead, and what a vote binds to. */
export class ElectionInvariants {
  private readonly leaders = new Map<number, bigint>();
  /** By `term/voter`: whom it granted its vote, as seen in its answer. */
  private readonly grants = new Map<string, bigint>();
  /** `term/voter/candidate` of granted pre-votes. */
  private readonly preGrants = new Set<string>();

  /** Terms that had a leader. */
  get count(): number {
    return this.leaders.size;
  }

  /** Before a hard state is written over another. */
  storing(id: bigint, before: HardState, after: HardState): void {
    assert(after.term >= before.term, `durable term went back: on ${id} from ${before.term} to ${after.term}`);
    assert(
      after.commit >= before.commit,
      `durable commit went back: on ${id} from ${before.commit} to ${after.commit}`,
    );
    assert(
      after.term > before.term || before.vote === NONE || after.vote === before.vote,
      `durable vote changed: that of ${id} in term ${after.term} from ${before.vote} to ${after.vote}`,
    );
  }

  /** A granted vote leaves a node: it must be durable, and the only one of the term. */
  voteLeaves({ from, to, term }: Message, durable: HardState): void {
    assert(
      durable.term > term || (durable.term === term && durable.vote === to),
      `vote not durable: that of ${from} for ${to} in term ${term}`,
    );
    const key = `${term}/${from}`;
    const known = this.grants.get(key);
    assert(known === undefined || known === to, `two votes: ${from} votes for ${known} and ${to} in term ${term}`);
    this.grants.set(key, to);
  }

  preVoteLeaves({ from, to, term }: Message): void {
    this.preGrants.add(`${term}/${from}/${to}`);
  }

  /** Terms never go down, and a vote never changes within one. */
  checkTerm(id: bigint, raft: Raft, termBefore: number, voteBefore: bigint): void {
    if (raft.term < termBefore) broken(`term went back: on ${id} from ${termBefore} to ${raft.term}`);
    if (raft.term === termBefore && voteBefore !== NONE && raft.vote !== voteBefore) {
      broken(`vote changed: that of ${id} in term ${raft.term} from ${voteBefore} to ${raft.vote}`);
    }
  }

  /** With pre-votes a campaign of an own accord begins when a quorum said that it could be won. */
  checkPreElection(raft: Raft, config: Halves): void {
    const { id, term } = raft;
    const agreed = (voter: bigint) => voter === id || this.preGrants.has(`${term}/${voter}/${id}`);
    assert(isQuorum(config, agreed), `pre-election: ${id} campaigns in term ${term} without a quorum of pre-votes`);
  }

  /** @returns whether it is a leader that is seen for the first time. */
  checkLeader(raft: Raft, config: Halves, durable: HardState): boolean {
    if (raft.role.state !== StateType.Leader) return false;
    const { id, term } = raft;
    const known = this.leaders.get(term);
    assert(known === undefined || known === id, `election safety: ${known} and ${id} lead term ${term}`);
    if (known !== undefined) return false;
    this.leaders.set(term, id);
    const votedForIt = (voter: bigint) =>
      voter === id ? durable.term === term && durable.vote === id : this.grants.get(`${term}/${voter}`) === id;
    assert(isQuorum(config, votedForIt), `election without quorum: ${id} leads term ${term}`);
    return true;
  }
}

/**
 * What figure 2 of the Raft paper demands of a node that took a message in, whatever its state.
 * @param termBefore its term and vote before that.
 */
export function checkObedience(raft: Raft, message: Message, termBefore: number, voteBefore: bigint): void {
  const { type, term, from } = message;
  const { id } = raft;
  if (type === MessageType.MsgPreVote) {
    const isUnchanged = raft.term === termBefore && raft.vote === voteBefore;
    if (!isUnchanged) broken(`pre-vote binds: ${id} changed term or vote for a pre-vote`);
    return;
  }
  const isLeased = type === MessageType.MsgVote && raft.settings.checkQuorum;
  const isPreGrant = type === MessageType.MsgPreVoteResp && !message.reject;
  if (raft.term < term && !isLeased && !isPreGrant) {
    broken(`higher term ignored: ${id} stays in term ${raft.term} though it met ${term}`);
  }
  const isOfLeader = type === MessageType.MsgApp || type === MessageType.MsgHeartbeat || type === MessageType.MsgSnap;
  if (!isOfLeader || term < termBefore || raft.term !== term) return;
  const follows = raft.role.state === StateType.Follower && raft.lead === from;
  if (!follows) broken(`leader ignored: ${id} does not follow ${from}, which leads its term ${term}`);
}
