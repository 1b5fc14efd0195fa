import { hex } from '../hex.ts';
import { NONE } from '../state.ts';
import type { Progress } from '../tracker/progress.ts';
import type { Raft } from './raft.ts';
import { sendAppend, sendTimeoutNow } from './replication.ts';
import type { LeaderRole } from './role.ts';

/** Hands leadership to a node: brings its log up to date, then tells it to call an election (section 3.10 of the thesis). */
export function handleTransfer(raft: Raft, leader: LeaderRole, to: Progress): void {
  const { logger } = raft;
  const self = hex(raft.id);
  if (to.isLearner) {
    logger.debug?.(`${self} is learner. Ignored transferring leadership`);
    return;
  }
  if (leader.transferee === to.id) {
    logger.info?.(
      `${self} [term ${raft.term}] transfer leadership to ${hex(to.id)} is in progress, ` +
        `ignores request to same node ${hex(to.id)}`,
    );
    return;
  }
  if (leader.transferee !== NONE) {
    logger.info?.(`${self} [term ${raft.term}] abort previous transferring leadership to ${hex(leader.transferee)}`);
    leader.transferee = NONE;
  }
  if (to.id === raft.id) {
    logger.debug?.(`${self} is already leader. Ignored transferring leadership to self`);
    return;
  }
  logger.info?.(`${self} [term ${raft.term}] starts to transfer leadership to ${hex(to.id)}`);
  // It is given an election timeout, see the leader's tick.
  raft.electionElapsed = 0;
  leader.transferee = to.id;
  if (to.match === raft.log.lastIndex()) {
    sendTimeoutNow(raft, leader, to.id);
    logger.info?.(
      `${self} sends MsgTimeoutNow to ${hex(to.id)} immediately as ${hex(to.id)} already has up-to-date log`,
    );
  } else {
    sendAppend(raft, to);
  }
}
