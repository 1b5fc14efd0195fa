import { allocateUnsafe, emptyBytes } from '@quorate/base';
import { messagePrefixBytes } from '../http2/stream-sender.ts';

/** First allocation for a message that comes in parts: its declared length is believed only as bytes arrive. */
const firstBufferBytes = 16_384;

/** What a {@link MessageReader} found. */
export const ReadResult = {
  /** All input is used; no message is complete. */
  needMore: 0,
  /** A message is in `message`. */
  message: 1,
  /** The declared length (in `length`) exceeds the limit. */
  tooLarge: 2,
  /** The first byte is neither 0 nor 1. */
  badFlag: 3,
} as const;

/**
 * Cuts a stream's body into gRPC messages. A message that lies in one piece is handed out as a view; others are put together.
 *
 *     | compressed 8 | length 32 | message ... |
 */
export class MessageReader {
  /** The message found: a view on the input, or a buffer of its own (`owned`). */
  message: Uint8Array = emptyBytes;
  /** True when nobody else holds `message`'s memory. */
  owned = false;
  compressed = false;
  /** Declared length of the message last begun. */
  length = 0;
  /** Where in the input {@link read} stopped. */
  position = 0;
  private readonly messageBytesMax: number;
  private prefixLength = 0;
  private flag = 0;
  private buffer: Uint8Array = emptyBytes;
  private filled = 0;

  constructor(messageBytesMax: number) {
    this.messageBytesMax = messageBytesMax;
  }

  /** Bytes held of the message under way. */
  get bufferedBytes(): number {
    return this.buffer.length;
  }

  /** True between messages. */
  get isIdle(): boolean {
    return this.prefixLength === 0;
  }

  /** Reads up to the end of one message from `source[start, end)`; call again from `position` after a message. */
  read(source: Uint8Array, start: number, end: number): number {
    let position = start;
    while (this.prefixLength < messagePrefixBytes) {
      if (position === end) {
        this.position = position;
        return ReadResult.needMore;
      }
      const byte = source[position++] as number;
      if (this.prefixLength === 0) {
        this.flag = byte;
        this.length = 0;
        if (byte > 1) return ReadResult.badFlag;
      } else {
        this.length = this.length * 256 + byte;
      }
      this.prefixLength++;
    }
    if (this.length > this.messageBytesMax) return ReadResult.tooLarge;
    if (this.filled === 0 && end - position >= this.length) {
      this.message = source.subarray(position, position + this.length);
      this.owned = false;
      this.position = position + this.length;
      return this.found();
    }
    const taken = Math.min(end - position, this.length - this.filled);
    this.append(source, position, position + taken);
    this.position = position + taken;
    if (this.filled < this.length) return ReadResult.needMore;
    this.message = this.filled === this.buffer.length ? this.buffer : this.buffer.subarray(0, this.filled);
    this.owned = true;
    return this.found();
  }

  private found(): number {
    this.compressed = this.flag === 1;
    this.prefixLength = 0;
    this.filled = 0;
    this.buffer = emptyBytes;
    return ReadResult.message;
  }

  private append(source: Uint8Array, start: number, end: number): void {
    const size = this.filled + end - start;
    if (size > this.buffer.length) {
      const target = Math.min(this.length, Math.max(size, this.buffer.length * 2, firstBufferBytes));
      const larger = allocateUnsafe(target);
      larger.set(this.buffer.subarray(0, this.filled));
      this.buffer = larger;
    }
    this.buffer.set(source.subarray(start, end), this.filled);
    this.filled = size;
  }
}
