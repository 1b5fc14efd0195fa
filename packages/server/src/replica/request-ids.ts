import { assertCount } from '@quorate/base';

/**
 * Ids of proposals, unique over the cluster and over restarts, in etcd's form:
 *
 * ```
 * | 2 bytes: member id | 6 bytes: start time in ms × 256, counted up |
 * ```
 *
 * An id never exists as one number on the way of a put: it is two 32-bit halves, and `sequence` (counted from 0) is what
 * waiting calls are kept under.
 */
export class RequestIds {
  private readonly prefix: number;
  private readonly start: number;
  private next = 0;

  constructor(memberId: bigint, wallMs: number) {
    assertCount(Math.floor(wallMs), 'wall clock');
    this.prefix = Number(memberId & 0xffffn);
    this.start = (Math.floor(wallMs) % 2 ** 40) * 256;
  }

  /** The sequence of a new id. */
  take(): number {
    return this.next++;
  }

  /** The upper 32 bits of the id. */
  high(sequence: number): number {
    return ((this.prefix << 16) | (Math.floor((this.start + sequence) / 2 ** 32) & 0xffff)) >>> 0;
  }

  /** The lower 32 bits of the id. */
  low(sequence: number): number {
    return (this.start + sequence) % 2 ** 32;
  }

  /** The sequence behind an id of this instance; -1 for an id of another member or another life of this one. */
  sequenceOf(high: number, low: number): number {
    if (high >>> 16 !== this.prefix) return -1;
    const sequence = (high & 0xffff) * 2 ** 32 + low - this.start;
    return sequence >= 0 && sequence < this.next ? sequence : -1;
  }

  /** The id as 8 bytes, upper ones first. */
  toBytes(sequence: number): Uint8Array {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.high(sequence));
    view.setUint32(4, this.low(sequence));
    return bytes;
  }

  /** The sequence behind what {@link toBytes} made; -1 for anything else. */
  sequenceOfBytes(bytes: Uint8Array): number {
    if (bytes.length !== 8) return -1;
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    return this.sequenceOf(view.getUint32(0), view.getUint32(4));
  }
}
