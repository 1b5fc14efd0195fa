import { cursor, readInt64 } from '@quorate/api';
import { PutCall } from '../mvcc/put-call.ts';
import { readShortLength, shortLength } from './short-length.ts';

/**
 * Reads the one kind of entry that matters for speed without making anything: an InternalRaftRequest that is a put and a
 * header, in the form in which members write it.
 *
 *     22 len | 0a len key  12 len value  18 lease  20 prev_kv  28 ignore_value  30 ignore_lease
 *     a2 06 len | 08 id                (fields of zero are left out)
 *
 * Whatever looks different is left to the generated codec.
 */
export class PutEntry {
  readonly call = new PutCall();
  idHigh = 0;
  idLow = 0;

  /** False when the bytes are not exactly that form; then the fields mean nothing. */
  read(data: Uint8Array): boolean {
    if (data[0] !== 0x22) return false;
    const start = readShortLength(data, 1);
    if (start < 0) return false;
    const end = start + shortLength.value;
    return end <= data.length && this.readHeader(data, end) && this.readPut(data, start, end);
  }

  private readPut(data: Uint8Array, start: number, end: number): boolean {
    const { call } = this;
    call.key = call.value = data;
    call.keyStart = call.keyEnd = call.valueStart = call.valueEnd = 0;
    call.lease = 0n;
    call.prevKv = call.ignoreValue = call.ignoreLease = false;
    let lastTag = 0;
    for (let position = start; position < end; ) {
      const tag = data[position++] as number;
      if (tag <= lastTag) return false;
      lastTag = tag;
      if (tag === 0x0a || tag === 0x12) {
        position = readShortLength(data, position);
        if (position < 0 || position + shortLength.value > end) return false;
        if (tag === 0x0a) {
          call.keyStart = position;
          call.keyEnd = position + shortLength.value;
        } else {
          call.valueStart = position;
          call.valueEnd = position + shortLength.value;
        }
        position += shortLength.value;
      } else if (tag === 0x18) {
        call.lease = readInt64(data, position, end);
        position = cursor.position;
      } else {
        const flag = data[position++];
        if (flag !== 1 || position > end) return false;
        if (tag === 0x20) call.prevKv = true;
        else if (tag === 0x28) call.ignoreValue = true;
        else if (tag === 0x30) call.ignoreLease = true;
        else return false;
      }
    }
    return true;
  }

  /** The header must hold the id alone and be the last thing: one of a user (with auth on) is read the long way. */
  private readHeader(data: Uint8Array, start: number): boolean {
    if (data[start] !== 0xa2 || data[start + 1] !== 0x06 || data[start + 3] !== 0x08) return false;
    const end = start + 3 + (data[start + 2] as number);
    if (end !== data.length) return false;
    let low = 0;
    let high = 0;
    let position = start + 4;
    for (let shift = 0; ; shift += 7) {
      if (position >= end || shift > 63) return false;
      const byte = data[position++] as number;
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else if (shift === 28) {
        low |= (byte & 0x0f) << 28;
        high = (byte & 0x7f) >>> 4;
      } else high |= (byte & 0x7f) << (shift - 32);
      if (byte < 0x80) break;
    }
    this.idLow = low >>> 0;
    this.idHigh = high >>> 0;
    return position === end;
  }
}
