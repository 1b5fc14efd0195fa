/**
 * As much of the protobuf wire format as the log and the snapshot files need. Readers stay within `[position, end)`, leave
 * the position behind the value in `cursor` and throw {@link ProtobufError}; writers return the position behind.
 *
 *     field  = varint (number << 3 | wire type), value
 *     varint = 1-10 bytes of 7 bits, lowest first; bit 7 says that more follow
 */

/** Malformed bytes. The callers turn it into their own error, which says where. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

/** Where the last reader stopped; good until the next one. */
export const cursor = { position: 0 };

const twoTo32 = 0x1_0000_0000;

/** Halves of the last varint; scratch of one synchronous call. */
let low = 0;
let high = 0;

function readHalves(bytes: Uint8Array, start: number, end: number): void {
  low = 0;
  high = 0;
  let position = start;
  for (let shift = 0; shift < 70; shift += 7) {
    if (position >= end) throw new ProtobufError('unexpected end');
    const byte = bytes[position++] as number;
    if (shift < 28) low |= (byte & 0x7f) << shift;
    else if (shift === 28) {
      low |= (byte & 0x7f) << 28;
      high = (byte & 0x7f) >>> 4;
    } else high |= (byte & 0x7f) << (shift - 32);
    if (byte < 0x80) {
      if (shift === 63 && byte > 1) break;
      low >>>= 0;
      high >>>= 0;
      cursor.position = position;
      return;
    }
  }
  throw new ProtobufError('varint of more than 64 bits');
}

/** A uint64 that must be a safe integer. */
export function readUint(bytes: Uint8Array, position: number, end: number): number {
  if (position < end) {
    const first = bytes[position] as number;
    if (first < 0x80) {
      cursor.position = position + 1;
      return first;
    }
  }
  readHalves(bytes, position, end);
  if (high > 0x1f_ffff) throw new ProtobufError('integer above 2^53');
  return high * twoTo32 + low;
}

export function readUint32(bytes: Uint8Array, position: number, end: number): number {
  readHalves(bytes, position, end);
  return low;
}

export function readUint64(bytes: Uint8Array, position: number, end: number): bigint {
  readHalves(bytes, position, end);
  return (BigInt(high) << 32n) | BigInt(low);
}

/** A length and as many bytes, as a view. */
export function readBytes(bytes: Uint8Array, position: number, end: number): Uint8Array {
  const length = readUint(bytes, position, end);
  const start = cursor.position;
  if (length > end - start) throw new ProtobufError('unexpected end');
  cursor.position = start + length;
  return bytes.subarray(start, start + length);
}

/** Skips the field whose tag stands at `position`. Groups are not known: nobody writes them. */
export function skipUnknownField(bytes: Uint8Array, start: number, end: number): void {
  const tag = readUint(bytes, start, end);
  const { position } = cursor;
  let next = position;
  if (tag > 0xffff_ffff || tag >>> 3 === 0) throw new ProtobufError(`tag ${tag}`);
  switch (tag & 7) {
    case 0:
      readHalves(bytes, position, end);
      return;
    case 1:
      next += 8;
      break;
    case 2:
      next = readUint(bytes, position, end);
      next += cursor.position;
      break;
    case 5:
      next += 4;
      break;
    default:
      throw new ProtobufError(`wire type ${tag & 7}`);
  }
  if (next > end) throw new ProtobufError('unexpected end');
  cursor.position = next;
}

/** Bytes of a safe integer of at least 0 as varint. */
export function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  if (value < 0x8_0000_0000) return 5;
  if (value < 0x400_0000_0000) return 6;
  return value < 0x2_0000_0000_0000 ? 7 : 8;
}

/** Writes a safe integer of at least 0. */
export function writeVarint(value: number, target: Uint8Array, position: number): number {
  let at = position;
  let rest = value;
  while (rest > 0x7fff_ffff) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at] = rest;
  return at + 1;
}

/** Writes an unsigned 64-bit integer. */
export function writeVarint64(value: bigint, target: Uint8Array, position: number): number {
  let at = position;
  let rest = value;
  while (rest > 0x7fn) {
    target[at++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  target[at] = Number(rest);
  return at + 1;
}

/** Bytes of an unsigned 64-bit integer as varint. */
export function varintLength64(value: bigint): number {
  let length = 1;
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) length++;
  return length;
}
