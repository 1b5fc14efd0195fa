import { unreachable } from '../assert.ts';
import {
  type AnyConfChange,
  ConfChangeType,
  type ConfChangeV2,
  describeConfChange,
  isLeaveJoint,
  toConfChangeV2,
} from '../conf-change.ts';
import { confChangeOfEntry } from '../conf-change-codec.ts';
import { createEntry, type Entry, type EntryInit, EntryType, emptyBytes } from '../entry.ts';
import { proposalDropped, RaftError } from '../errors.ts';
import { fatal } from '../fatal.ts';
import { hex } from '../hex.ts';
import { completeEntries, draftMessage, MessageType } from '../message.ts';
import { NONE, StateType } from '../state.ts';
import { describeConfiguration, isJoint } from '../tracker/configuration.ts';
import type { Raft } from './raft.ts';
import { broadcastAppend } from './replication.ts';
import type { LeaderRole } from './role.ts';

/** Proposes entries: appends them as leader, forwards them as follower. All or none of them are taken. */
export function propose(raft: Raft, entries: readonly EntryInit[], from: bigint): RaftError | undefined {
  const { role } = raft;
  switch (role.state) {
    case StateType.Leader:
      return proposeAsLeader(raft, role, entries);
    case StateType.Follower:
      return forwardProposal(raft, entries, from);
    case StateType.Candidate:
    case StateType.PreCandidate:
      return dropWithoutLeader(raft);
    default:
      return unreachable(role);
  }
}

function dropWithoutLeader(raft: Raft): RaftError {
  raft.logger.info?.(`${hex(raft.id)} no leader at term ${raft.term}; dropping proposal`);
  return proposalDropped;
}

function forwardProposal(raft: Raft, entries: readonly EntryInit[], from: bigint): RaftError | undefined {
  if (raft.lead === NONE) return dropWithoutLeader(raft);
  if (raft.settings.disableProposalForwarding) {
    raft.logger.info?.(
      `${hex(raft.id)} not forwarding to leader ${hex(raft.lead)} at term ${raft.term}; dropping proposal`,
    );
    return proposalDropped;
  }
  const forwarded = draftMessage(MessageType.MsgProp, raft.lead);
  forwarded.from = from;
  forwarded.entries = completeEntries(entries);
  raft.send(forwarded);
  return undefined;
}

function proposeAsLeader(raft: Raft, leader: LeaderRole, entries: readonly EntryInit[]): RaftError | undefined {
  if (entries.length === 0) fatal(raft.logger, `${hex(raft.id)} stepped empty MsgProp`);
  const refused = refuseProposals(raft, leader);
  if (refused !== undefined) return refused;
  const pendingBefore = leader.pendingConfIndex;
  const checked = checkConfChanges(raft, leader, entries);
  const failed = checked instanceof RaftError ? checked : appendOwnEntries(raft, leader, checked);
  if (failed !== undefined) {
    leader.pendingConfIndex = pendingBefore;
    return failed;
  }
  broadcastAppend(raft);
  return undefined;
}

function refuseProposals(raft: Raft, leader: LeaderRole): RaftError | undefined {
  // Removed from the configuration while leader: what it would append might never be committed.
  if (raft.tracker.find(raft.id) === undefined) return proposalDropped;
  if (leader.transferee === NONE) return undefined;
  raft.logger.debug?.(
    `${hex(raft.id)} [term ${raft.term}] transfer leadership to ${hex(leader.transferee)} is in progress; dropping proposal`,
  );
  return proposalDropped;
}

/** As {@link propose} with normal entries, but a leader makes only the entries themselves: the way of most proposals. */
export function proposePayloads(raft: Raft, payloads: readonly Uint8Array[]): RaftError | undefined {
  const { role } = raft;
  if (role.state !== StateType.Leader) {
    return propose(
      raft,
      payloads.map((data) => ({ data })),
      raft.id,
    );
  }
  const refused = refuseProposals(raft, role);
  if (refused !== undefined) return refused;
  let size = 0;
  for (let i = 0; i < payloads.length; i++) size += (payloads[i] as Uint8Array).length;
  const dropped = countUncommitted(raft, role, size);
  if (dropped !== undefined) return dropped;
  const { term } = raft;
  const first = raft.log.lastIndex() + 1;
  appendAndAcknowledge(
    raft,
    payloads.map((data, i) => createEntry(term, first + i, EntryType.Normal, data)),
  );
  broadcastAppend(raft);
  return undefined;
}

