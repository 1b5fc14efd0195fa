import { copyBytesMax, type Output } from './output.ts';

/** How a stream's queue ends. */
export const QueueEnd = {
  /** More may come. */
  open: 0,
  /** The last DATA frame carries END_STREAM. */
  endStream: 1,
  /** A HEADERS frame with the trailers follows the data. */
  trailers: 2,
} as const;

/** Bytes of one stream that wait for flow control, in order. */
export class SendQueue {
  bytes = 0;
  end: number = QueueEnd.open;
  /** When bytes last went out, or began to wait, on the clock. */
  progressMs = 0;
  /** Status of the trailers that end the queue. */
  trailerCode = 0;
  trailerMessage = '';
  private chunks: Uint8Array[] = [];
  private first = 0;
  /** Where in the first chunk the rest begins. */
  private offset = 0;

  /** Appends without copying: the queue owns `chunk` from now on. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** Moves exactly `length` bytes, of those that wait, to the output. */
  moveTo(output: Output, length: number): void {
    let rest = length;
    this.bytes -= length;
    while (rest > 0) {
      const chunk = this.chunks[this.first] as Uint8Array;
      const available = chunk.length - this.offset;
      const taken = Math.min(available, rest);
      if (taken <= copyBytesMax) output.copy(chunk, this.offset, this.offset + taken);
      else output.reference(chunk.subarray(this.offset, this.offset + taken));
      rest -= taken;
      if (taken === available) this.dropFirst();
      else this.offset += taken;
    }
  }

  clear(): void {
    this.chunks = [];
    this.first = 0;
    this.offset = 0;
    this.bytes = 0;
  }

  private dropFirst(): void {
    this.offset = 0;
    this.first++;
    if (this.first === this.chunks.length) {
      this.chunks.length = 0;
      this.first = 0;
    } else if (this.first >= 32 && this.first * 2 >= this.chunks.length) {
      this.chunks.splice(0, this.first);
      this.first = 0;
    }
  }
}
