import type { RaftError } from '../errors.ts';
import { hex } from '../hex.ts';
import { type Message, MessageType } from '../message.ts';
import type { Progress } from '../tracker/progress.ts';
import { checkQuorum } from './check-quorum.ts';
import {
  handleAppendResponse,
  handleHeartbeatResponse,
  handleSnapshotStatus,
  handleUnreachable,
} from './leader-acks.ts';
import { propose } from './propose.ts';
import type { Raft } from './raft.ts';
import { handleReadIndex } from './read-index.ts';
import { broadcastHeartbeat } from './replication.ts';
import type { LeaderRole } from './role.ts';
import { handleTransfer } from './transfer.ts';

/** What a leader does with a message of its term. */
export function stepLeader(raft: Raft, leader: LeaderRole, message: Message): RaftError | undefined {
  switch (message.type) {
    case MessageType.MsgProp:
      return propose(raft, message.entries, message.from);
    case MessageType.MsgBeat:
      broadcastHeartbeat(raft, leader);
      return undefined;
    case MessageType.MsgCheckQuorum:
      checkQuorum(raft);
      return undefined;
    case MessageType.MsgReadIndex:
      handleReadIndex(raft, leader, message);
      return undefined;
    case MessageType.MsgForgetLeader:
      return undefined;
    default: {
      const from = raft.tracker.find(message.from);
      if (from === undefined) {
        raft.logger.debug?.(`${hex(raft.id)} no progress available for ${hex(message.from)}`);
      } else {
        stepFromNode(raft, leader, from, message);
      }
      return undefined;
    }
  }
}

function stepFromNode(raft: Raft, leader: LeaderRole, from: Progress, message: Message): void {
  switch (message.type) {
    case MessageType.MsgAppResp:
      handleAppendResponse(raft, leader, from, message);
      return;
    case MessageType.MsgHeartbeatResp:
      handleHeartbeatResponse(raft, leader, from, message);
      return;
    case MessageType.MsgSnapStatus:
      handleSnapshotStatus(raft, from, message.reject);
      return;
    case MessageType.MsgUnreachable:
      handleUnreachable(raft, from);
      return;
    case MessageType.MsgTransferLeader:
      handleTransfer(raft, leader, from);
      return;
    default:
      return;
  }
}
