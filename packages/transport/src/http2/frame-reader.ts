import { allocateUnsafe, emptyBytes } from '@quorate/base';
import { frameHeaderBytes } from './constants.ts';

/** Takes complete frames. */
export interface FrameSink {
  /** The payload is `source[start, end)`, valid during the call. Returns false when no further frame is wanted: the connection is over. */
  onFrame(type: number, flags: number, streamId: number, source: Uint8Array, start: number, end: number): boolean;
  /** A frame says it is larger than allowed. */
  onOversizedFrame(length: number): void;
}

/**
 * Cuts received bytes into frames (RFC 9113 section 4.1), in place. Only a frame that spans two chunks is copied.
 *
 *     | length 24 | type 8 | flags 8 | reserved 1, stream id 31 | payload ... |
 */
export class FrameReader {
  /** Payload bytes that a frame may have. */
  readonly frameBytesMax: number;
  /** In the chunk that is being read: behind the current frame. A sink may move it on over frames that it took by itself. */
  cursor = 0;
  /** The end of that chunk; 0 while a frame from the carry is handled. */
  chunkEnd = 0;
  private readonly sink: FrameSink;
  private carry: Uint8Array = emptyBytes;
  private carryLength = 0;

  constructor(sink: FrameSink, frameBytesMax: number) {
    this.sink = sink;
    this.frameBytesMax = frameBytesMax;
  }

  push(chunk: Uint8Array, start: number): void {
    let position = start;
    if (this.carryLength > 0) {
      position = this.completeCarry(chunk, position);
      if (position < 0) return;
    }
    const end = chunk.length;
    while (end - position >= frameHeaderBytes) {
      const length =
        ((chunk[position] as number) << 16) | ((chunk[position + 1] as number) << 8) | (chunk[position + 2] as number);
      if (length > this.frameBytesMax) {
        this.sink.onOversizedFrame(length);
        return;
      }
      const payload = position + frameHeaderBytes;
      const next = payload + length;
      if (next > end) break;
      this.cursor = next;
      this.chunkEnd = end;
      const streamId =
        (((chunk[position + 5] as number) & 0x7f) << 24) |
        ((chunk[position + 6] as number) << 16) |
        ((chunk[position + 7] as number) << 8) |
        (chunk[position + 8] as number);
      const type = chunk[position + 3] as number;
      if (!this.sink.onFrame(type, chunk[position + 4] as number, streamId, chunk, payload, next)) return;
      position = this.cursor;
    }
    if (position < end) this.save(chunk, position, end);
  }

  private save(chunk: Uint8Array, start: number, end: number): void {
    this.ensure(end - start);
    this.carry.set(chunk.subarray(start, end), this.carryLength);
    this.carryLength += end - start;
  }

  private ensure(more: number): void {
    const size = this.carryLength + more;
    if (size <= this.carry.length) return;
    const larger = allocateUnsafe(
      Math.max(size, Math.min(this.carry.length * 2, frameHeaderBytes + this.frameBytesMax)),
    );
    larger.set(this.carry.subarray(0, this.carryLength));
    this.carry = larger;
  }

  /** Fills up the frame begun in the carry and delivers it. Returns where the chunk goes on, or -1 when it is used up or all is over. */
  private completeCarry(chunk: Uint8Array, start: number): number {
    let position = start;
    if (this.carryLength < frameHeaderBytes) {
      const taken = Math.min(frameHeaderBytes - this.carryLength, chunk.length - position);
      this.save(chunk, position, position + taken);
      position += taken;
      if (this.carryLength < frameHeaderBytes) return -1;
    }
    const header = this.carry;
    const length = ((header[0] as number) << 16) | ((header[1] as number) << 8) | (header[2] as number);
    if (length > this.frameBytesMax) {
      this.sink.onOversizedFrame(length);
      return -1;
    }
    const whole = frameHeaderBytes + length;
    const taken = Math.min(whole - this.carryLength, chunk.length - position);
    this.save(chunk, position, position + taken);
    position += taken;
    if (this.carryLength < whole) return -1;
    const carry = this.carry;
    this.carryLength = 0;
    this.chunkEnd = 0;
    const streamId =
      (((carry[5] as number) & 0x7f) << 24) |
      ((carry[6] as number) << 16) |
      ((carry[7] as number) << 8) |
      (carry[8] as number);
    const type = carry[3] as number;
    return this.sink.onFrame(type, carry[4] as number, streamId, carry, frameHeaderBytes, whole) ? position : -1;
  }
}
