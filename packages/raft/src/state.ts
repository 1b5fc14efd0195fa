import { emptyBytes } from './entry.ts';

/** "No node": the vote of who did not vote, the leader when none is known. */
export const NONE = 0n;
/** Addressee of messages to the thread that appends to the log (asynchronous storage writes). */
export const LOCAL_APPEND_THREAD = 0xffff_ffff_ffff_ffffn;
/** Addressee of messages to the thread that applies committed entries (asynchronous storage writes). */
export const LOCAL_APPLY_THREAD = 0xffff_ffff_ffff_fffen;

/** Whether the id is that of a local thread rather than a node. */
export function isLocalTarget(id: bigint): boolean {
  return id === LOCAL_APPEND_THREAD || id === LOCAL_APPLY_THREAD;
}

/** What must be on disk before messages that depend on it go out (figure 2 of the Raft paper, section 3.8 of the thesis). */
export interface HardState {
  /** The node's term, 0 before the first. */
  readonly term: number;
  /** Whom it voted for in that term, {@link NONE} for nobody. */
  readonly vote: bigint;
  /** Highest index known to be committed. It need not be durable at once: that only saves work after a restart. */
  readonly commit: number;
}

/** That of a node which was never started. */
export const emptyHardState: HardState = { term: 0, vote: NONE, commit: 0 };

/** Whether nothing was ever stored in it. */
export function isEmptyHardState(state: HardState): boolean {
  return state.term === 0 && state.vote === NONE && state.commit === 0;
}

/** Whether all three fields are the same. */
export function equalHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}

/** The role of a node (section 5.1 of the Raft paper). */
export const StateType = {
  /** Takes the log from the leader, if there is one. Learners are followers too. */
  Follower: 'StateFollower',
  /** Asks for votes in a new term. */
  Candidate: 'StateCandidate',
  /** Takes proposals and sends its log to the others. */
  Leader: 'StateLeader',
  /** Asks whether it could win an election, without a new term (section 9.6 of the thesis). */
  PreCandidate: 'StatePreCandidate',
} as const;
export type StateType = (typeof StateType)[keyof typeof StateType];

/** State that is only of interest while running; it need not be stored. */
export interface SoftState {
  /** The leader of the node's term, {@link NONE} when unknown. */
  readonly leader: bigint;
  /** The node's own role. */
  readonly state: StateType;
}

/** A configuration as it is stored and sent. No id is in two lists, but outgoing voters may be voters or next learners too. */
export interface ConfState {
  /** Voters; those of the incoming half while the configuration is joint. */
  readonly voters: readonly bigint[];
  /** Nodes that get the log and have no vote. */
  readonly learners: readonly bigint[];
  /** Voters of the outgoing half; empty unless joint. */
  readonly votersOutgoing: readonly bigint[];
  /** Voters of the outgoing half that become learners when the joint configuration is left. */
  readonly learnersNext: readonly bigint[];
  /** The leader leaves the joint configuration by itself. */
  readonly autoLeave: boolean;
}

/** Nobody. */
export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** Lists that are not given are empty. */
export function createConfState(init: Partial<ConfState>): ConfState {
  return { ...emptyConfState, ...init };
}

/** Where in the log a snapshot stands. */
export interface SnapshotMetadata {
  /** The configuration at that index, as `applyConfChange` returned it. */
  readonly confState: ConfState;
  /** Index of the last entry it contains; 0 makes it empty. */
  readonly index: number;
  /** Term of that entry. */
  readonly term: number;
}

/** The state machine at an index (section 7 of the Raft paper, chapter 5 of the thesis). */
export interface Snapshot {
  /** The application's own bytes. Raft passes them on and does not read them. */
  readonly data: Uint8Array;
  /** What raft reads of it. */
  readonly metadata: SnapshotMetadata;
}

/** No snapshot: index 0. */
export const emptySnapshot: Snapshot = {
  data: emptyBytes,
  metadata: { confState: emptyConfState, index: 0, term: 0 },
};

/** Whether there is no snapshot: undefined, or one at index 0. */
export function isEmptySnapshot(snapshot: Snapshot | undefined): boolean {
  return snapshot === undefined || snapshot.metadata.index === 0;
}

/** The answer to a read-index request: the read is linearizable once `index` is applied (section 6.4 of the thesis). */
export interface ReadState {
  /** Commit index of the leader when it got the request. */
  readonly index: number;
  /** The bytes that were given to `readIndex`. */
  readonly requestContext: Uint8Array;
}
