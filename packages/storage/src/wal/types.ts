import type { Clock, Disk, Logger, Metrics } from '@quorate/base';

/** An entry of the raft log. Structurally that of the raft package, which this one does not import. */
export interface Entry {
  readonly term: number;
  readonly index: number;
  /** 0 normal, 1 ConfChange, 2 ConfChangeV2. */
  readonly type: 0 | 1 | 2;
  readonly data: Uint8Array;
}

/** What raft must not forget beside its entries; all zero is "none". */
export interface HardState {
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
}

export interface ConfState {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}

/** Says in the log that a snapshot of that index and term exists. */
export interface WalSnapshot {
  readonly index: number;
  readonly term: number;
  /** Written by 3.5 and later when the index is above 0. */
  readonly confState?: ConfState | undefined;
}

/** What stands in front of every segment: whose log this is. */
export interface WalMetadata {
  readonly nodeId: bigint;
  readonly clusterId: bigint;
}

export interface WalDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export const emptyHardState: HardState = { term: 0, vote: 0n, commit: 0 };
export const zeroSnapshot: WalSnapshot = { index: 0, term: 0 };

export function isEmptyHardState(state: HardState): boolean {
  return state.term === 0 && state.commit === 0 && state.vote === 0n;
}
