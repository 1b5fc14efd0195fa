import { view } from './allocate.ts';
import { DecodeError } from './decode-error.ts';
import { decodeUtf8, decodeUtf8Lossy } from './utf8.ts';

/**
 * The protobuf wire format, without objects per message: a reader returns its value and leaves the position behind it in
 * `cursor.position`; a writer returns the position. All readers stay within `[position, end)` of the bytes.
 *
 * ```
 * message = field*                field = tag value
 * tag     = varint (field number << 3 | wire type)
 * varint  = 1-10 bytes of 7 bits, lowest first, bit 7 says that more follow; negative numbers as 64-bit two's complement
 * wire type 0 varint | 1 fixed 8 bytes | 2 length (varint) and as many bytes | 3 group start | 4 group end | 5 fixed 4 bytes
 * ```
 */

export const WireType = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;

/** Messages and groups inside one another; a recursive message (a transaction in a transaction) stops here. */
export const nestingMax = 100;

export const emptyBytes: Uint8Array = new Uint8Array(0);

/** Where the last reader stopped. Only good until the next call of any reader. */
export const cursor = { position: 0 };

const twoTo32 = 0x1_0000_0000;

// The two halves of the last varint read by `readHalves`; scratch within one synchronous call.
const halves = { low: 0, high: 0 };

// A 64-bit cell seen as halves and as bigint: the cheapest way across, one allocation when reading, none when writing.
const cell32 = new Uint32Array(2);
const cellUnsigned = new BigUint64Array(cell32.buffer);
const cellSigned = new BigInt64Array(cell32.buffer);
const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
const lowCell = littleEndian ? 0 : 1;
const highCell = littleEndian ? 1 : 0;

/** Reads a varint of up to 64 bits into `halves`. Four bytes make the lowest 28 bits, the next four 28 more, two the rest. */
function readHalves(bytes: Uint8Array, start: number, end: number): void {
  let position = start;
  let low = 0;
  let middle = 0;
  let high = 0;
  let byte = 0x80;
  for (let shift = 0; shift < 28 && byte >= 0x80; shift += 7) {
    if (position >= end) throw new DecodeError('truncated', position);
    byte = bytes[position++] as number;
    low |= (byte & 0x7f) << shift;
  }
  for (let shift = 0; shift < 28 && byte >= 0x80; shift += 7) {
    if (position >= end) throw new DecodeError('truncated', position);
    byte = bytes[position++] as number;
    middle |= (byte & 0x7f) << shift;
  }
  for (let shift = 0; shift < 14 && byte >= 0x80; shift += 7) {
    if (position >= end) throw new DecodeError('truncated', position);
    byte = bytes[position++] as number;
    high |= (byte & 0x7f) << shift;
  }
  // The tenth byte has room for one bit.
  if (byte >= 0x80 || high > 0xff) throw new DecodeError('varint-overflow', start);
  halves.low = (low | (middle << 28)) >>> 0;
  halves.high = ((middle >>> 4) | (high << 24)) >>> 0;
  cursor.position = position;
}

/** A varint of at most four bytes, or of one byte at the end; -1 when it must be read the slow way. */
function readShort(bytes: Uint8Array, position: number, end: number): number {
  if (position >= end) return -1;
  const first = bytes[position] as number;
  if (first < 0x80) {
    cursor.position = position + 1;
    return first;
  }
  if (end - position < 4) return -1;
  const second = bytes[position + 1] as number;
  if (second < 0x80) {
    cursor.position = position + 2;
    return (first & 0x7f) | (second << 7);
  }
  const third = bytes[position + 2] as number;
  if (third < 0x80) {
    cursor.position = position + 3;
    return (first & 0x7f) | ((second & 0x7f) << 7) | (third << 14);
  }
  const fourth = bytes[position + 3] as number;
  if (fourth >= 0x80) return -1;
  cursor.position = position + 4;
  return (first & 0x7f) | ((second & 0x7f) << 7) | ((third & 0x7f) << 14) | (fourth << 21);
}

/** A tag, `field number << 3 | wire type`, below 2^32. */
export function readTag(bytes: Uint8Array, position: number, end: number): number {
  const short = readShort(bytes, position, end);
  if (short >= 0) return short;
  readHalves(bytes, position, end);
  if (halves.high !== 0) throw new DecodeError('invalid-tag', position);
  return halves.low;
}

