import type { RaftError } from '../errors.ts';
import { hex } from '../hex.ts';
import { type Message, MessageType } from '../message.ts';
import { StateType } from '../state.ts';
import { handleVoteResponse } from './election.ts';
import { handleAppend, handleHeartbeat } from './follower.ts';
import { propose } from './propose.ts';
import type { Raft } from './raft.ts';
import { handleSnapshot } from './snapshot.ts';

/** What a candidate or pre-candidate does with a message of its term. */
export function stepCandidate(raft: Raft, message: Message): RaftError | undefined {
  const isPreCandidate = raft.role.state === StateType.PreCandidate;
  switch (message.type) {
    case MessageType.MsgProp:
      return propose(raft, message.entries, message.from);
    case MessageType.MsgApp:
    case MessageType.MsgHeartbeat:
    case MessageType.MsgSnap:
      // Another was elected in this term.
      raft.becomeFollower(message.term, message.from);
      if (message.type === MessageType.MsgApp) handleAppend(raft, message);
      else if (message.type === MessageType.MsgHeartbeat) handleHeartbeat(raft, message);
      else handleSnapshot(raft, message);
      return undefined;
    case MessageType.MsgVoteResp:
      // Answers to the other kind of request are late ones of the campaign before.
      if (!isPreCandidate) handleVoteResponse(raft, message);
      return undefined;
    case MessageType.MsgPreVoteResp:
      // A grant is for the term that was asked for: a late one of the campaign before, which led to this term, says
      // nothing about the next. A rejection bears the term of who rejects.
      if (isPreCandidate && (message.reject || message.term === raft.term + 1)) handleVoteResponse(raft, message);
      return undefined;
    case MessageType.MsgTimeoutNow:
      raft.logger.debug?.(
        `${hex(raft.id)} [term ${raft.term} state ${raft.role.state}] ignored MsgTimeoutNow from ${hex(message.from)}`,
      );
      return undefined;
    default:
      return undefined;
  }
}
