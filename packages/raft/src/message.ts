import { createEntry, type Entry, type EntryInit, EntryType, emptyBytes } from './entry.ts';
import { NONE, type Snapshot } from './state.ts';

/**
 * What a message asks or answers. Numbers of the protocol's `MessageType`. Those marked local never go over a network:
 * `step` refuses them, except the responses of storage threads.
 */
export const MessageType = {
  /** Local. Call an election. */
  MsgHup: 0,
  /** Local. Send a heartbeat. */
  MsgBeat: 1,
  /** Append `entries`; followers forward it to the leader. */
  MsgProp: 2,
  /** The leader's `entries` after the one at `index` and `logTerm`, and its `commit` index (section 5.3 of the Raft paper). */
  MsgApp: 3,
  /** The log matches up to `index`; or `reject` of the append at `index`, with a hint where to go on. */
  MsgAppResp: 4,
  /** Asks for a vote for `term`; the own log ends at `index` and `logTerm` (sections 5.2 and 5.4.1). */
  MsgVote: 5,
  /** The vote, unless `reject`. */
  MsgVoteResp: 6,
  /** A `snapshot` for a node whose next entries are compacted (section 7). Large: send it by a way of its own. */
  MsgSnap: 7,
  /** The leader lives; what the node holds is committed up to `commit`. `context` confirms reads. */
  MsgHeartbeat: 8,
  /** The answer to a heartbeat, with its `context`. */
  MsgHeartbeatResp: 9,
  /** Local. A message to the node `from` could not be sent: `reportUnreachable`. */
  MsgUnreachable: 10,
  /** Local. How sending a snapshot to the node `from` went: `reportSnapshot`. */
  MsgSnapStatus: 11,
  /** Local. A leader is to step down unless it heard of a quorum. */
  MsgCheckQuorum: 12,
  /** Hand leadership to the node `from`; followers forward it to the leader (section 3.10 of the thesis). */
  MsgTransferLeader: 13,
  /** Call an election at once, whatever the lease: the leader hands over. */
  MsgTimeoutNow: 14,
  /** Asks for a read index; the data of its one entry is the context. Followers forward it to the leader. */
  MsgReadIndex: 15,
  /** The read index is `index`; the entry is that of the request. */
  MsgReadIndexResp: 16,
  /** As MsgVote, for a term that is not begun yet (section 9.6 of the thesis). */
  MsgPreVote: 17,
  /** The answer to MsgPreVote. */
  MsgPreVoteResp: 18,
  /** Local, to `LOCAL_APPEND_THREAD`. Store `snapshot`, `entries` and the hard state durably, then deliver `responses`. */
  MsgStorageAppend: 19,
  /** Local. A MsgStorageAppend is done. */
  MsgStorageAppendResp: 20,
  /** Local, to `LOCAL_APPLY_THREAD`. Apply the committed `entries`, then deliver `responses`. */
  MsgStorageApply: 21,
  /** Local. A MsgStorageApply is done. */
  MsgStorageApplyResp: 22,
  /** Forget who leads: `forgetLeader`. */
  MsgForgetLeader: 23,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

const messageTypeNames = Object.keys(MessageType) as (keyof typeof MessageType)[];

/** The protocol's name of a type, such as `MsgApp`. */
export function messageTypeName(type: MessageType): string {
  return messageTypeNames[type] ?? String(type);
}

/** The type with that name; undefined when there is none. */
export function messageTypeFromName(name: string): MessageType | undefined {
  return Object.hasOwn(MessageType, name) ? MessageType[name as keyof typeof MessageType] : undefined;
}

/** A message between nodes, or between a node and its storage threads. Fields that a type does not use are zero. */
export interface Message {
  /** What it asks or answers. */
  readonly type: MessageType;
  /** Whom to deliver it to: a node, or a local thread. */
  readonly to: bigint;
  /** Who sent it. */
  readonly from: bigint;
  /** Term of the sender, or the one it asks votes for. 0 for what holds in any term: proposals and read requests. */
  readonly term: number;
  /** Term of the entry at `index`. */
  readonly logTerm: number;
  /** A place in the log; {@link MessageType} says which. */
  readonly index: number;
  /** Entries to append or apply, or the context of a read. */
  readonly entries: readonly Entry[];
  /** Commit index of the leader, as far as the receiver may use it. */
  readonly commit: number;
  /** Only of MsgStorageAppend: with `term` and `commit` the hard state to store. */
  readonly vote: bigint;
  /** Only of MsgSnap, MsgStorageAppend and its response. */
  readonly snapshot: Snapshot | undefined;
  /** The answer is no. */
  readonly reject: boolean;
  /** Of a rejected append: the highest index at which the logs may match; `logTerm` is the term there. */
  readonly rejectHint: number;
  /** Of heartbeats and their answers: which reads they confirm. Of votes: whether the leader asked for the election. */
  readonly context: Uint8Array;
  /** Only of messages to storage threads: what to deliver once the work is done (and durable). */
  readonly responses: readonly Message[];
}

/** A message with what it needs; the rest is zero. */
export interface MessageInit extends Pick<Message, 'type'>, Partial<Omit<Message, 'type' | 'entries'>> {
  /** Entries to append or apply, or the context of a read. */
  readonly entries?: readonly EntryInit[];
}

export const noEntries: readonly Entry[] = Object.freeze([]);
const noResponses: readonly Message[] = Object.freeze([]);

/**
 * Fills in what is missing. Entries are taken as they are unless they are incomplete; a completed entry is a new object.
 * It has its fields in the order of {@link draftMessage}, so that all messages share one hidden class.
 */
export function createMessage(init: MessageInit): Message {
  return {
    type: init.type,
    to: init.to ?? NONE,
    from: init.from ?? NONE,
    term: init.term ?? 0,
    logTerm: init.logTerm ?? 0,
    index: init.index ?? 0,
    entries: init.entries === undefined ? noEntries : completeEntries(init.entries),
    commit: init.commit ?? 0,
    vote: init.vote ?? NONE,
    snapshot: init.snapshot,
    reject: init.reject ?? false,
    rejectHint: init.rejectHint ?? 0,
    context: init.context ?? emptyBytes,
    responses: init.responses ?? noResponses,
  };
}

/** The message itself if nothing is missing, else a completed copy. */
export function completeMessage(init: MessageInit): Message {
  return isCompleteMessage(init) ? init : createMessage(init);
}

function isCompleteMessage(init: MessageInit): init is Message {
  return (
    init.to !== undefined &&
    init.from !== undefined &&
    init.term !== undefined &&
    init.logTerm !== undefined &&
    init.index !== undefined &&
    init.entries !== undefined &&
    init.commit !== undefined &&
    init.vote !== undefined &&
    init.reject !== undefined &&
    init.rejectHint !== undefined &&
    init.context !== undefined &&
    init.responses !== undefined &&
    areComplete(init.entries)
  );
}

/** A message while it is being made, by a decoder for example. */
export type MessageDraft = { -readonly [Field in keyof Message]: Message[Field] };

/** A message of that type with all else zero, to be filled in: the cheapest way to a {@link Message}. */
export function draftMessage(type: MessageType, to: bigint): MessageDraft {
  return {
    type,
    to,
    from: NONE,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: noEntries,
    commit: 0,
    vote: NONE,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: emptyBytes,
    responses: noResponses,
  };
}

function areComplete(entries: readonly EntryInit[]): entries is readonly Entry[] {
  for (let i = 0; i < entries.length; i++) {
    const { term, index, type, data } = entries[i] as EntryInit;
    if (term === undefined || index === undefined || type === undefined || data === undefined) return false;
  }
  return true;
}

/** The entries themselves if all are complete, else completed copies. */
export function completeEntries(entries: readonly EntryInit[]): readonly Entry[] {
  if (areComplete(entries)) return entries;
  return entries.map((entry) =>
    createEntry(entry.term ?? 0, entry.index ?? 0, entry.type ?? EntryType.Normal, entry.data ?? emptyBytes),
  );
}

/** Types that only the node itself, or its storage threads, may step: they never come from another node. */
export function isLocalMessage(type: MessageType): boolean {
  switch (type) {
    case MessageType.MsgHup:
    case MessageType.MsgBeat:
    case MessageType.MsgUnreachable:
    case MessageType.MsgSnapStatus:
    case MessageType.MsgCheckQuorum:
    case MessageType.MsgStorageAppend:
    case MessageType.MsgStorageAppendResp:
    case MessageType.MsgStorageApply:
    case MessageType.MsgStorageApplyResp:
      return true;
    default:
      return false;
  }
}

/** Types that only a node of the configuration may send. */
export function isResponseMessage(type: MessageType): boolean {
  switch (type) {
    case MessageType.MsgAppResp:
    case MessageType.MsgVoteResp:
    case MessageType.MsgHeartbeatResp:
    case MessageType.MsgUnreachable:
    case MessageType.MsgReadIndexResp:
    case MessageType.MsgPreVoteResp:
    case MessageType.MsgStorageAppendResp:
    case MessageType.MsgStorageApplyResp:
      return true;
    default:
      return false;
  }
}

/** The answer to a vote request of that type. */
export function voteResponseType(type: MessageType): MessageType {
  return type === MessageType.MsgPreVote ? MessageType.MsgPreVoteResp : MessageType.MsgVoteResp;
}
