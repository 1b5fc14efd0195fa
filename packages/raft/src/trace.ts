import type { ConfChangeV2 } from './conf-change.ts';
import type { Message } from './message.ts';
import type { ConfState, HardState, StateType } from './state.ts';

export type TraceEventName =
  | 'InitState'
  | 'BecomeFollower'
  | 'BecomePreCandidate'
  | 'BecomeCandidate'
  | 'BecomeLeader'
  | 'Send'
  | 'Receive'
  | 'Replicate'
  | 'Commit'
  | 'ProposeConfChange'
  | 'ApplyConfChange'
  | 'Ready';

/** What happened and the state right after it. */
export interface TraceEvent {
  readonly name: TraceEventName;
  readonly nodeId: bigint;
  readonly state: StateType;
  readonly hardState: HardState;
  readonly lastIndex: number;
  readonly confState: ConfState;
  /** Of Send and Receive. */
  readonly message: Message | undefined;
  /** Of ProposeConfChange and ApplyConfChange. */
  readonly confChange: ConfChangeV2 | undefined;
}

export type RaftTracer = (event: TraceEvent) => void;
