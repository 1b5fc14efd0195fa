import { emptyBytes } from './entry.ts';

/** "No node": the vote of who did not vote, the leader when none is known. */
export const NONE = 0n;
/** Addressee of messages to the thread that appends to the log (asynchronous storage writes). */
export const LOCAL_APPEND_THREAD = 0xffff_ffff_ffff_ffffn;
/** Addressee of messages to the thread that applies committed entries (asynchronous storage writes). */
export const LOCAL_APPLY_THREAD = 0xffff_ffff_ffff_fffen;

export function isLocalTarget(id: bigint): boolean {
  return id === LOCAL_APPEND_THREAD || id === LOCAL_APPLY_THREAD;
}

/** What must be on disk before messages that depend on it go out. */
export interface HardState {
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
}

export const emptyHardState: HardState = { term: 0, vote: NONE, commit: 0 };

export function isEmptyHardState(state: HardState): boolean {
  return state.term === 0 && state.vote === NONE && state.commit === 0;
}

export function equalHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}

export const StateType = {
  Follower: 'StateFollower',
  Candidate: 'StateCandidate',
  Leader: 'StateLeader',
  PreCandidate: 'StatePreCandidate',
} as const;
export type StateType = (typeof StateType)[keyof typeof StateType];

/** State that is only of interest while running; it need not be stored. */
export interface SoftState {
  /** {@link NONE} when unknown. */
  readonly leader: bigint;
  readonly state: StateType;
}

/** A configuration as it is stored and sent. */
export interface ConfState {
  /** Voters; those of the incoming half while the configuration is joint. */
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  /** Voters of the outgoing half; empty unless joint. */
  readonly votersOutgoing: readonly bigint[];
  /** Voters of the outgoing half that become learners when the joint configuration is left. */
  readonly learnersNext: readonly bigint[];
  /** The leader leaves the joint configuration by itself. */
  readonly autoLeave: boolean;
}

export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export function createConfState(init: Partial<ConfState>): ConfState {
  return { ...emptyConfState, ...init };
}

export interface SnapshotMetadata {
  readonly confState: ConfState;
  readonly index: number;
  readonly term: number;
}

/** The state machine at an index. */
export interface Snapshot {
  readonly data: Uint8Array;
  readonly metadata: SnapshotMetadata;
}

export const emptySnapshot: Snapshot = {
  data: emptyBytes,
  metadata: { confState: emptyConfState, index: 0, term: 0 },
};

export function isEmptySnapshot(snapshot: Snapshot | undefined): boolean {
  return snapshot === undefined || snapshot.metadata.index === 0;
}

/** The answer to a read-index request: the read is linearizable once `index` is applied. */
export interface ReadState {
  readonly index: number;
  readonly requestContext: Uint8Array;
}
