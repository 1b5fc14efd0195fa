import { bboltError } from './errors.ts';
import { readUint32LE, readUint64LE, writeUint16LE, writeUint32LE, writeUint64LE } from './little-endian.ts';
import { PageFlag } from './page.ts';

/*
 * A meta page, little-endian:
 *
 *     0      16      20        24         28      32      40         48         56     64     72         80
 *     | page | magic | version | pageSize | flags | root  | root     | freelist | high | txid | FNV-1a   |
 *     | head | u32   | u32     | u32      | u32   | page  | sequence | page     | mark |      | of 16-71 |
 */
const metaStart = 16;
const checksumStart = 72;
export const metaBytes = 80;
const magic = 0xed0c_daed;
const version = 2;

export interface Meta {
  readonly pageSize: number;
  readonly rootId: number;
  readonly rootSequence: number;
  /** Page id of the stored list of free pages; undefined when none is stored. */
  readonly freelistId: number | undefined;
  /** The first page id never allocated. */
  readonly highWaterMark: number;
  readonly txid: number;
}

/** Why a meta page is not valid, under the names that bbolt gives it. */
export type MetaFault = 'invalid' | 'version' | 'checksum';

/** @throws CodedError bbolt/corrupt */
export function decodeMeta(bytes: Uint8Array, page: number): Meta | MetaFault {
  if (bytes.length < page + metaBytes || readUint32LE(bytes, page + metaStart) !== magic) return 'invalid';
  if (readUint32LE(bytes, page + 20) !== version) return 'version';
  const checksum = fnv1a64(bytes, page + metaStart, page + checksumStart);
  for (let i = 0; i < 8; i++) if (bytes[page + checksumStart + i] !== checksum[i]) return 'checksum';
  const meta: Meta = {
    pageSize: readUint32LE(bytes, page + 24),
    rootId: readUint64LE(bytes, page + 32),
    rootSequence: readUint64LE(bytes, page + 40),
    freelistId: hasNoFreelist(bytes, page + 48) ? undefined : readUint64LE(bytes, page + 48),
    highWaterMark: readUint64LE(bytes, page + 56),
    txid: readUint64LE(bytes, page + 64),
  };
  // Damage would show in the checksum. To go on from the other meta instead would silently lose a commit.
  if (!isSane(meta)) throw bboltError('bbolt/corrupt', 'a meta page with the right checksum says what cannot be');
  return meta;
}

/** Writes the whole page `id` (`pageSize` bytes at `position`). */
export function encodeMeta(meta: Meta, id: 0 | 1, target: Uint8Array, position: number): void {
  target.fill(0, position, position + meta.pageSize);
  writeUint64LE(id, target, position);
  writeUint16LE(PageFlag.meta, target, position + 8);
  writeUint32LE(magic, target, position + metaStart);
  writeUint32LE(version, target, position + 20);
  writeUint32LE(meta.pageSize, target, position + 24);
  writeUint64LE(meta.rootId, target, position + 32);
  writeUint64LE(meta.rootSequence, target, position + 40);
  if (meta.freelistId === undefined) target.fill(0xff, position + 48, position + 56);
  else writeUint64LE(meta.freelistId, target, position + 48);
  writeUint64LE(meta.highWaterMark, target, position + 56);
  writeUint64LE(meta.txid, target, position + 64);
  target.set(fnv1a64(target, position + metaStart, position + checksumStart), position + checksumStart);
}

/** Both metas as a reader chooses between them: the one with the higher txid that is valid. */
export function chooseMeta(first: Meta | MetaFault, second: Meta | MetaFault): Meta {
  if (typeof first === 'string') {
    if (typeof second === 'string') throw faultError(first);
    return second;
  }
  return typeof second === 'string' || second.txid < first.txid ? first : second;
}

function faultError(fault: MetaFault): Error {
  switch (fault) {
    case 'invalid':
      return bboltError('bbolt/invalid', 'invalid database');
    case 'version':
      return bboltError('bbolt/version', 'version mismatch');
    case 'checksum':
      return bboltError('bbolt/checksum', 'checksum error');
  }
}

function isSane(meta: Meta): boolean {
  const { pageSize, highWaterMark } = meta;
  if (pageSize < 512 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0) return false;
  return (
    highWaterMark >= 3 &&
    highWaterMark < 2 ** 31 &&
    meta.rootId >= 2 &&
    meta.rootId < highWaterMark &&
    meta.txid >= 0 &&
    meta.rootSequence >= 0 &&
    (meta.freelistId === undefined || (meta.freelistId >= 2 && meta.freelistId < highWaterMark))
  );
}

function hasNoFreelist(bytes: Uint8Array, position: number): boolean {
  for (let i = 0; i < 8; i++) if (bytes[position + i] !== 0xff) return false;
  return true;
}

/** FNV-1a with 64 bits, as 8 little-endian bytes. */
export function fnv1a64(bytes: Uint8Array, start: number, end: number): Uint8Array {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (let i = start; i < end; i++) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(bytes[i] as number)) * 0x100_0000_01b3n);
  }
  const result = new Uint8Array(8);
  for (let i = 0; i < 8; i++) result[i] = Number((hash >> BigInt(8 * i)) & 0xffn);
  return result;
}
