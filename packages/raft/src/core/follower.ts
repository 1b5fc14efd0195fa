import type { Entry } from '../entry.ts';
import type { RaftError } from '../errors.ts';
import { hex } from '../hex.ts';
import { draftMessage, type Message, MessageType } from '../message.ts';
import { NONE } from '../state.ts';
import { ReadOnlyOption } from './config.ts';
import { hup } from './election.ts';
import { propose } from './propose.ts';
import type { Raft } from './raft.ts';
import { handleSnapshot } from './snapshot.ts';

/** What a follower does with a message of its term. */
export function stepFollower(raft: Raft, message: Message): RaftError | undefined {
  switch (message.type) {
    case MessageType.MsgProp:
      return propose(raft, message.entries, message.from);
    case MessageType.MsgApp:
      hearFromLeader(raft, message.from);
      handleAppend(raft, message);
      return undefined;
    case MessageType.MsgHeartbeat:
      hearFromLeader(raft, message.from);
      handleHeartbeat(raft, message);
      return undefined;
    case MessageType.MsgSnap:
      hearFromLeader(raft, message.from);
      handleSnapshot(raft, message);
      return undefined;
    case MessageType.MsgTransferLeader:
      forward(raft, message, 'leader transfer msg');
      return undefined;
    case MessageType.MsgReadIndex:
      forward(raft, message, 'index reading msg');
      return undefined;
    case MessageType.MsgForgetLeader:
      forgetLeader(raft);
      return undefined;
    case MessageType.MsgTimeoutNow:
      raft.logger.info?.(
        `${hex(raft.id)} [term ${raft.term}] received MsgTimeoutNow from ${hex(message.from)} ` +
          'and starts an election to get leadership.',
      );
      // No pre-election: the leader asked, and will not answer for itself.
      hup(raft, 'transfer');
      return undefined;
    case MessageType.MsgReadIndexResp:
      takeReadState(raft, message);
      return undefined;
    default:
      return undefined;
  }
}

function hearFromLeader(raft: Raft, leader: bigint): void {
  raft.electionElapsed = 0;
  raft.lead = leader;
}

function forward(raft: Raft, message: Message, what: string): void {
  if (raft.lead === NONE) {
    raft.logger.info?.(`${hex(raft.id)} no leader at term ${raft.term}; dropping ${what}`);
    return;
  }
  const forwarded = draftMessage(message.type, raft.lead);
  forwarded.from = message.from;
  forwarded.entries = message.entries;
  forwarded.context = message.context;
  raft.send(forwarded);
}

function forgetLeader(raft: Raft): void {
  if (raft.settings.readOnlyOption === ReadOnlyOption.LeaseBased) {
    // Forgetting would let it vote in the lease that reads rely on.
    raft.logger.error?.('ignoring MsgForgetLeader due to ReadOnlyLeaseBased');
    return;
  }
  if (raft.lead === NONE) return;
  raft.logger.info?.(`${hex(raft.id)} forgetting leader ${hex(raft.lead)} at term ${raft.term}`);
  raft.lead = NONE;
}

function takeReadState(raft: Raft, message: Message): void {
  if (message.entries.length !== 1) {
    raft.logger.error?.(
      `${hex(raft.id)} invalid format of MsgReadIndexResp from ${hex(message.from)}, entries count: ${message.entries.length}`,
    );
    return;
  }
  raft.readStates.push({ index: message.index, requestContext: (message.entries[0] as Entry).data });
}

/** Takes entries from the leader (section 5.3). */
export function handleAppend(raft: Raft, message: Message): void {
  const { log } = raft;
  const answer = draftMessage(MessageType.MsgAppResp, message.from);
  if (message.index < log.committed) {
    // A late or repeated message: what is committed is known to match.
    answer.index = log.committed;
    raft.send(answer);
    return;
  }
  const lastNew = log.maybeAppend(message.logTerm, message.index, message.entries, message.commit);
  if (lastNew !== undefined) {
    answer.index = lastNew;
    raft.send(answer);
    return;
  }
  raft.logger.debug?.(
    `${hex(raft.id)} [logterm: ${log.termOrZero(message.index)}, index: ${message.index}] rejected MsgApp ` +
      `[logterm: ${message.logTerm}, index: ${message.index}] from ${hex(message.from)}`,
  );
  // The logs can match at most where this one has an entry of a term that is not above the leader's at that place. The
  // hint makes the leader skip all above it at once.
  const hint = log.findConflictByTerm(Math.min(message.index, log.lastIndex()), message.logTerm);
  answer.index = message.index;
  answer.reject = true;
  answer.rejectHint = hint.index;
  answer.logTerm = hint.term;
  raft.send(answer);
}

export function handleHeartbeat(raft: Raft, message: Message): void {
  raft.log.commitTo(message.commit);
  const answer = draftMessage(MessageType.MsgHeartbeatResp, message.from);
  answer.context = message.context;
  raft.send(answer);
}
