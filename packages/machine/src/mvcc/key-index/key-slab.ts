import { allocateUnsafe } from '@quorate/base';

/**
 * Key bytes packed into 1 MiB chunks, out of the garbage collector's sight. A place is named by one 32-bit number:
 *
 *     ref (unsigned) = chunk << 17 | position in units of 8 bytes
 *
 * so 32 GiB of keys fit. Freed places are reused by size class. The length of a key is kept by whoever keeps its ref.
 */
const chunkBytes = 1 << 20;
const unitBits = 17;
const unitMask = (1 << unitBits) - 1;
/** Longer keys get a chunk of their own. */
const sharedBytesMax = 1 << 16;
/** Classes 0..32 step by 8 bytes up to 256, then double. */
const linearClasses = 32;

function sizeClass(length: number): number {
  if (length <= 256) return length === 0 ? 1 : (length + 7) >>> 3;
  return linearClasses + 24 - Math.clz32(length - 1);
}

function classBytes(index: number): number {
  return index <= linearClasses ? index << 3 : 256 << (index - linearClasses);
}

export class KeySlab {
  private readonly chunks: Uint8Array[] = [];
  private readonly freeRefs: number[][] = [];
  private readonly freeChunks: number[] = [];
  private openChunk = -1;
  private openPosition = chunkBytes;
  /** Bytes of memory held. */
  bytes = 0;
  /** After {@link compare}: the number of leading bytes that are equal. */
  equalLength = 0;

  /** Copies `source[start, end)` in. */
  allocate(source: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length > sharedBytesMax) {
      const chunk = this.addChunk(length);
      this.write(chunk << unitBits, source, start, end);
      return chunk << unitBits;
    }
    const index = sizeClass(length);
    const free = this.freeRefs[index];
    let ref: number;
    if (free !== undefined && free.length > 0) ref = free.pop() as number;
    else {
      const size = classBytes(index);
      if (this.openPosition + size > chunkBytes) {
        this.openChunk = this.addChunk(chunkBytes);
        this.openPosition = 0;
      }
      ref = (this.openChunk << unitBits) | (this.openPosition >>> 3);
      this.openPosition += size;
    }
    this.write(ref, source, start, end);
    return ref;
  }

  /** A second copy of a key that is already here. */
  duplicate(ref: number, length: number): number {
    const position = (ref & unitMask) << 3;
    return this.allocate(this.chunks[ref >>> unitBits] as Uint8Array, position, position + length);
  }

  release(ref: number, length: number): void {
    if (length > sharedBytesMax) {
      const chunk = ref >>> unitBits;
      this.bytes -= (this.chunks[chunk] as Uint8Array).length;
      this.chunks[chunk] = new Uint8Array(0);
      this.freeChunks.push(chunk);
      return;
    }
    const index = sizeClass(length);
    while (this.freeRefs.length <= index) this.freeRefs.push([]);
    (this.freeRefs[index] as number[]).push(ref);
  }

  /** Order of the stored key against `bytes[start, end)`: negative, 0 or positive. The first `skip` bytes are known to be equal. */
  compare(ref: number, length: number, bytes: Uint8Array, start: number, end: number, skip: number): number {
    const chunk = this.chunks[ref >>> unitBits] as Uint8Array;
    const base = (ref & unitMask) << 3;
    const otherLength = end - start;
    const shared = Math.min(length, otherLength);
    for (let i = skip; i < shared; i++) {
      const difference = (chunk[base + i] as number) - (bytes[start + i] as number);
      if (difference !== 0) {
        this.equalLength = i;
        return difference;
      }
    }
    this.equalLength = shared;
    return length - otherLength;
  }

  /** Order of the first `prefixLength` bytes of the stored key against `bytes[start, end)`; 0 when these begin so. */
  comparePrefix(ref: number, prefixLength: number, bytes: Uint8Array, start: number, end: number): number {
    const chunk = this.chunks[ref >>> unitBits] as Uint8Array;
    const base = (ref & unitMask) << 3;
    const shared = Math.min(prefixLength, end - start);
    for (let i = 0; i < shared; i++) {
      const difference = (chunk[base + i] as number) - (bytes[start + i] as number);
      if (difference !== 0) return difference;
    }
    return prefixLength - shared;
  }

  equals(ref: number, length: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (length !== end - start) return false;
    const chunk = this.chunks[ref >>> unitBits] as Uint8Array;
    const base = (ref & unitMask) << 3;
    // Keys that hash alike differ nowhere or somewhere at random, so one direction is as good as the other.
    for (let i = 0; i < length; i++) if (chunk[base + i] !== bytes[start + i]) return false;
    return true;
  }

  /** The chunk that holds the key; it is valid until the key is released. */
  chunkOf(ref: number): Uint8Array {
    return this.chunks[ref >>> unitBits] as Uint8Array;
  }

  /** Where in its chunk the key begins. */
  positionOf(ref: number): number {
    return (ref & unitMask) << 3;
  }

  /** Writes the key at `position`; returns the position behind it. */
  copyTo(ref: number, length: number, target: Uint8Array, position: number): number {
    const chunk = this.chunks[ref >>> unitBits] as Uint8Array;
    const base = (ref & unitMask) << 3;
    if (length > 64) target.set(chunk.subarray(base, base + length), position);
    else for (let i = 0; i < length; i++) target[position + i] = chunk[base + i] as number;
    return position + length;
  }

  private addChunk(size: number): number {
    const chunk = this.freeChunks.pop() ?? this.chunks.length;
    this.chunks[chunk] = allocateUnsafe(size);
    this.bytes += size;
    return chunk;
  }

  private write(ref: number, source: Uint8Array, start: number, end: number): void {
    const chunk = this.chunks[ref >>> unitBits] as Uint8Array;
    const base = (ref & unitMask) << 3;
    if (end - start > 64) chunk.set(source.subarray(start, end), base);
    else for (let i = start; i < end; i++) chunk[base + i - start] = source[i] as number;
  }
}
