import { allocateUnsafe, emptyBytes } from '@quorate/base';
import {
  cursor,
  ProtobufError,
  readBytes,
  readUint,
  readUint64,
  skipUnknownField,
  varintLength,
  varintLength64,
  writeVarint,
  writeVarint64,
} from './protobuf.ts';
import type { ConfState, Entry, HardState, WalMetadata, WalSnapshot } from './types.ts';

/**
 * The messages inside log records and snapshot files, in the form of etcd 3.4 to 3.6: every scalar is written, even zero.
 * Readers take missing fields as zero and skip unknown ones.
 *
 *     raftpb.Entry        1 Type enum   2 Term       3 Index    4 Data bytes (left out when empty)
 *     raftpb.HardState    1 term        2 vote       3 commit
 *     raftpb.ConfState    1 voters*     2 learners*  3 voters_outgoing*  4 learners_next*  5 auto_leave bool  (* one field an id)
 *     walpb.Snapshot      1 index       2 term       3 ConfState (3.5+)
 *     etcdserverpb.Metadata  1 NodeID   2 ClusterID
 *     raftpb.Snapshot     1 data bytes  2 SnapshotMetadata { 1 ConfState, 2 index, 3 term }
 */

/** The data is a view of `bytes`. */
export function decodeEntry(bytes: Uint8Array, start: number, end: number): Entry {
  let term = 0;
  let index = 0;
  let type = 0;
  let data = emptyBytes;
  for (let position = start; position < end; position = cursor.position) {
    const tag = bytes[position++] as number;
    if (tag === 0x08) type = readUint(bytes, position, end);
    else if (tag === 0x10) term = readUint(bytes, position, end);
    else if (tag === 0x18) index = readUint(bytes, position, end);
    else if (tag === 0x22) data = readBytes(bytes, position, end);
    else skipUnknownField(bytes, position - 1, end);
  }
  if (type !== 0 && type !== 1 && type !== 2) throw new ProtobufError(`entry type ${type}`);
  return { term, index, type, data };
}

export function decodeHardState(bytes: Uint8Array): HardState {
  let term = 0;
  let vote = 0n;
  let commit = 0;
  for (let position = 0; position < bytes.length; position = cursor.position) {
    const tag = bytes[position++] as number;
    if (tag === 0x08) term = readUint(bytes, position, bytes.length);
    else if (tag === 0x10) vote = readUint64(bytes, position, bytes.length);
    else if (tag === 0x18) commit = readUint(bytes, position, bytes.length);
    else skipUnknownField(bytes, position - 1, bytes.length);
  }
  return { term, vote, commit };
}

export function encodeConfState(state: ConfState): Uint8Array {
  let size = 2;
  for (const ids of [state.voters, state.learners, state.votersOutgoing, state.learnersNext]) {
    for (const id of ids) size += 1 + varintLength64(id);
  }
  const bytes = allocateUnsafe(size);
  let position = 0;
  const write = (tag: number, ids: readonly bigint[]): void => {
    for (const id of ids) {
      bytes[position] = tag;
      position = writeVarint64(id, bytes, position + 1);
    }
  };
  write(0x08, state.voters);
  write(0x10, state.learners);
  write(0x18, state.votersOutgoing);
  write(0x20, state.learnersNext);
  bytes[position] = 0x28;
  bytes[position + 1] = state.autoLeave ? 1 : 0;
  return bytes;
}

export function decodeConfState(bytes: Uint8Array): ConfState {
  const lists: bigint[][] = [[], [], [], []];
  let autoLeave = false;
  for (let position = 0; position < bytes.length; position = cursor.position) {
    const tag = bytes[position++] as number;
    const list = lists[(tag >>> 3) - 1];
    if (list !== undefined && (tag & 7) === 0) list.push(readUint64(bytes, position, bytes.length));
    else if (list !== undefined && (tag & 7) === 2) readPacked(readBytes(bytes, position, bytes.length), list);
    else if (tag === 0x28) autoLeave = readUint(bytes, position, bytes.length) !== 0;
    else skipUnknownField(bytes, position - 1, bytes.length);
  }
  const [voters, learners, votersOutgoing, learnersNext] = lists as [bigint[], bigint[], bigint[], bigint[]];
  return { voters, learners, votersOutgoing, learnersNext, autoLeave };
}

