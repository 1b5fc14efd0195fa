import type { Entry } from '../entry.ts';
import { RaftError } from '../errors.ts';
import { type Message, MessageType } from '../message.ts';

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function invalid(what: string): RaftError {
  return new RaftError('raft/invalid-message', `invalid message: ${what}`);
}

/** Checks what comes from outside; undefined when it may be stepped. */
export function validateMessage(message: Message): RaftError | undefined {
  const { type, term, index, logTerm, commit, rejectHint, entries } = message;
  if (!(isCount(term) && isCount(index) && isCount(logTerm) && isCount(commit) && isCount(rejectHint))) {
    return invalid('a term or index is not a safe integer');
  }
  switch (type) {
    case MessageType.MsgApp:
      return validateAppend(message);
    case MessageType.MsgProp:
      return entries.length === 0 ? invalid('a proposal without entries') : undefined;
    case MessageType.MsgReadIndex:
      return entries.length === 1 ? undefined : invalid('a read index request has exactly one entry');
    case MessageType.MsgSnap:
      return message.snapshot === undefined ? invalid('no snapshot') : undefined;
    default:
      return undefined;
  }
}

/** Entries follow each other without a gap, and terms never go down. */
function validateAppend(message: Message): RaftError | undefined {
  const { entries } = message;
  let term = message.logTerm;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry;
    if (entry.index !== message.index + 1 + i) return invalid('its entries have gaps');
    if (!(entry.term >= term)) return invalid('terms of its entries go down');
    term = entry.term;
  }
  return term <= message.term ? undefined : invalid('an entry has a newer term than the leader');
}