/** Empty normal entries in place of changes that may not be made now; the other entries as they are. */
function checkConfChanges(
  raft: Raft,
  leader: LeaderRole,
  entries: readonly EntryInit[],
): readonly EntryInit[] | RaftError {
  let checked: EntryInit[] | undefined;
  for (let i = 0; i < entries.length; i++) {
    const { type = EntryType.Normal, data = emptyBytes } = entries[i] as EntryInit;
    if (type === EntryType.Normal) continue;
    let change: AnyConfChange | undefined;
    try {
      change = confChangeOfEntry({ type, data });
    } catch (error) {
      if (error instanceof RaftError) return error;
      throw error;
    }
    if (change === undefined) continue;
    const reason = reasonAgainst(raft, leader, toConfChangeV2(change));
    if (reason !== undefined && !raft.settings.disableConfChangeValidation) {
      raft.logger.info?.(
        `${hex(raft.id)} ignoring conf change ${describeConfChange(change)} at config ` +
          `${describeConfiguration(raft.tracker.config)}: ${reason}`,
      );
      checked ??= [...entries];
      checked[i] = { type: EntryType.Normal };
      continue;
    }
    leader.pendingConfIndex = raft.log.lastIndex() + i + 1;
    traceConfChange(raft, change);
  }
  return checked ?? entries;
}

function traceConfChange(raft: Raft, change: AnyConfChange): void {
  const changes = toConfChangeV2(change).changes.filter(({ type }) => type !== ConfChangeType.UpdateNode);
  if (changes.length > 0) raft.trace('ChangeConf', { changes });
}

/** One change at a time, each applied before the next, and joint configurations entered and left in turn. */
function reasonAgainst(raft: Raft, leader: LeaderRole, change: ConfChangeV2): string | undefined {
  const { applied } = raft.log;
  const wantsLeaveJoint = change.changes.length === 0;
  if (leader.pendingConfIndex > applied) {
    return `possible unapplied conf change at index ${leader.pendingConfIndex} (applied to ${applied})`;
  }
  const alreadyJoint = isJoint(raft.tracker.config);
  if (alreadyJoint && !wantsLeaveJoint) return 'must transition out of joint config first';
  if (!alreadyJoint && wantsLeaveJoint) return 'not in joint state; refusing empty conf change';
  // It would pass for the change that leaves, but be applied as one that enters.
  if (wantsLeaveJoint && !isLeaveJoint(change)) return 'refusing empty conf change that asks for a joint config';
  return undefined;
}

/** Gives entries their term and index and appends them to the own log, unless too much is uncommitted. */
export function appendOwnEntries(
  raft: Raft,
  leader: LeaderRole,
  proposed: readonly EntryInit[],
): RaftError | undefined {
  let size = 0;
  for (let i = 0; i < proposed.length; i++) size += (proposed[i] as EntryInit).data?.length ?? 0;
  const dropped = countUncommitted(raft, leader, size);
  if (dropped !== undefined) return dropped;
  const { term } = raft;
  const first = raft.log.lastIndex() + 1;
  appendAndAcknowledge(
    raft,
    proposed.map(({ type = EntryType.Normal, data = emptyBytes }, i) => createEntry(term, first + i, type, data)),
  );
  return undefined;
}

/**
 * What exceeds the limit alone passes if nothing else is pending; what has no payload always does, as a new leader's
 * first entry and the change that leaves a joint configuration must.
 */
function countUncommitted(raft: Raft, leader: LeaderRole, size: number): RaftError | undefined {
  const { uncommittedBytes } = leader;
  if (uncommittedBytes > 0 && size > 0 && uncommittedBytes + size > raft.settings.maxUncommittedEntriesSize) {
    raft.logger.warn?.(
      `${hex(raft.id)} appending new entries to log would exceed uncommitted entry size limit; dropping proposal`,
    );
    return proposalDropped;
  }
  leader.uncommittedBytes += size;
  return undefined;
}

/** The leader acknowledges its own entries like any other node, once they are durable. */
function appendAndAcknowledge(raft: Raft, entries: readonly Entry[]): void {
  const lastIndex = raft.log.append(entries);
  if (raft.settings.tracer !== undefined) {
    for (const { type } of entries) if (type === EntryType.Normal) raft.trace('Replicate');
  }
  const own = draftMessage(MessageType.MsgAppResp, raft.id);
  own.index = lastIndex;
  raft.send(own);
}
