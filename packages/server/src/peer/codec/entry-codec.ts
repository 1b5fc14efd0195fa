import {
  cursor,
  readBytes,
  readEnum,
  readTag,
  readUint,
  skipField,
  varintLength,
  writeDelimited,
  writeVarint,
} from '@quorate/api';
import { createEntry, type Entry, EntryType, emptyBytes } from '@quorate/raft';
import { badMessage } from './bad-message.ts';

/*
 * raftpb.Entry (peer protocol, section 3)
 *
 *   08 type   10 term   18 index   22 length data
 *
 * Written as etcd 3.4 to 3.6 do: type, term and index always, data unless it is empty. Read in every form: absent is zero.
 */

export function entryLength(entry: Entry): number {
  const dataLength = entry.data.length;
  const fixed = 4 + varintLength(entry.term) + varintLength(entry.index);
  return dataLength === 0 ? fixed : fixed + 1 + varintLength(dataLength) + dataLength;
}

export function writeEntry(entry: Entry, target: Uint8Array, start: number): number {
  target[start] = 0x08;
  target[start + 1] = entry.type;
  target[start + 2] = 0x10;
  let position = writeVarint(entry.term, target, start + 3);
  target[position] = 0x18;
  position = writeVarint(entry.index, target, position + 1);
  if (entry.data.length === 0) return position;
  target[position] = 0x22;
  return writeDelimited(entry.data, target, position + 1);
}

/** The data is a view of `bytes`. @throws BadMessage, DecodeError */
export function readEntry(bytes: Uint8Array, start: number, end: number): Entry {
  let type = 0;
  let term = 0;
  let index = 0;
  let data = emptyBytes;
  for (let position = start; position < end; position = cursor.position) {
    const tag = readTag(bytes, position, end);
    switch (tag) {
      case 0x08:
        type = readEnum(bytes, cursor.position, end);
        break;
      case 0x10:
        term = readUint(bytes, cursor.position, end);
        break;
      case 0x18:
        index = readUint(bytes, cursor.position, end);
        break;
      case 0x22:
        data = readBytes(bytes, cursor.position, end);
        break;
      default:
        skipUnknown(bytes, cursor.position, end, tag, 4);
    }
  }
  if (type !== EntryType.Normal && type !== EntryType.ConfChange && type !== EntryType.ConfChangeV2)
    throw badMessage(`entry of type ${type}`);
  return createEntry(term, index, type, data);
}

/**
 * Skips a field of a higher number than those known, `knownMax`; leaves the position behind it in the cursor. A known one with another
 * wire type is an error.
 * @throws BadMessage, DecodeError
 */
export function skipUnknown(bytes: Uint8Array, position: number, end: number, tag: number, knownMax: number): void {
  if (tag >>> 3 <= knownMax && tag >>> 3 > 0) throw badMessage(`field ${tag >>> 3} has wire type ${tag & 7}`);
  cursor.position = skipField(bytes, position, end, tag);
}
