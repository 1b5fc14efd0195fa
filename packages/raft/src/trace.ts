import type { ConfChangeV2 } from './conf-change.ts';
import type { Message } from './message.ts';
import type { ConfState, HardState, StateType } from './state.ts';

/** What happened: a change of role or log, a message sent or received, a step of a configuration change. */
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
  /** What happened. */
  readonly name: TraceEventName;
  /** The node it happened to. */
  readonly nodeId: bigint;
  /** Its role. */
  readonly state: StateType;
  /** Its term, vote and commit index. */
  readonly hardState: HardState;
  /** Index of the last entry of its log, stored or not. */
  readonly lastIndex: number;
  /** Its configuration. */
  readonly confState: ConfState;
  /** Of Send and Receive. */
  readonly message: Message | undefined;
  /** Of ProposeConfChange and ApplyConfChange. */
  readonly confChange: ConfChangeV2 | undefined;
}

/** Takes each event as it happens. It must not call the node. */
export type RaftTracer = (event: TraceEvent) => void;
