import { allocateUnsafe, CodedError, crc32c, emptyBytes } from '@quorate/base';
import {
  cursor,
  ProtobufError,
  readBytes,
  readUint,
  readUint32,
  skipUnknownField,
  varintLength,
  writeVarint,
} from '../wal/protobuf.ts';
import { decodeConfState, encodeConfState, fieldLength, onlyOnce, writeField } from '../wal/raft-codec.ts';
import type { ConfState } from '../wal/types.ts';

/** The state machine at an index, as raft hands it around. `data` is the membership tree for older readers; the store's content is in the database. */
export interface Snapshot {
  readonly data: Uint8Array;
  readonly metadata: { readonly confState: ConfState; readonly index: number; readonly term: number };
}

/** `snap/empty`: no bytes, no data or no checksum; `snap/crc-mismatch`; `snap/corrupt`: not the message it should be. */
export type SnapshotErrorCode = 'snap/empty' | 'snap/crc-mismatch' | 'snap/corrupt';

/**
 * The content of a `.snap` file:
 *
 *     snappb.snapshot  { 1: uint32 crc, 2: bytes data }          08 crc | 12 length data      crc = crc32c(0, data)
 *     data = raftpb.Snapshot { 1: bytes data, 2: metadata }      0a length data | 12 length metadata
 *     metadata { 1: ConfState, 2: uint64 index, 3: uint64 term } 0a length confState | 10 index | 18 term
 */
export function encodeSnapshotFile(snapshot: Snapshot): Uint8Array {
  const { data } = snapshot;
  const metadata = encodeMetadata(snapshot);
  const inner = (data.length > 0 ? fieldLength(data) : 0) + fieldLength(metadata);
  // The checksum stands in front of what it covers: its longest form is 5 bytes.
  const start = 1 + 5 + 1 + varintLength(inner);
  const bytes = allocateUnsafe(start + inner);
  const at = data.length > 0 ? writeField(0x0a, data, bytes, start) : start;
  writeField(0x12, metadata, bytes, at);
  const crc = crc32c(0, bytes, start);
  const begin = 5 - varintLength(crc);
  bytes[begin] = 0x08;
  const behind = writeVarint(crc, bytes, begin + 1);
  bytes[behind] = 0x12;
  writeVarint(inner, bytes, behind + 1);
  return bytes.subarray(begin);
}

function encodeMetadata({ metadata }: Snapshot): Uint8Array {
  const confState = encodeConfState(metadata.confState);
  const size = fieldLength(confState) + 2 + varintLength(metadata.index) + varintLength(metadata.term);
  const bytes = allocateUnsafe(size);
  let position = writeField(0x0a, confState, bytes, 0);
  bytes[position] = 0x10;
  position = writeVarint(metadata.index, bytes, position + 1);
  bytes[position] = 0x18;
  writeVarint(metadata.term, bytes, position + 1);
  return bytes;
}

/** The data is a view of `bytes`. @throws CodedError of a {@link SnapshotErrorCode} */
export function decodeSnapshotFile(bytes: Uint8Array): Snapshot {
  if (bytes.length === 0) throw emptySnapshot();
  try {
    let crc = 0;
    let data = emptyBytes;
    for (let position = 0; position < bytes.length; position = cursor.position) {
      const tag = bytes[position++] as number;
      if (tag === 0x08) crc = readUint32(bytes, position, bytes.length);
      else if (tag === 0x12) data = readBytes(bytes, position, bytes.length);
      else skipUnknownField(bytes, position - 1, bytes.length);
    }
    if (data.length === 0 || crc === 0) throw emptySnapshot();
    if (crc32c(0, data) !== crc) throw new CodedError('snap/crc-mismatch', 'snap: crc mismatch');
    return decodeSnapshot(data);
  } catch (error) {
    if (error instanceof ProtobufError)
      throw new CodedError('snap/corrupt', `snap: ${error.message}`, { cause: error });
    throw error;
  }
}

function decodeSnapshot(bytes: Uint8Array): Snapshot {
  let data = emptyBytes;
  let metadata: Uint8Array | undefined;
  for (let position = 0; position < bytes.length; position = cursor.position) {
    const tag = bytes[position++] as number;
    if (tag === 0x0a) data = readBytes(bytes, position, bytes.length);
    else if (tag === 0x12) metadata = onlyOnce(metadata, readBytes(bytes, position, bytes.length));
    else skipUnknownField(bytes, position - 1, bytes.length);
  }
  return { data, metadata: decodeMetadata(metadata ?? emptyBytes) };
}

function decodeMetadata(bytes: Uint8Array): Snapshot['metadata'] {
  let confState: Uint8Array | undefined;
  let index = 0;
  let term = 0;
  for (let position = 0; position < bytes.length; position = cursor.position) {
    const tag = bytes[position++] as number;
    if (tag === 0x0a) confState = onlyOnce(confState, readBytes(bytes, position, bytes.length));
    else if (tag === 0x10) index = readUint(bytes, position, bytes.length);
    else if (tag === 0x18) term = readUint(bytes, position, bytes.length);
    else skipUnknownField(bytes, position - 1, bytes.length);
  }
  return { confState: decodeConfState(confState ?? emptyBytes), index, term };
}

function emptySnapshot(): CodedError<SnapshotErrorCode> {
  return new CodedError('snap/empty', 'snap: empty snapshot');
}