/** Every protobuf reader takes repeated integers in either form. */
function readPacked(bytes: Uint8Array, list: bigint[]): void {
  const behind = cursor.position;
  for (let position = 0; position < bytes.length; position = cursor.position) {
    list.push(readUint64(bytes, position, bytes.length));
  }
  cursor.position = behind;
}

export function encodeWalSnapshot(snapshot: WalSnapshot): Uint8Array {
  const confState = snapshot.confState === undefined ? undefined : encodeConfState(snapshot.confState);
  let size = 2 + varintLength(snapshot.index) + varintLength(snapshot.term);
  if (confState !== undefined) size += 1 + varintLength(confState.length) + confState.length;
  const bytes = allocateUnsafe(size);
  bytes[0] = 0x08;
  let position = writeVarint(snapshot.index, bytes, 1);
  bytes[position] = 0x10;
  position = writeVarint(snapshot.term, bytes, position + 1);
  if (confState !== undefined) writeField(0x1a, confState, bytes, position);
  return bytes;
}

/** A message inside another is written once. One that comes again would have to be merged with the first, which need not be what it was. */
export function onlyOnce<Value>(before: Value | undefined, value: Value): Value {
  if (before !== undefined) throw new ProtobufError('a message that comes twice');
  return value;
}

export function decodeWalSnapshot(bytes: Uint8Array): WalSnapshot {
  let index = 0;
  let term = 0;
  let confState: ConfState | undefined;
  for (let position = 0; position < bytes.length; ) {
    const tag = bytes[position++] as number;
    if (tag === 0x08) index = readUint(bytes, position, bytes.length);
    else if (tag === 0x10) term = readUint(bytes, position, bytes.length);
    else if (tag === 0x1a) {
      const field = readBytes(bytes, position, bytes.length);
      position = cursor.position;
      confState = onlyOnce(confState, decodeConfState(field));
      continue;
    } else skipUnknownField(bytes, position - 1, bytes.length);
    position = cursor.position;
  }
  return confState === undefined ? { index, term } : { index, term, confState };
}

export function encodeWalMetadata(metadata: WalMetadata): Uint8Array {
  const bytes = allocateUnsafe(2 + varintLength64(metadata.nodeId) + varintLength64(metadata.clusterId));
  bytes[0] = 0x08;
  const position = writeVarint64(metadata.nodeId, bytes, 1);
  bytes[position] = 0x10;
  writeVarint64(metadata.clusterId, bytes, position + 1);
  return bytes;
}

export function decodeWalMetadata(bytes: Uint8Array): WalMetadata {
  let nodeId = 0n;
  let clusterId = 0n;
  for (let position = 0; position < bytes.length; position = cursor.position) {
    const tag = bytes[position++] as number;
    if (tag === 0x08) nodeId = readUint64(bytes, position, bytes.length);
    else if (tag === 0x10) clusterId = readUint64(bytes, position, bytes.length);
    else skipUnknownField(bytes, position - 1, bytes.length);
  }
  return { nodeId, clusterId };
}

/** Writes tag, length and bytes. */
export function writeField(tag: number, field: Uint8Array, target: Uint8Array, position: number): number {
  target[position] = tag;
  const start = writeVarint(field.length, target, position + 1);
  target.set(field, start);
  return start + field.length;
}

/** Bytes that {@link writeField} writes. */
export function fieldLength(field: Uint8Array): number {
  return 1 + varintLength(field.length) + field.length;
}
