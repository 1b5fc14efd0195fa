import { hex } from '../hex.ts';
import { draftMessage, type Message, MessageType } from '../message.ts';
import { type ConfState, emptySnapshot, NONE, type Snapshot, StateType } from '../state.ts';
import type { Raft } from './raft.ts';

/** Takes a snapshot from the leader. */
export function handleSnapshot(raft: Raft, message: Message): void {
  const snapshot = message.snapshot ?? emptySnapshot;
  const { index, term } = snapshot.metadata;
  const restored = restore(raft, snapshot);
  const { log } = raft;
  raft.logger.info?.(
    `${hex(raft.id)} [commit: ${log.committed}] ${restored ? 'restored' : 'ignored'} snapshot ` +
      `[index: ${index}, term: ${term}]`,
  );
  const answer = draftMessage(MessageType.MsgAppResp, message.from);
  answer.index = restored ? log.lastIndex() : log.committed;
  raft.send(answer);
}

/** Puts the snapshot in place of log and configuration; false when there is no need or it can not be. */
function restore(raft: Raft, snapshot: Snapshot): boolean {
  const { log, logger } = raft;
  const { index, term, confState } = snapshot.metadata;
  if (index <= log.committed) return false;
  if (raft.role.state !== StateType.Follower) {
    // Whoever sends a snapshot of this term is its leader, which everybody follows. Step down rather than go on like that.
    logger.warn?.(`${hex(raft.id)} attempted to restore snapshot as leader; should never happen`);
    raft.becomeFollower(raft.term + 1, NONE);
    return false;
  }
  // Nodes of the next learners are voters of the outgoing half.
  const known = [confState.voters, confState.learners, confState.votersOutgoing].some((ids) => ids.includes(raft.id));
  if (!known) {
    logger.warn?.(
      `${hex(raft.id)} attempted to restore snapshot but it is not in the ConfState ${describe(confState)}; ` +
        'should never happen',
    );
    return false;
  }
  const last = log.lastEntryId();
  const before = `[commit: ${log.committed}, lastindex: ${last.index}, lastterm: ${last.term}]`;
  if (log.matchTerm(index, term)) {
    // The log goes that far already: it only learns that all of it is committed.
    logger.info?.(`${hex(raft.id)} ${before} fast-forwarded commit to snapshot [index: ${index}, term: ${term}]`);
    log.commitTo(index);
    return false;
  }
  if (log.applied < log.applying) raft.superseded ??= { config: raft.tracker.config, progress: raft.tracker.progress };
  log.restore(snapshot);
  raft.restoreConfState(confState);
  const now = log.lastEntryId();
  logger.info?.(
    `${hex(raft.id)} [commit: ${log.committed}, lastindex: ${now.index}, lastterm: ${now.term}] restored snapshot ` +
      `[index: ${index}, term: ${term}]`,
  );
  return true;
}

function describe(confState: ConfState): string {
  const parts: string[] = [];
  for (const id of confState.voters) parts.push(`voters:${id}`);
  for (const id of confState.learners) parts.push(`learners:${id}`);
  for (const id of confState.votersOutgoing) parts.push(`voters_outgoing:${id}`);
  for (const id of confState.learnersNext) parts.push(`learners_next:${id}`);
  return [...parts, `auto_leave:${confState.autoLeave}`].join(' ');
}