/** A length that lies within the bytes. */
export function readLength(bytes: Uint8Array, position: number, end: number): number {
  let length = readShort(bytes, position, end);
  if (length < 0) {
    readHalves(bytes, position, end);
    length = halves.high * twoTo32 + halves.low;
  }
  if (length > end - cursor.position) throw new DecodeError('truncated', position);
  return length;
}

/** A uint64 kept as number. */
export function readUint(bytes: Uint8Array, position: number, end: number): number {
  const short = readShort(bytes, position, end);
  if (short >= 0) return short;
  readHalves(bytes, position, end);
  if (halves.high > 0x1f_ffff) throw new DecodeError('out-of-range', position);
  return halves.high * twoTo32 + halves.low;
}

/** An int64 kept as number. */
export function readInt(bytes: Uint8Array, position: number, end: number): number {
  const short = readShort(bytes, position, end);
  if (short >= 0) return short;
  readHalves(bytes, position, end);
  const value = (halves.high | 0) * twoTo32 + halves.low;
  if (!Number.isSafeInteger(value)) throw new DecodeError('out-of-range', position);
  return value;
}

/** An int64 kept as number; beyond the safe integers the largest or smallest of them. */
export function readIntSaturated(bytes: Uint8Array, position: number, end: number): number {
  const short = readShort(bytes, position, end);
  if (short >= 0) return short;
  readHalves(bytes, position, end);
  const value = (halves.high | 0) * twoTo32 + halves.low;
  if (Number.isSafeInteger(value)) return value;
  return value > 0 ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
}

/** A uint32; higher bits are dropped, as everywhere in protobuf. */
export function readUint32(bytes: Uint8Array, position: number, end: number): number {
  readHalves(bytes, position, end);
  return halves.low;
}

/** An enum number; higher bits are dropped. */
export function readEnum(bytes: Uint8Array, position: number, end: number): number {
  if (position < end) {
    const first = bytes[position] as number;
    if (first < 0x80) {
      cursor.position = position + 1;
      return first;
    }
  }
  readHalves(bytes, position, end);
  return halves.low | 0;
}

export function readBool(bytes: Uint8Array, position: number, end: number): boolean {
  if (position < end) {
    const first = bytes[position] as number;
    if (first < 0x80) {
      cursor.position = position + 1;
      return first !== 0;
    }
  }
  readHalves(bytes, position, end);
  return halves.low !== 0 || halves.high !== 0;
}

/** A uint64 as bigint. */
export function readUint64(bytes: Uint8Array, position: number, end: number): bigint {
  readHalves(bytes, position, end);
  if (halves.low === 0 && halves.high === 0) return 0n;
  cell32[lowCell] = halves.low;
  cell32[highCell] = halves.high;
  return cellUnsigned[0] as bigint;
}

/** An int64 as bigint. */
export function readInt64(bytes: Uint8Array, position: number, end: number): bigint {
  readHalves(bytes, position, end);
  if (halves.low === 0 && halves.high === 0) return 0n;
  cell32[lowCell] = halves.low;
  cell32[highCell] = halves.high;
  return cellSigned[0] as bigint;
}

/** A view on the field's bytes, no copy. */
export function readBytes(bytes: Uint8Array, position: number, end: number): Uint8Array {
  const length = readLength(bytes, position, end);
  const start = cursor.position;
  cursor.position = start + length;
  return length === 0 ? emptyBytes : view(bytes, start, start + length);
}

/** A proto3 string: must be UTF-8. */
export function readString(bytes: Uint8Array, position: number, end: number): string {
  const length = readLength(bytes, position, end);
  if (length === 0) return '';
  const start = cursor.position;
  cursor.position = start + length;
  const text = decodeUtf8(bytes, start, start + length);
  if (text === undefined) throw new DecodeError('invalid-utf8', start);
  return text;
}

/** A proto2 string: broken sequences become U+FFFD. */
export function readStringLossy(bytes: Uint8Array, position: number, end: number): string {
  const length = readLength(bytes, position, end);
  const start = cursor.position;
  cursor.position = start + length;
  return decodeUtf8Lossy(bytes, start, start + length);
}

/**
 * Skips the value behind `tag`, from `position` on.
 * @returns the position behind it.
 */
