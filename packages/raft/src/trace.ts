import { type ConfChangeSingle, ConfChangeType } from './conf-change.ts';
import { type Message, MessageType, messageTypeName } from './message.ts';
import type { HardState, StateType } from './state.ts';

/** What a message is to a model of raft: a heartbeat and a snapshot are appends, pre-votes are nothing. */
export type TraceMessageKind =
  | 'AppendEntriesRequest'
  | 'AppendEntriesResponse'
  | 'RequestVoteRequest'
  | 'RequestVoteResponse';

/** What happened: a change of role or log, a message sent or received, a step of a configuration change. */
export type TraceEventName =
  | 'InitState'
  | 'BecomeFollower'
  | 'BecomeCandidate'
  | 'BecomeLeader'
  /** After every look at what a quorum holds, whether that committed more or not. */
  | 'Commit'
  /** A leader appends a normal entry. */
  | 'Replicate'
  /** A leader appends a configuration change. */
  | 'ChangeConf'
  /** A configuration is about to be put in force. */
  | 'ApplyConfChange'
  /** A Ready was taken on. */
  | 'Ready'
  | `Send${TraceMessageKind}`
  | `Receive${TraceMessageKind}`;

/** What belongs to some events only. */
export interface TraceDetails {
  /** Of the events of messages. */
  readonly message?: Message;
  /** Of MsgApp that is sent: the sender's progress of itself. */
  readonly progress?: { readonly match: number; readonly next: number };
  /** Of ChangeConf. */
  readonly changes?: readonly ConfChangeSingle[];
  /** Of ApplyConfChange: the (incoming) voters from now on, ascending. */
  readonly newVoters?: readonly bigint[];
}

/** What happened and the state right then: what etcd's TLA+ specification of raft checks real runs against. */
export interface TraceEvent extends TraceDetails {
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
  /** Its voters, ascending; those of the incoming half while the configuration is joint. */
  readonly voters: readonly bigint[];
  /** Voters of the outgoing half, ascending. */
  readonly votersOutgoing: readonly bigint[];
}

/** Takes each event as it happens. It must not call the node. */
export type RaftTracer = (event: TraceEvent) => void;

/** The part of an event's name that a message's type decides; undefined for those that are not traced. */
export function traceMessageKind(type: MessageType): TraceMessageKind | undefined {
  switch (type) {
    case MessageType.MsgApp:
    case MessageType.MsgHeartbeat:
    case MessageType.MsgSnap:
      return 'AppendEntriesRequest';
    case MessageType.MsgAppResp:
    case MessageType.MsgHeartbeatResp:
      return 'AppendEntriesResponse';
    case MessageType.MsgVote:
      return 'RequestVoteRequest';
    case MessageType.MsgVoteResp:
      return 'RequestVoteResponse';
    default:
      return undefined;
  }
}

/** The event as a line of JSON, in the form that etcd's trace validation reads. */
export function traceEventToJson(event: TraceEvent): string {
  const { hardState, message } = event;
  const ids = (all: readonly bigint[]) => all.map(String);
  const { newVoters } = event;
  const properties = {
    ...(event.changes === undefined ? {} : { cc: { changes: event.changes.flatMap(describeChange) } }),
    ...(newVoters === undefined ? {} : { cc: newVoters.length === 0 ? {} : { newconf: ids(newVoters) } }),
    ...event.progress,
  };
  return JSON.stringify({
    name: event.name,
    nid: String(event.nodeId),
    state: { term: hardState.term, vote: String(hardState.vote), commit: hardState.commit },
    role: event.state,
    log: event.lastIndex,
    conf: [ids(event.voters), ids(event.votersOutgoing)],
    msg: message === undefined ? undefined : describeTracedMessage(message),
    prop: Object.keys(properties).length === 0 ? undefined : properties,
  });
}

function describeTracedMessage(message: Message): Record<string, unknown> {
  // A snapshot counts as an append of all entries it stands for.
  const isSnapshot = message.type === MessageType.MsgSnap;
  return {
    type: messageTypeName(message.type),
    term: message.term,
    from: String(message.from),
    to: String(message.to),
    entries: isSnapshot ? (message.snapshot?.metadata.index ?? 0) : message.entries.length,
    logTerm: isSnapshot ? 0 : message.logTerm,
    index: isSnapshot ? 0 : message.index,
    commit: message.commit,
    vote: String(message.vote),
    reject: message.reject,
    rejectHint: message.rejectHint,
  };
}

const changeActions: Readonly<Partial<Record<ConfChangeType, string>>> = {
  [ConfChangeType.AddNode]: 'AddNewServer',
  [ConfChangeType.RemoveNode]: 'RemoveServer',
  [ConfChangeType.AddLearnerNode]: 'AddLearner',
};

function describeChange({ type, nodeId }: ConfChangeSingle): { nid: string; action: string }[] {
  const action = changeActions[type];
  return action === undefined ? [] : [{ nid: String(nodeId), action }];
}
