import { emptyBytes, payloadsSize } from '../entry.ts';
import { RaftError } from '../errors.ts';
import { fatal } from '../fatal.ts';
import { hex } from '../hex.ts';
import { draftMessage, MessageType, noEntries } from '../message.ts';
import { isEmptySnapshot, type Snapshot } from '../state.ts';
import { type Progress, ProgressState } from '../tracker/progress.ts';
import type { Raft } from './raft.ts';
import type { LeaderRole } from './role.ts';

/** Sends what a node lacks, or at least the commit index. */
export function sendAppend(raft: Raft, to: Progress): void {
  maybeSendAppend(raft, to, true);
}

/**
 * Sends a node the entries from its `next` on, within the limits, or a snapshot if they are gone.
 * @param sendIfEmpty also without entries: as a probe, or to tell the commit index.
 * @returns whether a message was sent.
 */
export function maybeSendAppend(raft: Raft, to: Progress, sendIfEmpty: boolean): boolean {
  if (to.isPaused()) return false;
  const { log } = raft;
  const previousIndex = to.next - 1;
  const previousTerm = log.term(previousIndex);
  if (previousTerm < 0) return maybeSendSnapshot(raft, to);
  // With a full window only the empty message goes out, so that a node whose messages were all lost still answers.
  const throttled = to.state === ProgressState.Replicate && to.inflights.isFull();
  const entries = throttled ? noEntries : log.entriesFrom(to.next, raft.settings.maxSizePerMsg);
  if (entries === undefined) return sendIfEmpty && maybeSendSnapshot(raft, to);
  if (entries.length === 0 && !sendIfEmpty) return false;
  const message = draftMessage(MessageType.MsgApp, to.id);
  message.index = previousIndex;
  message.logTerm = previousTerm;
  message.entries = entries;
  message.commit = log.committed;
  raft.send(message);
  to.sentEntries(entries.length, payloadsSize(entries));
  to.sentCommit = log.committed;
  return true;
}

function maybeSendSnapshot(raft: Raft, to: Progress): boolean {
  const { log, logger } = raft;
  if (!to.recentActive) {
    logger.debug?.(`ignore sending snapshot to ${hex(to.id)} since it is not recently active`);
    return false;
  }
  const snapshot = readSnapshot(raft, to);
  if (snapshot === undefined) return false;
  if (isEmptySnapshot(snapshot)) fatal(logger, 'need non-empty snapshot');
  const { index, term } = snapshot.metadata;
  logger.debug?.(
    `${hex(raft.id)} [firstindex: ${log.firstIndex()}, commit: ${log.committed}] sent snapshot` +
      `[index: ${index}, term: ${term}] to ${hex(to.id)} [${to}]`,
  );
  to.becomeSnapshot(index);
  logger.debug?.(`${hex(raft.id)} paused sending replication messages to ${hex(to.id)} [${to}]`);
  const message = draftMessage(MessageType.MsgSnap, to.id);
  message.snapshot = snapshot;
  raft.send(message);
  return true;
}

function readSnapshot(raft: Raft, to: Progress): Snapshot | undefined {
  try {
    return raft.log.snapshot();
  } catch (error) {
    if (!(error instanceof RaftError) || error.code !== 'raft/snapshot-temporarily-unavailable') throw error;
    raft.logger.debug?.(`${hex(raft.id)} failed to send snapshot to ${hex(to.id)} because ${error.message}`);
    return undefined;
  }
}

export function broadcastAppend(raft: Raft): void {
  for (const progress of raft.tracker.ordered) {
    if (progress.id !== raft.id) sendAppend(raft, progress);
  }
}

/** A heartbeat to all, which also asks again for the confirmation of reads. */
export function broadcastHeartbeat(raft: Raft, leader: LeaderRole): void {
  broadcastHeartbeatWith(raft, leader.reads.lastContext());
}

export function broadcastHeartbeatWith(raft: Raft, context: Uint8Array = emptyBytes): void {
  for (const progress of raft.tracker.ordered) {
    if (progress.id === raft.id) continue;
    // Not beyond what is known to match: the rest of the node's log may be another one.
    const commit = Math.min(progress.match, raft.log.committed);
    const message = draftMessage(MessageType.MsgHeartbeat, progress.id);
    message.commit = commit;
    message.context = context;
    raft.send(message);
    progress.sentCommit = commit;
  }
}

/** Tells a node that has the whole log to call an election at once, which may be at any later time, or never. */
export function sendTimeoutNow(raft: Raft, leader: LeaderRole, to: bigint): void {
  leader.isLeaseVoid = true;
  raft.send(draftMessage(MessageType.MsgTimeoutNow, to));
}
