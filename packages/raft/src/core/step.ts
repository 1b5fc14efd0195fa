import { unreachable } from '../assert.ts';
import { entriesSize, payloadsSize } from '../entry.ts';
import type { RaftError } from '../errors.ts';
import { hex } from '../hex.ts';
import { draftMessage, type Message, MessageType, messageTypeName } from '../message.ts';
import { NONE, StateType } from '../state.ts';
import { stepCandidate } from './candidate.ts';
import { handleVoteRequest, hup, isCampaignTransfer, logVote } from './election.ts';
import { stepFollower } from './follower.ts';
import { stepLeader } from './leader.ts';
import type { Raft } from './raft.ts';

/** Takes a message: first its term, then what all roles do with it, then what the role does. */
export function step(raft: Raft, message: Message): RaftError | undefined {
  if (message.term > raft.term) {
    if (!meetHigherTerm(raft, message)) return undefined;
  } else if (message.term < raft.term && message.term !== 0) {
    answerLowerTerm(raft, message);
    return undefined;
  }
  switch (message.type) {
    case MessageType.MsgHup:
      hup(raft, raft.settings.preVote ? 'pre-election' : 'election');
      return undefined;
    case MessageType.MsgStorageAppendResp:
      handleAppended(raft, message);
      return undefined;
    case MessageType.MsgStorageApplyResp:
      handleApplied(raft, message);
      return undefined;
    case MessageType.MsgVote:
    case MessageType.MsgPreVote:
      handleVoteRequest(raft, message);
      return undefined;
    default:
      return stepRole(raft, message);
  }
}

function stepRole(raft: Raft, message: Message): RaftError | undefined {
  const { role } = raft;
  switch (role.state) {
    case StateType.Leader:
      return stepLeader(raft, role, message);
    case StateType.Follower:
      return stepFollower(raft, message);
    case StateType.Candidate:
    case StateType.PreCandidate:
      return stepCandidate(raft, message);
    default:
      return unreachable(role);
  }
}

/** Follows a higher term where it is one; false when the message is to be ignored. */
function meetHigherTerm(raft: Raft, message: Message): boolean {
  const { type } = message;
  const { electionTick, checkQuorum: hasLease } = raft.settings;
  if (type === MessageType.MsgVote || type === MessageType.MsgPreVote) {
    // Who hears of a leader does not help to unseat it (section 4.2.3 of the thesis), unless the leader itself asks to.
    const inLease = hasLease && raft.lead !== NONE && raft.electionElapsed < electionTick;
    if (inLease && !isCampaignTransfer(message.context)) {
      const remaining = electionTick - raft.electionElapsed;
      logVote(raft, message, 'ignored', `: lease is not expired (remaining ticks: ${remaining})`);
      return false;
    }
  }
  // A pre-vote asks about a term that nobody has yet, and its grant repeats that; a rejection bears a real term.
  if (type === MessageType.MsgPreVote || (type === MessageType.MsgPreVoteResp && !message.reject)) return true;
  raft.logger.info?.(
    `${hex(raft.id)} [term: ${raft.term}] received a ${messageTypeName(type)} message with higher term from ` +
      `${hex(message.from)} [term: ${message.term}]`,
  );
  const fromLeader = type === MessageType.MsgApp || type === MessageType.MsgHeartbeat || type === MessageType.MsgSnap;
  raft.becomeFollower(message.term, fromLeader ? message.from : NONE);
  return true;
}

/** Ignores a message of an old term, or tells its sender of the new one where it would otherwise never learn of it. */
function answerLowerTerm(raft: Raft, message: Message): void {
  const { type } = message;
  const { checkQuorum: hasLease, preVote } = raft.settings;
  const fromLeader = type === MessageType.MsgHeartbeat || type === MessageType.MsgApp;
  if (fromLeader && (hasLease || preVote)) {
    // This node may have raised its term while it was cut off, and now neither follows the leader (whose term is lower)
    // nor gets votes (because of leases). This makes the leader step down, and a proper election follow.
    raft.send(draftMessage(MessageType.MsgAppResp, message.from));
  } else if (type === MessageType.MsgPreVote) {
    // Nodes of an older term that ask forever, without knowing, could deadlock with those of this one.
    logVote(raft, message, 'rejected');
    const answer = draftMessage(MessageType.MsgPreVoteResp, message.from);
    answer.term = raft.term;
    answer.reject = true;
    raft.send(answer);
  } else if (type === MessageType.MsgStorageAppendResp) {
    // What was stored in an older term may have been overwritten since, and stored again as it was: the same entry
    // would then count as stable while it is on its way a second time. A snapshot cannot be overwritten.
    if (message.index !== 0) {
      raft.logger.info?.(
        `${hex(raft.id)} [term: ${raft.term}] ignored entry appends from a ${messageTypeName(type)} message ` +
          `with lower term [term: ${message.term}]`,
      );
    }
    if (message.snapshot !== undefined) raft.appliedSnapshot(message.snapshot);
  } else {
    raft.logger.info?.(
      `${hex(raft.id)} [term: ${raft.term}] ignored a ${messageTypeName(type)} message with lower term from ` +
        `${hex(message.from)} [term: ${message.term}]`,
    );
  }
}

/** Entries or a snapshot are durable. */
function handleAppended(raft: Raft, message: Message): void {
  if (message.index !== 0) raft.log.unstable.stableTo(message.index, message.logTerm);
  if (message.snapshot !== undefined) raft.appliedSnapshot(message.snapshot);
}

/** Committed entries are applied. */
function handleApplied(raft: Raft, message: Message): void {
  const last = message.entries.at(-1);
  if (last === undefined) return;
  const limited = raft.settings.maxCommittedSizePerReady !== Number.POSITIVE_INFINITY;
  raft.appliedTo(last.index, limited ? entriesSize(message.entries) : 0);
  raft.reduceUncommitted(payloadsSize(message.entries));
}
