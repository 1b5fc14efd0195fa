import {
  type AnyConfChange,
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeTransition,
  type ConfChangeType,
  type ConfChangeV2,
  isConfChangeV2,
} from './conf-change.ts';
import { type Entry, EntryType, emptyBytes } from './entry.ts';
import { RaftError } from './errors.ts';

// ConfChange        1: id uint64 | 2: type enum | 3: node_id uint64 | 4: context bytes
// ConfChangeV2      1: transition enum | 2: changes ConfChangeSingle, repeated | 3: context bytes
// ConfChangeSingle  1: type enum | 2: node_id uint64
//
// What etcd 3.7 sets is always written, zero included: all but `id` (releases up to 3.6 write that too) and `context`, which
// are left out when there is none. It counts, since size limits are on bytes. Unknown fields are skipped.

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

function pushVarint(out: number[], value: bigint): void {
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
}

function pushNumberField(out: number[], field: number, value: bigint): void {
  out.push((field << 3) | WIRE_VARINT);
  pushVarint(out, value);
}

function pushBytesField(out: number[], field: number, value: ArrayLike<number>): void {
  out.push((field << 3) | WIRE_BYTES);
  pushVarint(out, BigInt(value.length));
  for (let i = 0; i < value.length; i++) out.push(value[i] as number);
}

/** Protobuf bytes of the message `ConfChange`: the data of an entry of type `ConfChange`. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  const out: number[] = [];
  if (change.id !== 0n) pushNumberField(out, 1, change.id);
  pushNumberField(out, 2, BigInt(change.type));
  pushNumberField(out, 3, change.nodeId);
  if (change.context.length > 0) pushBytesField(out, 4, change.context);
  return Uint8Array.from(out);
}

/** Protobuf bytes of the message `ConfChangeV2`: the data of an entry of type `ConfChangeV2`. */
export function encodeConfChangeV2(change: ConfChangeV2): Uint8Array {
  const out: number[] = [];
  pushNumberField(out, 1, BigInt(change.transition));
  for (const single of change.changes) {
    const part: number[] = [];
    pushNumberField(part, 1, BigInt(single.type));
    pushNumberField(part, 2, single.nodeId);
    pushBytesField(out, 2, part);
  }
  if (change.context.length > 0) pushBytesField(out, 3, change.context);
  return Uint8Array.from(out);
}

function malformed(what: string): never {
  throw new RaftError('raft/invalid-conf-change', `malformed configuration change: ${what}`);
}

/** Walks the fields of one protobuf message. */
class FieldReader {
  private position = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.position >= this.bytes.length;
  }

  readVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.position++];
      if (byte === undefined) malformed('it ends inside a number');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return malformed('a number is too long');
  }

  readBytes(): Uint8Array {
    const length = Number(this.readVarint());
    if (length > this.bytes.length - this.position) malformed('it ends inside a field');
    this.position += length;
    return this.bytes.slice(this.position - length, this.position);
  }

  skip(wireType: number): void {
    if (wireType === WIRE_VARINT) this.readVarint();
    else if (wireType === WIRE_FIXED64) this.position += 8;
    else if (wireType === WIRE_BYTES) this.readBytes();
    else if (wireType === WIRE_FIXED32) this.position += 4;
    else malformed(`wire type ${wireType}`);
    if (this.position > this.bytes.length) malformed('it ends inside a field');
  }
}

/** Calls `take` with each field's number and wire type; what it does not take (false) is skipped. */
function readFields(bytes: Uint8Array, take: (field: number, wireType: number, reader: FieldReader) => boolean): void {
  const reader = new FieldReader(bytes);
  while (!reader.done) {
    const tag = Number(reader.readVarint());
    const wireType = tag % 8;
    if (!take(Math.floor(tag / 8), wireType, reader)) reader.skip(wireType);
  }
}

function readEnum<T extends number>(reader: FieldReader, highest: number, what: string): T {
  const value = reader.readVarint();
  if (value > BigInt(highest)) malformed(`unknown ${what} ${value}`);
  return Number(value) as T;
}

/**
 * Reads what {@link encodeConfChange} writes. Missing fields are zero, unknown ones are skipped; no bytes make the empty
 * change, as the protocol has it.
 * @throws {RaftError} raft/invalid-conf-change for bytes that are not protobuf, or an unknown type
 */
export function decodeConfChange(bytes: Uint8Array): ConfChange {
  let id = 0n;
  let type: ConfChangeType = 0;
  let nodeId = 0n;
  let context = emptyBytes;
  readFields(bytes, (field, wireType, reader) => {
    if (field === 1 && wireType === WIRE_VARINT) id = reader.readVarint();
    else if (field === 2 && wireType === WIRE_VARINT) type = readEnum(reader, 3, 'type');
    else if (field === 3 && wireType === WIRE_VARINT) nodeId = reader.readVarint();
    else if (field === 4 && wireType === WIRE_BYTES) context = reader.readBytes();
    else return false;
    return true;
  });
  return { id, type, nodeId, context };
}

function decodeSingle(bytes: Uint8Array): ConfChangeSingle {
  let type: ConfChangeType = 0;
  let nodeId = 0n;
  readFields(bytes, (field, wireType, reader) => {
    if (field === 1 && wireType === WIRE_VARINT) type = readEnum(reader, 3, 'type');
    else if (field === 2 && wireType === WIRE_VARINT) nodeId = reader.readVarint();
    else return false;
    return true;
  });
  return { type, nodeId };
}

/**
 * Reads what {@link encodeConfChangeV2} writes, by the rules of {@link decodeConfChange}. No bytes make the change that
 * leaves a joint configuration.
 * @throws {RaftError} raft/invalid-conf-change
 */
export function decodeConfChangeV2(bytes: Uint8Array): ConfChangeV2 {
  let transition: ConfChangeTransition = 0;
  const changes: ConfChangeSingle[] = [];
  let context = emptyBytes;
  readFields(bytes, (field, wireType, reader) => {
    if (field === 1 && wireType === WIRE_VARINT) transition = readEnum(reader, 2, 'transition');
    else if (field === 2 && wireType === WIRE_BYTES) changes.push(decodeSingle(reader.readBytes()));
    else if (field === 3 && wireType === WIRE_BYTES) context = reader.readBytes();
    else return false;
    return true;
  });
  return { transition, changes, context };
}

/** Type and data of the entry that carries a change, to be proposed. */
export function encodeAnyConfChange(change: AnyConfChange): Pick<Entry, 'type' | 'data'> {
  return isConfChangeV2(change)
    ? { type: EntryType.ConfChangeV2, data: encodeConfChangeV2(change) }
    : { type: EntryType.ConfChange, data: encodeConfChange(change) };
}

/**
 * The change an entry carries; undefined for a normal entry.
 * @throws {RaftError} raft/invalid-conf-change
 */
export function confChangeOfEntry(entry: Pick<Entry, 'type' | 'data'>): AnyConfChange | undefined {
  if (entry.type === EntryType.ConfChange) return decodeConfChange(entry.data);
  if (entry.type === EntryType.ConfChangeV2) return decodeConfChangeV2(entry.data);
  return undefined;
}
