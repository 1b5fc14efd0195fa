import { createEntry, type Entry, type EntryInit, EntryType, emptyBytes } from './entry.ts';
import { NONE, type Snapshot } from './state.ts';

/** Numbers of the protocol's `MessageType`. */
export const MessageType = {
  MsgHup: 0,
  MsgBeat: 1,
  MsgProp: 2,
  MsgApp: 3,
  MsgAppResp: 4,
  MsgVote: 5,
  MsgVoteResp: 6,
  MsgSnap: 7,
  MsgHeartbeat: 8,
  MsgHeartbeatResp: 9,
  MsgUnreachable: 10,
  MsgSnapStatus: 11,
  MsgCheckQuorum: 12,
  MsgTransferLeader: 13,
  MsgTimeoutNow: 14,
  MsgReadIndex: 15,
  MsgReadIndexResp: 16,
  MsgPreVote: 17,
  MsgPreVoteResp: 18,
  MsgStorageAppend: 19,
  MsgStorageAppendResp: 20,
  MsgStorageApply: 21,
  MsgStorageApplyResp: 22,
  MsgForgetLeader: 23,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

const messageTypeNames = Object.keys(MessageType) as (keyof typeof MessageType)[];

export function messageTypeName(type: MessageType): string {
  return messageTypeNames[type] ?? String(type);
}

export function messageTypeFromName(name: string): MessageType | undefined {
  return Object.hasOwn(MessageType, name) ? MessageType[name as keyof typeof MessageType] : undefined;
}

/** A message between nodes, or between a node and its storage threads. Fields that a type does not use are zero. */
export interface Message {
  readonly type: MessageType;
  readonly to: bigint;
  readonly from: bigint;
  readonly term: number;
  /** Term of the entry at `index`. */
  readonly logTerm: number;
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  /** Only of MsgStorageAppend: with `term` and `commit` the hard state to store. */
  readonly vote: bigint;
  readonly snapshot: Snapshot | undefined;
  readonly reject: boolean;
  readonly rejectHint: number;
  readonly context: Uint8Array;
  /** Only of messages to storage threads: what to deliver once the work is done (and durable). */
  readonly responses: readonly Message[];
}

/** A message with what it needs; the rest is zero. */
export interface MessageInit {
  readonly type: MessageType;
  readonly to?: bigint;
  readonly from?: bigint;
  readonly term?: number;
  readonly logTerm?: number;
  readonly index?: number;
  readonly entries?: readonly EntryInit[];
  readonly commit?: number;
  readonly vote?: bigint;
  readonly snapshot?: Snapshot | undefined;
  readonly reject?: boolean;
  readonly rejectHint?: number;
  readonly context?: Uint8Array;
  readonly responses?: readonly Message[];
}

export const noEntries: readonly Entry[] = Object.freeze([]);
const noResponses: readonly Message[] = Object.freeze([]);

/**
 * Fills in what is missing. Entries are taken as they are unless they are incomplete; a completed entry is a new object.
 * All messages come from here, so that they share one hidden class.
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

/** A message while it is being made. */
export type MessageDraft = { -readonly [Field in keyof Message]: Message[Field] };

/** A message of that type with all else zero. */
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

function isComplete(entry: EntryInit): entry is Entry {
  return entry.term !== undefined && entry.index !== undefined && entry.type !== undefined && entry.data !== undefined;
}

/** The entries themselves if all are complete, else completed copies. */
export function completeEntries(entries: readonly EntryInit[]): readonly Entry[] {
  let complete = true;
  for (let i = 0; i < entries.length && complete; i++) complete = isComplete(entries[i] as EntryInit);
  if (complete) return entries as readonly Entry[];
  return entries.map((entry) =>
    createEntry(entry.term ?? 0, entry.index ?? 0, entry.type ?? EntryType.Normal, entry.data ?? emptyBytes),
  );
}

/** Types that only the node itself, or its storage threads, may step. */
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
