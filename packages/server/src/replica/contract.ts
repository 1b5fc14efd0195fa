import type { Clock, Logger } from '@quorate/base';
import type { ConfState, Entry, HardState, MemoryStorage, RawNode, Ready, Snapshot } from '@quorate/raft';
import type { PeerNetwork } from './peer-network.ts';
import type { ReplicaMetrics } from './replica-metrics.ts';
import type { RequestIds } from './request-ids.ts';

/** Where entries become durable. */
export interface EntryLog {
  /** Encodes into the buffer of the next sync. */
  append(hardState: HardState | undefined, entries: readonly Entry[]): void;
  /** Makes all that was appended durable; a failure means the member must stop. */
  sync(): Promise<void>;
}

/** What the replica needs of the state machine. `Result` is what one applied request gives back to its caller. */
export interface StateMachine<Result> {
  /** Index of the last applied entry. */
  readonly appliedIndex: number;
  /** Applies a committed entry of ordinary kind; `answer` hears the result and the id of the request in it. */
  apply(entry: Entry, answer: (idHigh: number, idLow: number, result: Result) => void): void;
  /** Applies a membership change to raft and to the member list; answers as `apply` does. */
  applyConfChange(entry: Entry, answer: (idHigh: number, idLow: number, result: Result) => void): ConfState | undefined;
  /** A batch of entries is applied: time to answer watchers, commit, compact. */
  batchApplied(): void;
  /** While more is applied than the disk keeps up with: resolves when it has. Rejects when the disk has failed, which is told elsewhere. */
  backlog(): Promise<void> | undefined;
}

export interface ReplicaDeps<Result> {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly node: RawNode;
  readonly raftStorage: MemoryStorage;
  readonly log: EntryLog;
  readonly machine: StateMachine<Result>;
  readonly network: Pick<PeerNetwork, 'send'>;
  readonly ids: RequestIds;
  /** The member cannot go on; called once, with what broke. */
  readonly onFatal: (error: unknown) => void;
  /** The raft role or leader changed. */
  readonly onRoleChange: (status: RoleStatus) => void;
  /** All answers of this turn are given: time to write them to the sockets. */
  readonly flushAnswers: () => void;
  /** A snapshot came from the leader: makes it, and the hard state and entries beside it, durable. */
  readonly saveSnapshot: (snapshot: Snapshot, ready: Ready) => Promise<void>;
  /** Puts the state machine on a snapshot that is durable; nothing is applied until it resolves. */
  readonly installSnapshot: (snapshot: Snapshot) => Promise<void>;
  /** Whether a quorum (of a leader), or else the leader, has been connected all the time since then. By default it has. */
  readonly isConnectedSince?: (sinceMs: number) => boolean;
  /** The disk, or the event loop, held this member up for longer than an election timeout. */
  readonly onStall?: (what: 'disk' | 'loop', stalledMs: number) => void;
  readonly metrics?: ReplicaMetrics;
}

export interface ReplicaOptions {
  /** The configuration in force at the start. */
  readonly confState: ConfState;
  readonly heartbeatMs: number;
  /** Time without word from a leader before an election. */
  readonly electionMs: number;
  /** Time a proposal or a linearizable read may take. */
  readonly requestTimeoutMs: number;
  /** Largest entry in bytes. */
  readonly requestBytesMax: number;
  /** Requests, by their field, that are still taken up to twice the gap at which others are refused (etcd's factor). */
  readonly priorityFields?: ReadonlySet<number>;
  readonly limits?: Partial<ReplicaLimits>;
}

/** Bounds of what may wait here. */
export interface ReplicaLimits {
  /** Proposals that wait for their result. */
  readonly waitingCallsMax: number;
  /** Linearizable reads that wait for their index. */
  readonly waitingReadsMax: number;
  /** Messages of other members that wait for their turn; those that come then are lost, which raft takes (etcd's figure). */
  readonly receivedMessagesMax: number;
  /** Bytes that gather for the next batch. */
  readonly gatheredBytesMax: number;
  /** Committed entries not yet applied, above which new proposals are refused (etcd's figure). */
  readonly applyGapMax: number;
  /** Bytes of committed entries that wait for a snapshot to be installed; raft is not asked for more then. */
  readonly installBacklogBytesMax: number;
  /** Longest stretch of applying in one turn, in milliseconds. */
  readonly sliceMs: number;
}

export const defaultLimits: ReplicaLimits = {
  waitingCallsMax: 100_000,
  waitingReadsMax: 100_000,
  receivedMessagesMax: 4096,
  gatheredBytesMax: 256 * 1024 * 1024,
  applyGapMax: 5_000,
  installBacklogBytesMax: 64 * 1024 * 1024,
  sliceMs: 4,
};

export interface RoleStatus {
  readonly leader: bigint;
  readonly isLeader: boolean;
  readonly term: number;
}
