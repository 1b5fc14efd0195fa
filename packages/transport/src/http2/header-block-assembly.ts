import { allocateUnsafe, emptyBytes } from '@quorate/base';
import type { Http2Limits } from './limits.ts';

/** Puts together a header block that came in HEADERS and CONTINUATION frames (RFC 9113 section 6.10). */
export class HeaderBlockAssembly {
  /** The stream whose block is under way, or 0. */
  streamId = 0;
  endStream = false;
  malformed = false;
  private block: Uint8Array = emptyBytes;
  private length = 0;
  private continuations = 0;
  private readonly limits: Http2Limits;

  constructor(limits: Http2Limits) {
    this.limits = limits;
  }

  /** Takes a first fragment; false when it exceeds the limit. */
  begin(
    streamId: number,
    endStream: boolean,
    malformed: boolean,
    source: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    this.streamId = streamId;
    this.endStream = endStream;
    this.malformed = malformed;
    this.length = 0;
    this.continuations = -1;
    return this.append(source, start, end);
  }

  /** Takes a further fragment; false when there are too many or too much. */
  append(source: Uint8Array, start: number, end: number): boolean {
    this.continuations++;
    const size = this.length + end - start;
    if (this.continuations > this.limits.continuationsMax || size > this.limits.headerBlockBytesMax) return false;
    if (size > this.block.length) {
      const larger = allocateUnsafe(Math.max(size, this.block.length * 2));
      larger.set(this.block.subarray(0, this.length));
      this.block = larger;
    }
    this.block.set(source.subarray(start, end), this.length);
    this.length = size;
    return true;
  }

  /** The complete block; nothing is under way any more. */
  take(): Uint8Array {
    const whole = this.block.subarray(0, this.length);
    this.streamId = 0;
    this.block = emptyBytes;
    return whole;
  }
}
