import { readUint64BE, writeUint64BE } from '@quorate/base';

/**
 * A key of bucket `key`, big-endian:
 *
 *     0       8 9       17 18
 *     | main  |_| sub    |t|     't' only in the key of a deletion
 */
export const revisionKeyBytes = 17;
export const tombstoneKeyBytes = 18;
const separator = 0x5f;
const tombstoneMark = 0x74;

/** Writes the key at `position`; returns its length. */
export function writeRevisionKey(
  target: Uint8Array,
  position: number,
  main: number,
  sub: number,
  tombstone: boolean,
): number {
  writeUint64BE(main, target, position);
  target[position + 8] = separator;
  writeUint64BE(sub, target, position + 9);
  if (!tombstone) return revisionKeyBytes;
  target[position + 17] = tombstoneMark;
  return tombstoneKeyBytes;
}

export function encodeRevisionKey(main: number, sub: number, tombstone: boolean): Uint8Array {
  const key = new Uint8Array(tombstone ? tombstoneKeyBytes : revisionKeyBytes);
  writeRevisionKey(key, 0, main, sub, tombstone);
  return key;
}

/** Whether the bytes are a revision key whose numbers are safe integers. */
export function isRevisionKey(bytes: Uint8Array, position: number, length: number): boolean {
  if (length !== revisionKeyBytes && (length !== tombstoneKeyBytes || bytes[position + 17] !== tombstoneMark)) {
    return false;
  }
  return (
    bytes[position + 8] === separator &&
    !Number.isNaN(readUint64BE(bytes, position)) &&
    !Number.isNaN(readUint64BE(bytes, position + 9))
  );
}
