import { etcdserverpb } from '@quorate/api';
import { allocateUnsafe } from '@quorate/base';
import type { Identity } from '@quorate/machine';

const slabBytes = 256 * 1024;

/** Most bytes an id takes in the header: field 100, its length, field 1, a varint of ten bytes. */
const headerBytesMax = 2 + 1 + 1 + 10;

/**
 * Makes the bytes of an InternalRaftRequest out of the bytes of a request, unread:
 *
 * ```
 * | tag of the request's field | length | request as it came | tag of field 100 | length | tag 1, id |
 * ```
 *
 * The bytes are copied once, out of the socket's buffer into a slab that the raft log then holds; many entries share a slab.
 */
export class EntryBuilder {
  private slab = allocateUnsafe(slabBytes);
  private position = 0;

  /**
   * @param field number of the request's field in InternalRaftRequest, for example 4 of a put.
   * @returns a view on a slab; owned by whoever proposes it, never written again.
   */
  build(field: number, request: Uint8Array, idHigh: number, idLow: number): Uint8Array {
    const sizeMax = request.length + 5 + 5 + headerBytesMax;
    if (this.position + sizeMax > this.slab.length) {
      this.slab = allocateUnsafe(Math.max(slabBytes, sizeMax));
      this.position = 0;
    }
    const start = this.position;
    const slab = this.slab;
    let position = writeVarint(slab, start, ((field << 3) | 2) >>> 0);
    position = writeVarint(slab, position, request.length);
    slab.set(request, position);
    position += request.length;
    // Field 100, wire type 2; then RequestHeader { 1: ID }.
    slab[position++] = 0xa2;
    slab[position++] = 0x06;
    const lengthAt = position++;
    slab[position++] = 0x08;
    position = writeVarint64(slab, position, idHigh, idLow);
    slab[lengthAt] = position - lengthAt - 1;
    this.position = position;
    return slab.subarray(start, position);
  }
}

/** As {@link EntryBuilder.build}, with whose request it is in the header: for members that enforce permissions. */
export function buildEntryOf(field: number, request: Uint8Array, id: bigint, identity: Identity): Uint8Array {
  const { RequestHeader } = etcdserverpb;
  const header = RequestHeader.encode(RequestHeader.create({ id, ...identity }));
  const target = allocateUnsafe(request.length + header.length + 4 * 5);
  let position = writeVarint(target, 0, ((field << 3) | 2) >>> 0);
  position = writeVarint(target, position, request.length);
  target.set(request, position);
  position = writeVarint(target, position + request.length, (100 << 3) | 2);
  position = writeVarint(target, position, header.length);
  target.set(header, position);
  return target.subarray(0, position + header.length);
}

function writeVarint(target: Uint8Array, start: number, value: number): number {
  let position = start;
  let rest = value;
  while (rest > 0x7f) {
    target[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[position++] = rest;
  return position;
}

/** Writes an unsigned 64-bit integer given as two halves. */
function writeVarint64(target: Uint8Array, start: number, high: number, low: number): number {
  let position = start;
  let upper = high;
  let lower = low;
  while (upper !== 0 || lower > 0x7f) {
    target[position++] = (lower & 0x7f) | 0x80;
    lower = ((lower >>> 7) | (upper << 25)) >>> 0;
    upper >>>= 7;
  }
  target[position++] = lower;
  return position;
}
