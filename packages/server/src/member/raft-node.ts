import { ConfChangeType, type ConfState, createConfChange, RawNode } from '@quorate/raft';
import type { MemberStorage } from '../bootstrap/open-storage.ts';
import type { MemberConfig } from '../config/config.ts';
import type { MemberDeps } from './member-deps.ts';
import { raftLogger } from './raft-logger.ts';

const heartbeatTick = 1;
/** Bytes of entries in one append message, and of committed entries applied in one stretch. */
const messageBytesMax = 512 * 1024;
const applyBytesMax = 256 * 1024;
const inflightMessagesMax = 512;
/**
 * Entries sent to a member and not acknowledged by it. etcd counts messages alone, so that up to 512 of them, of up to 1.5 MiB each, may
 * wait for a member that hangs; this is far more than a network with a round trip of a tenth of a second can use.
 */
const inflightBytesMax = 64 * 1024 * 1024;
/** Payload that may be proposed and not yet committed. */
const uncommittedBytesMax = 512 * 1024 * 1024;

/** The raft node of a member, at the start of its cluster's log or where its own ends. */
export function makeNode(deps: MemberDeps, config: MemberConfig, storage: MemberStorage): RawNode {
  const node = new RawNode({
    id: storage.memberId,
    electionTick: Math.floor(config.electionMs / config.heartbeatMs),
    heartbeatTick,
    storage: storage.raftStorage,
    random: deps.random,
    maxSizePerMsg: messageBytesMax,
    maxCommittedSizePerReady: applyBytesMax,
    maxUncommittedEntriesSize: uncommittedBytesMax,
    maxInflightMsgs: inflightMessagesMax,
    maxInflightBytes: inflightBytesMax,
    checkQuorum: true,
    preVote: config.preVote,
    logger: raftLogger(deps.logger, config.logLevel === 'debug'),
  });
  if (storage.bootstrap !== undefined) {
    node.bootstrap(storage.bootstrap.changes.map(({ nodeId, context }) => ({ id: nodeId, context })));
  }
  // Raft reads its configuration with the snapshot that the log begins behind. Where it begins with its first entry, there is none.
  else if (storage.snapshot.index === 0) takeConfState(node, storage.confState);
  return node;
}

function takeConfState(node: RawNode, { voters, learners }: ConfState): void {
  for (const nodeId of voters) node.applyConfChange(createConfChange({ type: ConfChangeType.AddNode, nodeId }));
  for (const nodeId of learners)
    node.applyConfChange(createConfChange({ type: ConfChangeType.AddLearnerNode, nodeId }));
}
