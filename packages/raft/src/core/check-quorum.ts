import { hex } from '../hex.ts';
import { NONE } from '../state.ts';
import type { Raft } from './raft.ts';

/** As a leader: steps down unless a quorum was heard of since the last check. */
export function checkQuorum(raft: Raft): void {
  if (!raft.tracker.isQuorumActive()) {
    raft.logger.warn?.(`${hex(raft.id)} stepped down to follower since quorum is not active`);
    raft.becomeFollower(raft.term, NONE);
  }
  // Whoever is still there answers heartbeats before the next check.
  for (const progress of raft.tracker.ordered) {
    if (progress.id !== raft.id) progress.recentActive = false;
  }
}
