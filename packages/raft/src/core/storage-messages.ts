import { draftMessage, type Message, MessageType } from '../message.ts';
import type { Ready } from '../ready.ts';
import { isEmptySnapshot, LOCAL_APPEND_THREAD, LOCAL_APPLY_THREAD } from '../state.ts';
import type { Raft } from './raft.ts';

type ReadyParts = Pick<Ready, 'hardState' | 'entries' | 'snapshot' | 'committedEntries'>;

/** What the append thread is to store, with what to deliver when that is durable; undefined when there is nothing. */
export function storageAppendMessage(raft: Raft, ready: ReadyParts): Message | undefined {
  const { hardState, entries, snapshot } = ready;
  const hasSnapshot = !isEmptySnapshot(snapshot);
  if (hardState === undefined && entries.length === 0 && !hasSnapshot && raft.messagesAfterAppend.length === 0) {
    return undefined;
  }
  const message = draftMessage(MessageType.MsgStorageAppend, LOCAL_APPEND_THREAD);
  message.from = raft.id;
  message.entries = entries;
  if (hardState !== undefined) {
    message.term = hardState.term;
    message.vote = hardState.vote;
    message.commit = hardState.commit;
  }
  if (hasSnapshot) message.snapshot = snapshot;
  // The responses wait for all work handed out before too, since a thread works in order.
  const stable = storageAppendResponse(raft, ready);
  message.responses = stable === undefined ? raft.messagesAfterAppend : [...raft.messagesAfterAppend, stable];
  return message;
}

/**
 * What tells raft that its entries, up to the last there is now, and the snapshot are durable; undefined when there is
 * nothing unstable. It bears the term in which it was made, as step() explains. It is made while nothing in the own log
 * is new but what this Ready hands out, or earlier ones did: so the last entry is the last that is being stored.
 */
export function storageAppendResponse(raft: Raft, ready: ReadyParts): Message | undefined {
  const hasEntries = raft.log.unstable.count > 0;
  const hasSnapshot = !isEmptySnapshot(ready.snapshot);
  if (!hasEntries && !hasSnapshot) return undefined;
  const message = draftMessage(MessageType.MsgStorageAppendResp, raft.id);
  message.from = LOCAL_APPEND_THREAD;
  message.term = raft.term;
  if (hasEntries) {
    const last = raft.log.lastEntryId();
    message.index = last.index;
    message.logTerm = last.term;
  }
  if (hasSnapshot) message.snapshot = ready.snapshot;
  return message;
}

/** What the apply thread is to apply; undefined when there is nothing. */
export function storageApplyMessage(raft: Raft, ready: ReadyParts): Message | undefined {
  const response = storageApplyResponse(raft, ready);
  if (response === undefined) return undefined;
  const message = draftMessage(MessageType.MsgStorageApply, LOCAL_APPLY_THREAD);
  message.from = raft.id;
  message.entries = ready.committedEntries;
  message.responses = [response];
  return message;
}

/** What tells raft that the committed entries are applied. It holds in any term. */
export function storageApplyResponse(raft: Raft, ready: ReadyParts): Message | undefined {
  if (ready.committedEntries.length === 0) return undefined;
  const message = draftMessage(MessageType.MsgStorageApplyResp, raft.id);
  message.from = LOCAL_APPLY_THREAD;
  message.entries = ready.committedEntries;
  return message;
}
