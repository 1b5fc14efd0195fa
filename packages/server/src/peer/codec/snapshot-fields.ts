import {
  cursor,
  readBool,
  readBytes,
  readTag,
  readUint,
  readUint64,
  varintLength,
  varintLength64,
  writeDelimited,
  writeVarint,
  writeVarint64,
} from '@quorate/api';
import { type ConfState, emptyBytes, emptySnapshot, type Snapshot, type SnapshotMetadata } from '@quorate/raft';
import { skipUnknown } from './entry-codec.ts';

/*
 * raftpb.Snapshot (peer protocol, section 3), as etcd 3.4 to 3.6 write it:
 *
 *   Snapshot   0a length data (unless empty)   12 length metadata
 *   metadata   0a length confState   10 index   18 term
 *   confState  (08 voter)*  (10 learner)*  (18 outgoing)*  (20 learnerNext)*  28 autoLeave       ids unpacked
 */

const { confState: emptyConfState } = emptySnapshot.metadata;

function idsLength(ids: readonly bigint[]): number {
  let length = ids.length;
  for (const id of ids) length += varintLength64(id);
  return length;
}

function confStateLength(state: ConfState): number {
  const { voters, learners, votersOutgoing, learnersNext } = state;
  return idsLength(voters) + idsLength(learners) + idsLength(votersOutgoing) + idsLength(learnersNext) + 2;
}

function metadataLength({ confState, index, term }: SnapshotMetadata): number {
  const length = confStateLength(confState);
  return 1 + varintLength(length) + length + 2 + varintLength(index) + varintLength(term);
}

export function snapshotLength({ data, metadata }: Snapshot): number {
  const length = metadataLength(metadata);
  const dataLength = data.length === 0 ? 0 : 1 + varintLength(data.length) + data.length;
  return dataLength + 1 + varintLength(length) + length;
}

function writeIds(tag: number, ids: readonly bigint[], target: Uint8Array, start: number): number {
  let position = start;
  for (const id of ids) {
    target[position] = tag;
    position = writeVarint64(id, target, position + 1);
  }
  return position;
}

function writeConfState(state: ConfState, target: Uint8Array, start: number): number {
  let position = writeIds(0x08, state.voters, target, start);
  position = writeIds(0x10, state.learners, target, position);
  position = writeIds(0x18, state.votersOutgoing, target, position);
  position = writeIds(0x20, state.learnersNext, target, position);
  target[position] = 0x28;
  target[position + 1] = state.autoLeave ? 1 : 0;
  return position + 2;
}

export function writeSnapshot({ data, metadata }: Snapshot, target: Uint8Array, start: number): number {
  let position = start;
  if (data.length > 0) {
    target[position] = 0x0a;
    position = writeDelimited(data, target, position + 1);
  }
  target[position] = 0x12;
  position = writeVarint(metadataLength(metadata), target, position + 1);
  target[position] = 0x0a;
  position = writeVarint(confStateLength(metadata.confState), target, position + 1);
  position = writeConfState(metadata.confState, target, position);
  target[position] = 0x10;
  position = writeVarint(metadata.index, target, position + 1);
  target[position] = 0x18;
  return writeVarint(metadata.term, target, position + 1);
}

/** The data is a view of `bytes`. @throws BadMessage, DecodeError */
export function readSnapshot(bytes: Uint8Array): Snapshot {
  let data = emptyBytes;
  let { metadata } = emptySnapshot;
  let position = 0;
  while (position < bytes.length) {
    const tag = readTag(bytes, position, bytes.length);
    if (tag === 0x0a) data = readBytes(bytes, cursor.position, bytes.length);
    else if (tag === 0x12) {
      const field = readBytes(bytes, cursor.position, bytes.length);
      ({ position } = cursor);
      metadata = readMetadata(field);
      continue;
    } else skipUnknown(bytes, cursor.position, bytes.length, tag, 2);
    ({ position } = cursor);
  }
  return { data, metadata };
}

function readMetadata(bytes: Uint8Array): SnapshotMetadata {
  let confState = emptyConfState;
  let index = 0;
  let term = 0;
  let position = 0;
  while (position < bytes.length) {
    const tag = readTag(bytes, position, bytes.length);
    if (tag === 0x10) index = readUint(bytes, cursor.position, bytes.length);
    else if (tag === 0x18) term = readUint(bytes, cursor.position, bytes.length);
    else if (tag === 0x0a) {
      const field = readBytes(bytes, cursor.position, bytes.length);
      ({ position } = cursor);
      confState = readConfState(field);
      continue;
    } else skipUnknown(bytes, cursor.position, bytes.length, tag, 3);
    ({ position } = cursor);
  }
  return { confState, index, term };
}

function readConfState(bytes: Uint8Array): ConfState {
  const lists: [bigint[], bigint[], bigint[], bigint[]] = [[], [], [], []];
  let autoLeave = false;
  for (let position = 0; position < bytes.length; position = cursor.position) {
    const tag = readTag(bytes, position, bytes.length);
    const list = lists[(tag >>> 3) - 1];
    if (list !== undefined && (tag & 7) === 0) list.push(readUint64(bytes, cursor.position, bytes.length));
    else if (list !== undefined && (tag & 7) === 2) readPacked(bytes, cursor.position, list);
    else if (tag === 0x28) autoLeave = readBool(bytes, cursor.position, bytes.length);
    else skipUnknown(bytes, cursor.position, bytes.length, tag, 5);
  }
  const [voters, learners, votersOutgoing, learnersNext] = lists;
  return { voters, learners, votersOutgoing, learnersNext, autoLeave };
}

/** Every protobuf reader takes repeated integers in either form. */
function readPacked(bytes: Uint8Array, position: number, list: bigint[]): void {
  const packed = readBytes(bytes, position, bytes.length);
  const behind = cursor.position;
  for (let at = 0; at < packed.length; at = cursor.position) list.push(readUint64(packed, at, packed.length));
  cursor.position = behind;
}
