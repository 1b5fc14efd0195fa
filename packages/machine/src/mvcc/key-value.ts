import {
  cursor,
  readInt,
  readInt64,
  readLength,
  readTag,
  skipField,
  varintLength,
  varintLength64,
  writeVarint,
  writeVarint64,
} from '@quorate/api';
import { allocateUnsafe } from '@quorate/base';

/**
 * mvccpb.KeyValue as it is stored and sent (canonical: fields ascending, zeros left out, so that all members hash alike):
 *
 *     0a len key | 10 create_revision | 18 mod_revision | 20 version | 2a len value | 30 lease
 *
 * A tombstone's record has the key alone.
 */
export class KeyValueFields {
  keyStart = 0;
  keyEnd = 0;
  create = 0;
  mod = 0;
  version = 0;
  valueStart = 0;
  valueEnd = 0;
  lease = 0n;

  /** Reads a record; the offsets are positions in `bytes`. @throws DecodeError */
  read(bytes: Uint8Array): this {
    this.keyStart = this.keyEnd = this.valueStart = this.valueEnd = 0;
    this.create = this.mod = this.version = 0;
    this.lease = 0n;
    const end = bytes.length;
    for (let position = 0; position < end; position = cursor.position) {
      const tag = readTag(bytes, position, end);
      const at = cursor.position;
      switch (tag) {
        case 0x0a:
          this.keyEnd = readLength(bytes, at, end);
          this.keyStart = cursor.position;
          this.keyEnd += this.keyStart;
          cursor.position = this.keyEnd;
          break;
        case 0x10:
          this.create = readInt(bytes, at, end);
          break;
        case 0x18:
          this.mod = readInt(bytes, at, end);
          break;
        case 0x20:
          this.version = readInt(bytes, at, end);
          break;
        case 0x2a:
          this.valueEnd = readLength(bytes, at, end);
          this.valueStart = cursor.position;
          this.valueEnd += this.valueStart;
          cursor.position = this.valueEnd;
          break;
        case 0x30:
          this.lease = readInt64(bytes, at, end);
          break;
        default:
          cursor.position = skipField(bytes, at, end, tag);
      }
    }
    return this;
  }
}

const slabBytes = 256 * 1024;
/** Larger records get memory of their own, so that they do not waste the rest of a slab. */
const sharedBytesMax = 16 * 1024;

/**
 * Encodes KeyValues into slabs of 256 KiB and gives out views on them. A view that lives long keeps its slab alive; the
 * backend copies it into a page at its next commit, so slabs live a fraction of a second.
 */
export class KeyValueEncoder {
  private slab = new Uint8Array(slabBytes);
  private used = 0;
  private target: Uint8Array = this.slab;
  private start = 0;

  /** A whole KeyValue out of ranges of other bytes. */
  put(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    create: number,
    mod: number,
    version: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    lease: bigint,
  ): Uint8Array {
    const keyLength = keyEnd - keyStart;
    const valueLength = valueEnd - valueStart;
    let size =
      4 + varintLength(keyLength) + keyLength + varintLength(create) + varintLength(mod) + varintLength(version);
    if (valueLength > 0) size += 1 + varintLength(valueLength) + valueLength;
    if (lease !== 0n) size += 1 + varintLength64(lease);
    this.reserve(size);
    const { target } = this;
    let at = writeBytes(0x0a, key, keyStart, keyEnd, target, this.start);
    target[at++] = 0x10;
    at = writeVarint(create, target, at);
    target[at++] = 0x18;
    at = writeVarint(mod, target, at);
    target[at++] = 0x20;
    at = writeVarint(version, target, at);
    if (valueLength > 0) at = writeBytes(0x2a, value, valueStart, valueEnd, target, at);
    if (lease !== 0n) {
      target[at++] = 0x30;
      at = writeVarint64(lease, target, at);
    }
    return this.take(at);
  }

  /** A tombstone as stored: the key alone. */
  tombstone(key: Uint8Array, keyStart: number, keyEnd: number): Uint8Array {
    this.reserve(1 + varintLength(keyEnd - keyStart) + keyEnd - keyStart);
    return this.take(writeBytes(0x0a, key, keyStart, keyEnd, this.target, this.start));
  }

  /** A delete as watchers see it: key and mod_revision. */
  deletion(key: Uint8Array, keyStart: number, keyEnd: number, mod: number): Uint8Array {
    this.reserve(2 + varintLength(keyEnd - keyStart) + keyEnd - keyStart + varintLength(mod));
    let at = writeBytes(0x0a, key, keyStart, keyEnd, this.target, this.start);
    this.target[at++] = 0x18;
    at = writeVarint(mod, this.target, at);
    return this.take(at);
  }

  private reserve(size: number): void {
    if (size > sharedBytesMax) {
      this.target = allocateUnsafe(size);
      this.start = 0;
      return;
    }
    if (this.used + size > slabBytes) {
      this.slab = new Uint8Array(slabBytes);
      this.used = 0;
    }
    this.target = this.slab;
    this.start = this.used;
  }

  private take(end: number): Uint8Array {
    const { target, start } = this;
    if (target !== this.slab) {
      this.target = this.slab;
      return target;
    }
    this.used = end;
    // Twice as fast as subarray.
    return new Uint8Array(target.buffer, start, end - start);
  }
}

function writeBytes(
  tag: number,
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  position: number,
): number {
  target[position] = tag;
  const length = end - start;
  const at = writeVarint(length, target, position + 1);
  // Measured: below this length a loop is faster than making a view to copy from.
  if (length <= 64) for (let i = 0; i < length; i++) target[at + i] = source[start + i] as number;
  else if (start === 0 && end === source.length) target.set(source, at);
  else target.set(source.subarray(start, end), at);
  return at + length;
}
