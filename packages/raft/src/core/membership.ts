import { type ConfChangeV2, isLeaveJoint, jointTransition } from '../conf-change.ts';
import { Changer, type Membership } from '../confchange/changer.ts';
import { RaftError } from '../errors.ts';
import { fatal } from '../fatal.ts';
import { hex } from '../hex.ts';
import { type ConfState, NONE, StateType } from '../state.ts';
import { describeConfiguration, isVoter, toConfState } from '../tracker/configuration.ts';
import type { Raft } from './raft.ts';
import { broadcastAppend, maybeSendAppend } from './replication.ts';

/** Takes a committed change into force. It was checked before it was proposed: one that does not fit stops the node. */
export function applyConfChange(raft: Raft, change: ConfChangeV2): ConfState {
  const { superseded } = raft;
  if (superseded !== undefined) {
    // The application still applies what was handed out before a snapshot came, whose configuration is in force already.
    const next = changeMembership(raft, superseded, change);
    raft.superseded = next;
    return toConfState(next.config);
  }
  return switchToMembership(raft, changeMembership(raft, raft.tracker, change));
}

function changeMembership(raft: Raft, base: Membership, change: ConfChangeV2): Membership {
  const changer = new Changer(base, raft.log.lastIndex(), () => raft.tracker.newInflights());
  try {
    if (isLeaveJoint(change)) return changer.leaveJoint();
    const joint = jointTransition(change);
    return joint === undefined ? changer.simple(change.changes) : changer.enterJoint(joint.autoLeave, change.changes);
  } catch (error) {
    if (error instanceof RaftError) fatal(raft.logger, error.message);
    throw error;
  }
}

/** Puts a membership in force, with all that follows for a leader. */
export function switchToMembership(raft: Raft, membership: Membership): ConfState {
  const { tracker, role } = raft;
  const { config, progress } = membership;
  raft.trace('ApplyConfChange', { newVoters: toConfState(config).voters });
  tracker.switchTo(config, progress);
  raft.logger.info?.(`${hex(raft.id)} switched to configuration ${describeConfiguration(config)}`);
  const confState = toConfState(config);
  const own = progress.get(raft.id);
  raft.isLearner = own?.isLearner === true;
  if (role.state !== StateType.Leader) return confState;
  if (own === undefined || own.isLearner) {
    // It may go on as a leader that does not count itself, until the change is committed everywhere and another is
    // elected; or it steps down now.
    if (raft.settings.stepDownOnRemoval) raft.becomeFollower(raft.term, NONE);
    return confState;
  }
  if (config.incoming.size === 0) return confState;
  if (raft.maybeCommit()) {
    // A smaller quorum may commit more at once.
    broadcastAppend(raft);
  } else {
    // A new node is probed at once, rather than at the next heartbeat.
    for (const other of tracker.ordered) {
      if (other.id !== raft.id) maybeSendAppend(raft, other, false);
    }
  }
  if (role.transferee !== NONE && !isVoter(config, role.transferee)) role.transferee = NONE;
  return confState;
}
