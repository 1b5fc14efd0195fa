import { allocateUnsafe, copyBytes, readUint64BE } from '@quorate/base';
import { badMessage } from './bad-message.ts';

/** One frame, at `[start, end)` of memory that nobody changes after. */
export type FrameHandler = (bytes: Uint8Array, start: number, end: number) => void;

const lengthSize = 8;
/** Chunks that are taken and still in the array. */
const headMax = 1024;

/**
 * Cuts what comes in chunks of any size into bytes, integers and frames of a length (u64 big-endian) and as many bytes.
 *
 * What frames hold is kept for long (entries in the log), the chunks are slabs of a socket: so frames are copied, each byte once. All
 * frames that lie in one chunk are copied together, since memory of its own costs more than the copy; a frame that spans chunks is put
 * together when its last byte is there.
 */
export class FrameQueue {
  private readonly frameBytesMax: number;
  private readonly chunks: Uint8Array[] = [];
  /** Index of the first chunk that is not taken as a whole; those before it are let go of in bulk. */
  private head = 0;
  /** Bytes of the chunk at `head` that are taken. */
  private taken = 0;
  private bytes = 0;

  constructor(frameBytesMax: number) {
    this.frameBytesMax = frameBytesMax;
  }

  /** The chunk may be reused once all frames in it are taken; one that ends inside a frame is held until then. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** -1 when there is none yet. */
  takeByte(): number {
    const chunk = this.chunks[this.head];
    if (chunk === undefined) return -1;
    const byte = chunk[this.taken] as number;
    this.drop(1);
    return byte;
  }

  /** -1 when it is not all there yet. @throws BadMessage above the safe integers */
  takeUint64(): number {
    if (this.bytes < lengthSize) return -1;
    const value = this.peekUint64();
    this.drop(lengthSize);
    return value;
  }

  /** Hands out at most `countMax` frames that are complete; returns how many. @throws BadMessage for one above the limit */
  takeFrames(countMax: number, handle: FrameHandler): number {
    let count = 0;
    while (count < countMax) {
      const inChunk = this.takeFramesOfChunk(countMax - count, handle);
      count += inChunk;
      if (inChunk === 0) {
        if (!this.takeSpanningFrame(handle)) break;
        count++;
      }
    }
    return count;
  }

  /** Those that lie in the first chunk as a whole. */
  private takeFramesOfChunk(countMax: number, handle: FrameHandler): number {
    const chunk = this.chunks[this.head];
    if (chunk === undefined) return 0;
    let end = this.taken;
    let count = 0;
    while (count < countMax && chunk.length - end >= lengthSize) {
      const next = end + lengthSize + this.checkLength(readUint64BE(chunk, end));
      if (next > chunk.length) break;
      end = next;
      count++;
    }
    if (count === 0) return 0;
    const copy = copyBytes(chunk, this.taken, end);
    this.drop(copy.length);
    for (let start = 0; start < copy.length; ) {
      const next = start + lengthSize + readUint64BE(copy, start);
      handle(copy, start + lengthSize, next);
      start = next;
    }
    return count;
  }

  private takeSpanningFrame(handle: FrameHandler): boolean {
    if (this.bytes < lengthSize) return false;
    const length = this.checkLength(this.peekUint64());
    if (this.bytes < lengthSize + length) return false;
    this.drop(lengthSize);
    const frame = allocateUnsafe(length);
    for (let position = 0; position < length; ) {
      const chunk = this.chunks[this.head] as Uint8Array;
      const part = chunk.subarray(this.taken, this.taken + length - position);
      frame.set(part, position);
      position += part.length;
      this.drop(part.length);
    }
    handle(frame, 0, length);
    return true;
  }

  private checkLength(length: number): number {
    if (!(length <= this.frameBytesMax)) throw badMessage(`frame of more than ${this.frameBytesMax} bytes`);
    return length;
  }

  /** The next integer, which is all there. */
  private peekUint64(): number {
    let value = 0;
    let at = this.taken;
    let i = this.head;
    for (let read = 0; read < lengthSize; read++, at++) {
      let chunk = this.chunks[i] as Uint8Array;
      while (at >= chunk.length) {
        at -= chunk.length;
        chunk = this.chunks[++i] as Uint8Array;
      }
      value = value * 256 + (chunk[at] as number);
    }
    if (!Number.isSafeInteger(value)) throw badMessage('integer above 2^53');
    return value;
  }

  private drop(count: number): void {
    const { chunks } = this;
    this.bytes -= count;
    this.taken += count;
    while (this.head < chunks.length && this.taken >= (chunks[this.head] as Uint8Array).length) {
      this.taken -= (chunks[this.head] as Uint8Array).length;
      this.head++;
    }
    if (this.head === chunks.length || this.head > headMax) {
      chunks.splice(0, this.head);
      this.head = 0;
    }
  }
}
