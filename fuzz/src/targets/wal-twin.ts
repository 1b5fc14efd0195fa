import { DecodeError, raftpb, walpb } from '@quorate/api';
import { equalBytes } from '@quorate/base';
import { dumbCrc32c } from './dumb-crc32c.ts';
import { refuseOddities } from './refuse-oddities.ts';

/** A file of a log directory. */
export interface LogFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A record in its frame: `bytes[start, end)`, and where the next frame begins. */
export interface Frame {
  readonly start: number;
  readonly end: number;
  readonly next: number;
}

export interface TwinContent {
  /** The code that reading has to end with; undefined for a clean end. */
  error: string | undefined;
  readonly entries: raftpb.Entry[];
  hardState: { term: number; vote: bigint; commit: number };
  metadata: Uint8Array | undefined;
  lastIndex: number;
  hasSnapshot: boolean;
}

class Stop extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export const segmentPattern = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

/** The frame at `position`; undefined at the end of the file or of what was written of it. */
export function frameAt(bytes: Uint8Array, position: number): Frame | undefined {
  if (position === bytes.length) return undefined;
  if (bytes.length - position < 8) throw new Stop('wal/unexpected-eof');
  const field = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(position, true);
  if (field === 0n) return undefined;
  const pad = field >> 63n === 1n ? Number((field >> 56n) & 7n) : 0;
  const start = position + 8;
  const end = start + Number(field & 0xff_ffff_ffff_ffffn);
  if (end + pad > bytes.length) throw new Stop('wal/unexpected-eof');
  return { start, end, next: end + pad };
}

/** Numbers above the safe integers are none that a log gets to: such a file is not ours. */
function isSegment(name: string): boolean {
  return (
    segmentPattern.test(name) && Math.max(Number(`0x${name.slice(0, 16)}`), Number(`0x${name.slice(17, 33)}`)) < 2 ** 53
  );
}

/** The segments from the last one on that begins at index 0, when none is missing. */
function segmentsOf(files: readonly LogFile[]): LogFile[] {
  const names = files.map(({ name }) => name).filter(isSegment);
  const first = names.sort().findLastIndex((name) => BigInt(`0x${name.slice(17, 33)}`) === 0n);
  const chosen = first < 0 ? [] : names.slice(first);
  const sequences = chosen.map((name) => BigInt(`0x${name.slice(0, 16)}`));
  if (chosen.length === 0 || sequences.some((sequence, i) => sequence !== (sequences[0] as bigint) + BigInt(i)))
    throw new Stop('wal/not-found');
  return chosen.map((name) => files.find((file) => file.name === name) as LogFile);
}

/** Power loss leaves whole sectors unwritten: one of zeros in the last file explains a bad record. */
function isTorn(bytes: Uint8Array, { start, next }: Frame): boolean {
  for (let at = start; at < next; ) {
    const end = Math.min(next, (Math.floor(at / 512) + 1) * 512);
    if (bytes.subarray(at, end).every((byte) => byte === 0)) return true;
    at = end;
  }
  return false;
}

/** Reads a log as its format is described, with no thought of speed; nothing in common with the reader but the words of the errors. */
export function readDumbly(files: readonly LogFile[]): TwinContent {
  const hardState = { term: 0, vote: 0n, commit: 0 };
  const content: TwinContent = {
    error: undefined,
    entries: [],
    hardState,
    metadata: undefined,
    lastIndex: 0,
    hasSnapshot: false,
  };
  try {
    let crc = 0;
    const segments = segmentsOf(files);
    for (const [i, { bytes }] of segments.entries()) {
      for (let frame = frameAt(bytes, 0); frame !== undefined; frame = frameAt(bytes, frame.next)) {
        try {
          crc = take(recordIn(bytes, frame), crc, content);
        } catch (error) {
          const code = error instanceof DecodeError ? 'wal/corrupt' : (error as Stop).code;
          const isOfRecord = code === 'wal/corrupt' || code === 'wal/crc-mismatch';
          if (isOfRecord && i === segments.length - 1 && !hasGoodCrc(bytes, frame, crc) && isTorn(bytes, frame))
            throw new Stop('wal/unexpected-eof');
          throw new Stop(code);
        }
      }
    }
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    content.error = error.code;
  }
  return content;
}

function recordIn(bytes: Uint8Array, { start, end }: Frame): walpb.Record {
  refuseOddities(bytes, 0, start, end);
  return walpb.Record.decode(bytes, start, end);
}

/** A record that is whole and yet says nonsense was written so. */
function hasGoodCrc(bytes: Uint8Array, frame: Frame, before: number): boolean {
  try {
    const record = recordIn(bytes, frame);
    return record.type === 4 || dumbCrc32c(before, record.data) === record.crc;
  } catch {
    return false;
  }
}

/** @returns the running checksum behind the record. */
function take(record: walpb.Record, before: number, content: TwinContent): number {
  if (record.type === 4) {
    if (before !== 0 && record.crc !== before) throw new Stop('wal/crc-mismatch');
    return record.crc;
  }
  if (dumbCrc32c(before, record.data) !== record.crc) throw new Stop('wal/crc-mismatch');
  if (record.type !== 1) refuseOddities(record.data, record.type === 5 ? 3 : 0);
  switch (record.type) {
    case 1:
      if (content.metadata !== undefined && !equalBytes(content.metadata, record.data))
        throw new Stop('wal/metadata-conflict');
      content.metadata = record.data;
      break;
    case 2:
      takeEntry(raftpb.Entry.decode(record.data), content);
      break;
    case 3:
      content.hardState = raftpb.HardState.decode(record.data);
      break;
    case 5: {
      const { index, term } = walpb.Snapshot.decode(record.data);
      content.lastIndex = Math.max(content.lastIndex, index);
      if (index !== 0) break;
      if (term !== 0) throw new Stop('wal/snapshot-mismatch');
      content.hasSnapshot = true;
      break;
    }
    default:
      throw new Stop('wal/corrupt');
  }
  return record.crc;
}

function takeEntry(entry: raftpb.Entry, content: TwinContent): void {
  const { entries } = content;
  if (entry.type < 0 || entry.type > 2) throw new Stop('wal/corrupt');
  if (entry.index > entries.length + 1) throw new Stop('wal/slice-out-of-range');
  content.lastIndex = entry.index;
  if (entry.index === 0) return;
  entries.length = entry.index - 1;
  entries.push(entry);
}
