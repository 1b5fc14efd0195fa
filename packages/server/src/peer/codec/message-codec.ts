import {
  allocate,
  cursor,
  readBool,
  readBytes,
  readEnum,
  readLength,
  readTag,
  readUint,
  readUint64,
  varintLength,
  varintLength64,
  writeDelimited,
  writeVarint,
  writeVarint64,
} from '@quorate/api';
import { draftMessage, type Entry, type Message, MessageType } from '@quorate/raft';
import { asBadMessage } from './bad-message.ts';
import { entryLength, readEntry, skipUnknown, writeEntry } from './entry-codec.ts';
import { readSnapshot, snapshotLength, writeSnapshot } from './snapshot-fields.ts';

/*
 * raftpb.Message (peer protocol, section 3)
 *
 *   08 type  10 to  18 from  20 term  28 logTerm  30 index  (3a length entry)*  40 commit
 *   4a length snapshot (MsgSnap only)  50 reject  58 rejectHint  62 length context (unless empty)
 *
 * Written as etcd 3.6 does, which all versions read: every scalar even if zero; vote (13) and responses (14) never, since they only mean
 * something inside one member. Read in every form: absent is zero, unknown fields and vote and responses are skipped.
 */

/** Highest field number of the message; 13 and 14 are known but not looked at. */
const knownFieldMax = 12;

export function messageLength(message: Message): number {
  let length =
    11 +
    varintLength64(message.to) +
    varintLength64(message.from) +
    varintLength(message.term) +
    varintLength(message.logTerm) +
    varintLength(message.index) +
    varintLength(message.commit) +
    varintLength(message.rejectHint);
  const { entries, context } = message;
  for (let i = 0; i < entries.length; i++) {
    const entry = entryLength(entries[i] as Entry);
    length += 1 + varintLength(entry) + entry;
  }
  if (hasSnapshot(message)) {
    const snapshot = snapshotLength(message.snapshot);
    length += 1 + varintLength(snapshot) + snapshot;
  }
  return context.length === 0 ? length : length + 1 + varintLength(context.length) + context.length;
}

/** Writes {@link messageLength} bytes; returns the position behind them. */
export function writeMessage(message: Message, target: Uint8Array, start: number): number {
  target[start] = 0x08;
  target[start + 1] = message.type;
  target[start + 2] = 0x10;
  let position = writeVarint64(message.to, target, start + 3);
  target[position] = 0x18;
  position = writeVarint64(message.from, target, position + 1);
  target[position] = 0x20;
  position = writeVarint(message.term, target, position + 1);
  target[position] = 0x28;
  position = writeVarint(message.logTerm, target, position + 1);
  target[position] = 0x30;
  position = writeVarint(message.index, target, position + 1);
  position = writeEntries(message.entries, target, position);
  target[position] = 0x40;
  position = writeVarint(message.commit, target, position + 1);
  if (hasSnapshot(message)) {
    target[position] = 0x4a;
    position = writeVarint(snapshotLength(message.snapshot), target, position + 1);
    position = writeSnapshot(message.snapshot, target, position);
  }
  target[position] = 0x50;
  target[position + 1] = message.reject ? 1 : 0;
  target[position + 2] = 0x58;
  position = writeVarint(message.rejectHint, target, position + 3);
  if (message.context.length === 0) return position;
  target[position] = 0x62;
  return writeDelimited(message.context, target, position + 1);
}

function writeEntries(entries: readonly Entry[], target: Uint8Array, start: number): number {
  let position = start;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry;
    target[position] = 0x3a;
    position = writeEntry(entry, target, writeVarint(entryLength(entry), target, position + 1));
  }
  return position;
}

function hasSnapshot(message: Message): message is Message & { readonly snapshot: object } {
  return message.type === MessageType.MsgSnap && message.snapshot !== undefined;
}

export function encodeMessage(message: Message): Uint8Array {
  const bytes = allocate(messageLength(message));
  writeMessage(message, bytes, 0);
  return bytes;
}

/**
 * Reads a message. Entry data, context and snapshot data are views of `bytes`, which must not change after. The type may be one this
 * version does not know.
 * @throws BadMessage
 */
export function decodeMessage(bytes: Uint8Array, start = 0, end: number = bytes.length): Message {
  try {
    return readMessage(bytes, start, end);
  } catch (error) {
    throw asBadMessage(error);
  }
}

function readMessage(bytes: Uint8Array, start: number, end: number): Message {
  const message = draftMessage(MessageType.MsgHup, 0n);
  let entries: Entry[] | undefined;
  let position = start;
  while (position < end) {
    const tag = readTag(bytes, position, end);
    position = cursor.position;
    switch (tag) {
      case 0x08:
        message.type = readEnum(bytes, position, end) as MessageType;
        break;
      case 0x10:
        message.to = readUint64(bytes, position, end);
        break;
      case 0x18:
        message.from = readUint64(bytes, position, end);
        break;
      case 0x20:
        message.term = readUint(bytes, position, end);
        break;
      case 0x28:
        message.logTerm = readUint(bytes, position, end);
        break;
      case 0x30:
        message.index = readUint(bytes, position, end);
        break;
      case 0x3a: {
        const length = readLength(bytes, position, end);
        position = cursor.position + length;
        entries ??= [];
        entries.push(readEntry(bytes, cursor.position, position));
        continue;
      }
      case 0x40:
        message.commit = readUint(bytes, position, end);
        break;
      case 0x4a: {
        const field = readBytes(bytes, position, end);
        ({ position } = cursor);
        const snapshot = readSnapshot(field);
        // Members before 3.6 write an empty one into every message.
        if (snapshot.metadata.index > 0 || snapshot.data.length > 0) message.snapshot = snapshot;
        continue;
      }
      case 0x50:
        message.reject = readBool(bytes, position, end);
        break;
      case 0x58:
        message.rejectHint = readUint(bytes, position, end);
        break;
      case 0x62:
        message.context = readBytes(bytes, position, end);
        break;
      default:
        skipUnknown(bytes, position, end, tag, knownFieldMax);
    }
    ({ position } = cursor);
  }
  if (entries !== undefined) message.entries = entries;
  return message;
}