export function skipField(bytes: Uint8Array, position: number, end: number, tag: number, depth = 0): number {
  if (tag >>> 3 === 0) throw new DecodeError('invalid-tag', position);
  switch (tag & 7) {
    case WireType.varint:
      readHalves(bytes, position, end);
      return cursor.position;
    case WireType.fixed64:
      if (position + 8 > end) throw new DecodeError('truncated', position);
      return position + 8;
    case WireType.bytes: {
      const length = readLength(bytes, position, end);
      return cursor.position + length;
    }
    case WireType.groupStart:
      return skipGroup(bytes, position, end, tag, depth + 1);
    case WireType.fixed32:
      if (position + 4 > end) throw new DecodeError('truncated', position);
      return position + 4;
    default:
      throw new DecodeError('invalid-tag', position);
  }
}

function skipGroup(bytes: Uint8Array, start: number, end: number, openingTag: number, depth: number): number {
  if (depth > nestingMax) throw new DecodeError('too-deep', start);
  let position = start;
  while (position < end) {
    const tag = readTag(bytes, position, end);
    position = cursor.position;
    if ((tag & 7) === WireType.groupEnd) {
      if (tag >>> 3 !== openingTag >>> 3) throw new DecodeError('invalid-tag', position);
      return position;
    }
    position = skipField(bytes, position, end, tag, depth);
  }
  throw new DecodeError('truncated', position);
}

/** Bytes of a number as varint: an unsigned or signed safe integer. */
export function varintLength(value: number): number {
  if (value < 0x80) return value < 0 ? 10 : 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  if (value < 0x8_0000_0000) return 5;
  if (value < 0x400_0000_0000) return 6;
  return value < 0x2_0000_0000_0000 ? 7 : 8;
}

/** Bytes of a bigint as varint; negative ones take 10. */
export function varintLength64(value: bigint): number {
  cellUnsigned[0] = value;
  const high = cell32[highCell] as number;
  if (high === 0) return varintLength(cell32[lowCell] as number);
  return Math.ceil((64 - Math.clz32(high)) / 7);
}

/** A safe integer; negative ones as 64-bit two's complement. */
export function writeVarint(value: number, target: Uint8Array, position: number): number {
  if (value >= 0 && value <= 0x7fff_ffff) {
    let rest = value;
    let at = position;
    while (rest > 0x7f) {
      target[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    target[at] = rest;
    return at + 1;
  }
  return writeHalves(value >>> 0, Math.floor(value / twoTo32) >>> 0, target, position);
}

/** A bigint between -2^63 and 2^64-1. */
export function writeVarint64(value: bigint, target: Uint8Array, position: number): number {
  cellUnsigned[0] = value;
  return writeHalves(cell32[lowCell] as number, cell32[highCell] as number, target, position);
}

function writeHalves(lowHalf: number, highHalf: number, target: Uint8Array, position: number): number {
  let low = lowHalf;
  let high = highHalf;
  let at = position;
  while (high !== 0) {
    target[at++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  while (low > 0x7f) {
    target[at++] = (low & 0x7f) | 0x80;
    low >>>= 7;
  }
  target[at] = low;
  return at + 1;
}

/** Bytes of the tag of a field. */
export function tagLength(fieldNumber: number): number {
  return varintLength(fieldNumber * 8);
}

export function writeTag(fieldNumber: number, wireType: number, target: Uint8Array, position: number): number {
  return writeVarint(fieldNumber * 8 + wireType, target, position);
}

/** Length prefix and content of a value of `length` bytes. */
export function delimitedLength(length: number): number {
  return varintLength(length) + length;
}

/** Below this many bytes a loop beats `set` (bench/codec). */
const shortCopy = 12;

/** The bytes alone. */
export function writeRaw(bytes: Uint8Array, target: Uint8Array, position: number): number {
  const length = bytes.length;
  if (length <= shortCopy) for (let i = 0; i < length; i++) target[position + i] = bytes[i] as number;
  else target.set(bytes, position);
  return position + length;
}

/** Length and bytes: a bytes field, or an already encoded sub-message, behind its tag. */
export function writeDelimited(bytes: Uint8Array, target: Uint8Array, position: number): number {
  return writeRaw(bytes, target, writeVarint(bytes.length, target, position));
}
