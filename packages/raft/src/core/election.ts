import { unreachable } from '../assert.ts';
import { type Entry, EntryType } from '../entry.ts';
import { hex } from '../hex.ts';
import { draftMessage, type Message, MessageType, messageTypeName, voteResponseType } from '../message.ts';
import { sortedIds } from '../quorum/joint.ts';
import { VoteResult } from '../quorum/vote-result.ts';
import { NONE, StateType } from '../state.ts';
import type { Raft } from './raft.ts';
import { broadcastAppend } from './replication.ts';

/** `transfer` is an election that the leader asked for: it overrides the lease of its followers. */
export type CampaignType = 'pre-election' | 'election' | 'transfer';

/** Context of the vote requests of a transfer, as it goes over the wire. */
const campaignTransferContext = Uint8Array.from('CampaignTransfer', (char) => char.charCodeAt(0));

export function isCampaignTransfer(context: Uint8Array): boolean {
  return (
    context.length === campaignTransferContext.length && campaignTransferContext.every((byte, i) => context[i] === byte)
  );
}

/** Calls an election, if this node may. */
export function hup(raft: Raft, campaignType: CampaignType): void {
  const { logger } = raft;
  if (raft.role.state === StateType.Leader) {
    logger.debug?.(`${hex(raft.id)} ignoring MsgHup because already leader`);
    return;
  }
  if (!raft.isPromotable()) {
    logger.warn?.(`${hex(raft.id)} is unpromotable and can not campaign`);
    return;
  }
  // With a change committed but not applied it would count the votes of a configuration that may be gone.
  if (hasUnappliedConfChange(raft)) {
    logger.warn?.(
      `${hex(raft.id)} cannot campaign at term ${raft.term} since there are still pending configuration changes to apply`,
    );
    return;
  }
  logger.info?.(`${hex(raft.id)} is starting a new election at term ${raft.term}`);
  campaign(raft, campaignType);
}

function hasUnappliedConfChange(raft: Raft): boolean {
  const { log, settings } = raft;
  if (log.applied >= log.committed) return false;
  const isChange = (entry: Entry) => entry.type !== EntryType.Normal;
  return log.scan(log.applied + 1, log.committed + 1, settings.maxCommittedSizePerReady, (entries) =>
    entries.some(isChange),
  );
}

function campaign(raft: Raft, campaignType: CampaignType): void {
  if (!raft.isPromotable()) {
    // Whoever calls has checked that; only a change that was applied since the pre-election could have made a difference.
    raft.logger.warn?.(`${hex(raft.id)} is unpromotable; campaign() should have been called`);
  }
  const isPreElection = campaignType === 'pre-election';
  if (isPreElection) raft.becomePreCandidate();
  else raft.becomeCandidate();
  const type = isPreElection ? MessageType.MsgPreVote : MessageType.MsgVote;
  const term = isPreElection ? raft.term + 1 : raft.term;
  for (const id of sortedIds(raft.voterIds())) {
    if (id === raft.id) {
      // The own vote counts like all others: once it is durable.
      const own = draftMessage(voteResponseType(type), id);
      own.term = term;
      raft.send(own);
      continue;
    }
    const last = raft.log.lastEntryId();
    raft.logger.info?.(
      `${hex(raft.id)} [logterm: ${last.term}, index: ${last.index}] sent ${messageTypeName(type)} request to ` +
        `${hex(id)} at term ${raft.term}`,
    );
    const request = draftMessage(type, id);
    request.term = term;
    request.index = last.index;
    request.logTerm = last.term;
    if (campaignType === 'transfer') request.context = campaignTransferContext;
    raft.send(request);
  }
}

/** Answers MsgVote and MsgPreVote of a term that is not below the own one. */
export function handleVoteRequest(raft: Raft, message: Message): void {
  const isPreVote = message.type === MessageType.MsgPreVote;
  const canVote =
    // The same vote again,
    raft.vote === message.from ||
    // the first one while no leader is known,
    (raft.vote === NONE && raft.lead === NONE) ||
    // or a question about a future term, which binds to nothing.
    (isPreVote && message.term > raft.term);
  // Learners vote too: they may have become voters without knowing it yet.
  const granted = canVote && raft.log.isUpToDate(message.logTerm, message.index);
  logVote(raft, message, granted ? 'cast' : 'rejected');
  const answer = draftMessage(voteResponseType(message.type), message.from);
  // A pre-vote is granted for the term asked for, which the own term need not have reached.
  answer.term = granted ? message.term : raft.term;
  answer.reject = !granted;
  raft.send(answer);
  if (granted && !isPreVote) {
    raft.electionElapsed = 0;
    raft.vote = message.from;
  }
}

/** `cast MsgVote for`, `rejected MsgVote from`, `ignored MsgVote from`, with both logs. */
export function logVote(raft: Raft, message: Message, what: 'cast' | 'rejected' | 'ignored', suffix = ''): void {
  const { info } = raft.logger;
  if (info === undefined) return;
  const last = raft.log.lastEntryId();
  raft.logger.info?.(
    `${hex(raft.id)} [logterm: ${last.term}, index: ${last.index}, vote: ${hex(raft.vote)}] ${what} ` +
      `${messageTypeName(message.type)} ${what === 'cast' ? 'for' : 'from'} ${hex(message.from)} ` +
      `[logterm: ${message.logTerm}, index: ${message.index}] at term ${raft.term}${suffix}`,
  );
}

/** Counts a vote for this (pre-)candidate. */
export function handleVoteResponse(raft: Raft, message: Message): void {
  const name = messageTypeName(message.type);
  raft.logger.info?.(
    `${hex(raft.id)} received ${name}${message.reject ? ' rejection' : ''} from ${hex(message.from)} at term ${raft.term}`,
  );
  raft.tracker.recordVote(message.from, !message.reject);
  const { granted, rejected, result } = raft.tracker.tallyVotes();
  raft.logger.info?.(`${hex(raft.id)} has received ${granted} ${name} votes and ${rejected} vote rejections`);
  switch (result) {
    case VoteResult.Won:
      if (raft.role.state === StateType.PreCandidate) {
        campaign(raft, 'election');
      } else {
        raft.becomeLeader();
        broadcastAppend(raft);
      }
      return;
    case VoteResult.Lost:
      // In a pre-election the answer may bear a higher term; it is not taken over, as the term there may never come.
      raft.becomeFollower(raft.term, NONE);
      return;
    case VoteResult.Pending:
      return;
    default:
      unreachable(result);
  }
}
