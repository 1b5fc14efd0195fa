import { unreachable } from '../assert.ts';
import { hex } from '../hex.ts';
import type { Message } from '../message.ts';
import { type Progress, ProgressState } from '../tracker/progress.ts';
import type { Raft } from './raft.ts';
import { confirmReads, releasePostponedReads } from './read-index.ts';
import { broadcastAppend, maybeSendAppend, sendAppend, sendTimeoutNow } from './replication.ts';
import type { LeaderRole } from './role.ts';

/** A node acknowledges or rejects entries (section 5.3). */
export function handleAppendResponse(raft: Raft, leader: LeaderRole, from: Progress, message: Message): void {
  from.recentActive = true;
  if (message.reject) {
    handleRejection(raft, from, message);
    return;
  }
  // An acknowledgement that says nothing new still ends probing: it shows where the logs match.
  const endsProbe = from.match === message.index && from.state === ProgressState.Probe;
  if (!from.maybeUpdate(message.index) && !endsProbe) return;
  advanceState(raft, from, message.index);
  if (raft.maybeCommit()) {
    releasePostponedReads(raft, leader);
    broadcastAppend(raft);
  } else if (from.id !== raft.id && from.canBumpCommit(raft.log.committed)) {
    // It is at an index it does not know to be committed.
    sendAppend(raft, from);
  }
  if (from.id !== raft.id) {
    // There may be room for several messages now.
    while (maybeSendAppend(raft, from, false));
  }
  if (from.id === leader.transferee && from.match === raft.log.lastIndex()) {
    raft.logger.info?.(`${hex(raft.id)} sent MsgTimeoutNow to ${hex(from.id)} after received MsgAppResp`);
    sendTimeoutNow(raft, leader, from.id);
  }
}

/**
 * Moves back to where the logs can match. The follower's hint is its last entry whose term is not above that of the
 * rejected place; here all entries of a higher term than the hint's are skipped too. So it takes one round for each
 * term in which the logs differ, not one for each entry.
 */
function handleRejection(raft: Raft, from: Progress, message: Message): void {
  raft.logger.debug?.(
    `${hex(raft.id)} received MsgAppResp(rejected, hint: (index ${message.rejectHint}, term ${message.logTerm})) ` +
      `from ${hex(from.id)} for index ${message.index}`,
  );
  const next =
    message.logTerm > 0 ? raft.log.findConflictByTerm(message.rejectHint, message.logTerm).index : message.rejectHint;
  if (!from.maybeDecrease(message.index, next)) return;
  raft.logger.debug?.(`${hex(raft.id)} decreased progress of ${hex(from.id)} to [${from}]`);
  if (from.state === ProgressState.Replicate) from.becomeProbe();
  sendAppend(raft, from);
}

function advanceState(raft: Raft, from: Progress, index: number): void {
  switch (from.state) {
    case ProgressState.Probe:
      from.becomeReplicate();
      return;
    case ProgressState.Snapshot:
      // The log reaches it again, whether by the snapshot that was sent or by one it got elsewhere.
      if (from.match + 1 < raft.log.firstIndex()) return;
      raft.logger.debug?.(
        `${hex(raft.id)} recovered from needing snapshot, resumed sending replication messages to ${hex(from.id)} [${from}]`,
      );
      // By way of probing, which keeps what is known of the snapshot.
      from.becomeProbe();
      from.becomeReplicate();
      return;
    case ProgressState.Replicate:
      from.inflights.freeUpTo(index);
      return;
    default:
      unreachable(from.state);
  }
}

export function handleHeartbeatResponse(raft: Raft, leader: LeaderRole, from: Progress, message: Message): void {
  from.recentActive = true;
  from.appendsPaused = false;
  // With a full window this is an empty message, which finds out whether those in it were lost.
  if (from.match < raft.log.lastIndex() || from.state === ProgressState.Probe) sendAppend(raft, from);
  if (message.context.length > 0) confirmReads(raft, leader, from.id, message.context);
}

/** The application reports how sending a snapshot went. */
export function handleSnapshotStatus(raft: Raft, to: Progress, failed: boolean): void {
  if (to.state !== ProgressState.Snapshot) return;
  // Without a pending snapshot probing starts at the last match again.
  if (failed) to.pendingSnapshot = 0;
  to.becomeProbe();
  raft.logger.debug?.(
    `${hex(raft.id)} snapshot ${failed ? 'failed' : 'succeeded'}, resumed sending replication messages to ` +
      `${hex(to.id)} [${to}]`,
  );
  // If it succeeded the acknowledgement comes by itself, if it failed it is to wait a heartbeat.
  to.appendsPaused = true;
}

/** The application could not send to a node: what is under way is most likely lost. */
export function handleUnreachable(raft: Raft, to: Progress): void {
  if (to.state === ProgressState.Replicate) to.becomeProbe();
  raft.logger.debug?.(`${hex(raft.id)} failed to send message to ${hex(to.id)} because it is unreachable [${to}]`);
}
