import { allocateUnsafe, emptyBytes } from '@quorate/base';
import type { ByteStream } from './byte-stream.ts';
import { type SlabPool, slabBytes } from './slab-pool.ts';

/** Payloads from this size on travel by reference when their owner gave them away; smaller ones are cheaper to copy. */
export const copyBytesMax = 2048;

/** Copies of at most this many bytes go faster byte by byte than through `set`. */
const loopCopyBytesMax = 64;

/** Copies `source[start, end)` to `position`; returns the position behind it. */
export function copyInto(target: Uint8Array, position: number, source: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length <= loopCopyBytesMax) {
    for (let i = 0; i < length; i++) target[position + i] = source[start + i] as number;
  } else {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), position);
  }
  return position + length;
}

/**
 * Gathers what a connection sends. Small things are written one behind the other into a slab, large ones hang in between by reference;
 * one `ByteStream.write` takes it all.
 *
 *     chunks: [slab part][large][slab part][large] + the open part slab[segmentStart, position)
 */
export class Output {
  /** The open slab; write to it only between `reserve` and the matching `position` update. */
  slab: Uint8Array = emptyBytes;
  /** Where the next byte goes. */
  position = 0;
  /** Bytes handed to the stream and not yet reported written. */
  inFlightBytes = 0;
  writing = false;
  /** Total bytes ever handed to the stream. */
  writtenBytes = 0;
  private segmentStart = 0;
  private chunks: Uint8Array[] = [];
  private chunkBytes = 0;
  private fullSlabs: Uint8Array[] = [];
  private inFlightSlabs: Uint8Array[] = [];
  private readonly pool: SlabPool;

  constructor(pool: SlabPool) {
    this.pool = pool;
  }

  /** Bytes gathered since the last flush. */
  get gatheredBytes(): number {
    return this.chunkBytes + this.position - this.segmentStart;
  }

  get isEmpty(): boolean {
    return this.position === this.segmentStart && this.chunkBytes === 0;
  }

  /** Makes room for `size` contiguous bytes (at most a slab's) in `slab` and returns `position`; the caller writes them and advances it. */
  reserve(size: number): number {
    if (this.position + size > this.slab.length) this.nextSlab();
    return this.position;
  }

  /** Copies the bytes, whatever their size. */
  copy(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length <= slabBytes) {
      const position = this.reserve(length);
      this.position = copyInto(this.slab, position, source, start, end);
      return;
    }
    const owned = allocateUnsafe(length);
    owned.set(source.subarray(start, end));
    this.reference(owned);
  }

  /** Takes over `chunk`: its memory must not change any more. */
  reference(chunk: Uint8Array): void {
    this.closeSegment();
    this.chunks.push(chunk);
    this.chunkBytes += chunk.length;
  }

  /** Hands all to the stream unless a write is still under way or there is nothing. */
  flush(stream: ByteStream): void {
    if (this.writing || this.isEmpty) return;
    this.closeSegment();
    const chunks = this.chunks;
    this.inFlightBytes = this.chunkBytes;
    this.writtenBytes += this.chunkBytes;
    this.inFlightSlabs = this.fullSlabs;
    this.inFlightSlabs.push(this.slab);
    this.fullSlabs = [];
    this.chunks = [];
    this.chunkBytes = 0;
    this.slab = emptyBytes;
    this.position = 0;
    this.segmentStart = 0;
    this.writing = true;
    stream.write(chunks);
  }

  /** The write is done: its slabs may be used again. */
  written(): void {
    this.writing = false;
    this.inFlightBytes = 0;
    const slabs = this.inFlightSlabs;
    for (let i = 0; i < slabs.length; i++) {
      const slab = slabs[i] as Uint8Array;
      if (slab.length === slabBytes) this.pool.give(slab);
    }
    slabs.length = 0;
  }

  private closeSegment(): void {
    if (this.position === this.segmentStart) return;
    const part = this.slab.subarray(this.segmentStart, this.position);
    this.chunkBytes += part.length;
    this.chunks.push(part);
    this.segmentStart = this.position;
  }

  private nextSlab(): void {
    this.closeSegment();
    if (this.slab.length > 0) this.fullSlabs.push(this.slab);
    this.slab = this.pool.take();
    this.position = 0;
    this.segmentStart = 0;
  }
}
