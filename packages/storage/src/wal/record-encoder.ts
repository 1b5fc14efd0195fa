import { allocateUnsafe, crc32c } from '@quorate/base';
import { varintLength, varintLength64, writeVarint, writeVarint64 } from './protobuf.ts';
import type { Entry, HardState } from './types.ts';
import { walError } from './wal-error.ts';

export const RecordType = { metadata: 1, entry: 2, state: 3, crc: 4, snapshot: 5 } as const;

/** Readers of 3.5.0 to 3.5.4 refuse records of 10 MiB and more, so nobody writes them. */
export const recordBytesMax = 10 * 1024 * 1024 - 8;

const initialCapacity = 256 * 1024;
/** A slab that one large batch made bigger than this is not kept. */
const keptCapacityMax = 4 * 1024 * 1024;

/** The frame's length field, the record's type with its tag, the tag of the checksum and its longest form. */
const headBytes = 8 + 2 + 1 + 5;

/** Where in a slab the records of the next segment begin. */
export interface SegmentCut {
  readonly at: number;
  readonly sequence: number;
  readonly index: number;
}

/** Encoded records on their way to the disk. */
export interface Slab {
  bytes: Uint8Array;
  length: number;
  cuts: SegmentCut[];
}

/**
 * Encodes log records one behind the other into a slab, without an object or buffer per record. Two slabs take turns: one
 * fills while the other is being written.
 *
 *     frame  = u64le (pad ? 0x80 | pad : 0) << 56 | record bytes, record, pad zero bytes to a multiple of 8
 *     record = walpb.Record { 1 type, 2 crc, 3 data }; crc is the running crc32c over all data so far, this one's included
 */
export class RecordEncoder {
  /** The running checksum, over all segments. */
  crc: number;
  slab: Slab = emptySlab();
  private spare: Slab = emptySlab();

  constructor(crc: number) {
    this.crc = crc;
  }

  /** What was encoded since the last call. Give it back with {@link recycle}; until then only one more can be taken. */
  take(): Slab {
    const full = this.slab;
    this.slab = this.spare;
    this.spare = emptySlab();
    return full;
  }

  recycle(slab: Slab): void {
    slab.length = 0;
    slab.cuts = [];
    if (slab.bytes.length <= keptCapacityMax) this.spare = slab;
  }

  /** A record that says where the running checksum stands: the first of a segment. */
  crcRecord(): void {
    this.reserve(headBytes + 7);
    this.finish(RecordType.crc, this.slab.length + headBytes, -1);
  }

  /** @throws CodedError wal/record-too-large */
  record(type: number, data: Uint8Array): void {
    const head = headBytes + 1 + varintLength(data.length);
    checkSize(head + data.length);
    this.reserve(head + data.length + 7);
    const start = this.slab.length + head;
    this.slab.bytes.set(data, start);
    this.finish(type, start, data.length);
  }

  /** @throws CodedError wal/record-too-large */
  entry(entry: Entry): void {
    const { data } = entry;
    const length = data.length;
    let inner = 4 + varintLength(entry.term) + varintLength(entry.index);
    if (length > 0) inner += 1 + varintLength(length) + length;
    const head = headBytes + 1 + varintLength(inner);
    checkSize(head + inner);
    this.reserve(head + inner + 7);
    const { bytes } = this.slab;
    const start = this.slab.length + head;
    bytes[start] = 0x08;
    bytes[start + 1] = entry.type;
    bytes[start + 2] = 0x10;
    let at = writeVarint(entry.term, bytes, start + 3);
    bytes[at] = 0x18;
    at = writeVarint(entry.index, bytes, at + 1);
    if (length > 0) {
      bytes[at] = 0x22;
      at = writeVarint(length, bytes, at + 1);
      bytes.set(data, at);
    }
    this.finish(RecordType.entry, start, inner);
  }

  state(state: HardState): void {
    const inner = 3 + varintLength(state.term) + varintLength64(state.vote) + varintLength(state.commit);
    const head = headBytes + 2;
    this.reserve(head + inner + 7);
    const { bytes } = this.slab;
    const start = this.slab.length + head;
    bytes[start] = 0x08;
    let at = writeVarint(state.term, bytes, start + 1);
    bytes[at] = 0x10;
    at = writeVarint64(state.vote, bytes, at + 1);
    bytes[at] = 0x18;
    writeVarint(state.commit, bytes, at + 1);
    this.finish(RecordType.state, start, inner);
  }

  /**
   * Frames the record whose `length` data bytes stand at `start`, behind room for the longest checksum; -1 for no data field.
   * A shorter checksum, one in sixteen, moves the data back.
   */
  private finish(type: number, start: number, length: number): void {
    const { slab } = this;
    const { bytes } = slab;
    if (length > 0) this.crc = crc32c(this.crc, bytes, start, start + length);
    const { crc } = this;
    const crcLength = varintLength(crc);
    const begin = slab.length;
    let end = length < 0 ? start : start + length;
    if (crcLength < 5) {
      if (length > 0) bytes.copyWithin(start - 5 + crcLength, start, end);
      end -= 5 - crcLength;
    }
    bytes[begin + 8] = 0x08;
    bytes[begin + 9] = type;
    bytes[begin + 10] = 0x10;
    const at = writeVarint(crc, bytes, begin + 11);
    if (length >= 0) {
      bytes[at] = 0x1a;
      writeVarint(length, bytes, at + 1);
    }
    const size = end - begin - 8;
    bytes[begin] = size;
    bytes[begin + 1] = size >>> 8;
    bytes[begin + 2] = size >>> 16;
    bytes[begin + 3] = size >>> 24;
    bytes[begin + 4] = 0;
    bytes[begin + 5] = 0;
    bytes[begin + 6] = 0;
    const pad = -size & 7;
    bytes[begin + 7] = pad === 0 ? 0 : 0x80 | pad;
    for (let i = 0; i < pad; i++) bytes[end + i] = 0;
    slab.length = end + pad;
  }

  private reserve(size: number): void {
    const { slab } = this;
    const wanted = slab.length + size;
    if (wanted <= slab.bytes.length) return;
    let capacity = Math.max(initialCapacity, slab.bytes.length);
    while (capacity < wanted) capacity *= 2;
    const bytes = allocateUnsafe(capacity);
    bytes.set(slab.bytes.subarray(0, slab.length));
    slab.bytes = bytes;
  }
}

function emptySlab(): Slab {
  return { bytes: new Uint8Array(0), length: 0, cuts: [] };
}

function checkSize(size: number): void {
  if (size > recordBytesMax) {
    throw walError('wal/record-too-large', `wal: a record of ${size} bytes, above the limit of ${recordBytesMax}`);
  }
}
