import type { Entry } from '../entry.ts';
import { hex } from '../hex.ts';
import { draftMessage, type Message, MessageType } from '../message.ts';
import { NONE } from '../state.ts';
import { ReadOnlyOption } from './config.ts';
import type { Raft } from './raft.ts';
import { PENDING_READS_MAX } from './read-only-queue.ts';
import { broadcastHeartbeatWith } from './replication.ts';
import type { LeaderRole } from './role.ts';

/** A read asks for the index it must wait for (section 6.4 of the thesis). */
export function handleReadIndex(raft: Raft, leader: LeaderRole, request: Message): void {
  if (!hasCommittedInTerm(raft)) {
    // Earlier leaders may have committed more than is known here.
    if (leader.postponedReads.length < PENDING_READS_MAX) leader.postponedReads.push(request);
    return;
  }
  startRead(raft, leader, request);
}

function hasCommittedInTerm(raft: Raft): boolean {
  return raft.log.termOrZero(raft.log.committed) === raft.term;
}

function startRead(raft: Raft, leader: LeaderRole, request: Message): void {
  const index = raft.log.committed;
  // The only voter needs nobody's confirmation, and with a lease there is one. (A leader that was removed may see a
  // configuration of one voter too, but that is another: it could lead by now.)
  const isAlone = raft.tracker.isSingleton() && raft.tracker.config.incoming.has(raft.id);
  const hasLease = raft.settings.readOnlyOption === ReadOnlyOption.LeaseBased && !leader.isLeaseVoid;
  if (isAlone || hasLease) {
    answerRead(raft, request, index);
    return;
  }
  if (!leader.reads.add(request, index, raft.id)) {
    raft.logger.warn?.(`${hex(raft.id)} has ${leader.reads.count} reads waiting; dropping index reading msg`);
    return;
  }
  broadcastHeartbeatWith(raft, leader.reads.lastContext());
}

/** The first entry of the term is committed: reads that came before are taken up. */
export function releasePostponedReads(raft: Raft, leader: LeaderRole): void {
  if (leader.postponedReads.length === 0) return;
  if (!hasCommittedInTerm(raft)) {
    raft.logger.error?.('pending MsgReadIndex should be released only after first commit in current term');
    return;
  }
  const requests = leader.postponedReads;
  leader.postponedReads = [];
  for (const request of requests) startRead(raft, leader, request);
}

/** A node answered a heartbeat that was to confirm reads. */
export function confirmReads(raft: Raft, leader: LeaderRole, from: bigint, context: Uint8Array): void {
  const confirmed = leader.reads.acknowledge(from, context, raft.tracker.config);
  for (const { request, index } of confirmed) answerRead(raft, request, index);
}

function answerRead(raft: Raft, request: Message, index: number): void {
  if (request.from === NONE || request.from === raft.id) {
    raft.readStates.push({ index, requestContext: (request.entries[0] as Entry).data });
    return;
  }
  const answer = draftMessage(MessageType.MsgReadIndexResp, request.from);
  answer.index = index;
  answer.entries = request.entries;
  raft.send(answer);
}
