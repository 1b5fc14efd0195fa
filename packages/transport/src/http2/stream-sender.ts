import { allocateUnsafe } from '@quorate/base';
import { defaultWindowBytes, FrameFlag, FrameType, frameHeaderBytes, windowBytesMax } from './constants.ts';
import { writeFrameHeader } from './frame-writer.ts';
import type { Http2Connection } from './http2-connection.ts';
import type { Http2Stream } from './http2-stream.ts';
import { copyBytesMax, copyInto } from './output.ts';
import { QueueEnd, SendQueue } from './send-queue.ts';
import { slabBytes } from './slab-pool.ts';
import type { StreamBytes } from './stream-bytes.ts';

/** Bytes in front of a gRPC message: compressed flag and length. */
export const messagePrefixBytes = 5;

/** What one stream may send before the next one gets its turn. */
const quantumBytes = 64 * 1024;

/** Messages up to this size are copied straight into the slab. */
const directBytesMax = slabBytes / 2;

/** Writes the prefix of an uncompressed gRPC message; returns the position behind it. */
export function writeMessagePrefix(target: Uint8Array, position: number, length: number): number {
  target[position] = 0;
  target[position + 1] = length >>> 24;
  target[position + 2] = length >>> 16;
  target[position + 3] = length >>> 8;
  target[position + 4] = length;
  return position + messagePrefixBytes;
}

/** A copy of the first part of a message of `length` bytes, its prefix in front. */
function startOfMessage(length: number, source: Uint8Array, start: number, end: number): Uint8Array {
  const bytes = allocateUnsafe(messagePrefixBytes + end - start);
  copyInto(bytes, writeMessagePrefix(bytes, 0, length), source, start, end);
  return bytes;
}

/** Sends DATA within the peer's windows, and queues what does not fit (RFC 9113 section 5.2). */
export class StreamSender<S extends Http2Stream> {
  /** What the peer still takes on the whole connection. */
  window: number = defaultWindowBytes;
  /** Bytes that wait in the queues of streams that do not bound themselves. */
  queuedBytes = 0;
  /** The same of all other streams. */
  streamBytes = 0;
  private readonly connection: Http2Connection<S>;
  /** Of all connections together. */
  private readonly allStreamBytes: StreamBytes;
  /** Streams with queued bytes and stream window that wait for the connection's window or for the output, in turn. */
  private waiting: S[] = [];

  constructor(connection: Http2Connection<S>, allStreamBytes: StreamBytes) {
    this.connection = connection;
    this.allStreamBytes = allStreamBytes;
  }

  /** True when a message of `length` bytes may go out now, as one frame. */
  fits(stream: S, length: number): boolean {
    const payload = length + messagePrefixBytes;
    return (
      payload <= directBytesMax &&
      payload <= this.window &&
      payload <= stream.sendWindow &&
      payload <= this.connection.settings.frameBytesMax &&
      (stream.queue === null || stream.queue.bytes === 0)
    );
  }

  /** Sends or queues one message, copying it; with `last` it ends our side. */
  sendMessage(stream: S, source: Uint8Array, start: number, end: number, last: boolean): void {
    const length = end - start;
    if (this.fits(stream, length) && !this.outputFull()) {
      const { output } = this.connection;
      const position = this.startMessage(stream, length, length, last ? FrameFlag.endStream : 0);
      output.position = copyInto(output.slab, position, source, start, end);
      if (last) this.localEnd(stream);
      return;
    }
    this.push(stream, startOfMessage(length, source, start, end));
    if (last && stream.queue !== null) stream.queue.end = QueueEnd.endStream;
    this.pump(stream);
  }

  /** Sends or queues one message of two parts that nobody changes any more: what is small is copied, a large body goes by reference. */
  sendSharedMessage(stream: S, head: Uint8Array, body: Uint8Array): void {
    const length = head.length + body.length;
    if (this.fits(stream, length) && !this.outputFull()) {
      const { output } = this.connection;
      const isCopied = body.length <= copyBytesMax;
      const position = this.startMessage(stream, length, isCopied ? length : head.length, 0);
      output.position = copyInto(output.slab, position, head, 0, head.length);
      if (isCopied) output.position = copyInto(output.slab, output.position, body, 0, body.length);
      else output.reference(body);
      return;
    }
    this.push(stream, startOfMessage(length, head, 0, head.length));
    this.push(stream, body);
    this.pump(stream);
  }

  /** Sends or queues one message made of chunks that are ours from now on. */
  sendOwnedMessage(stream: S, chunks: readonly Uint8Array[]): void {
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    const prefix = allocateUnsafe(messagePrefixBytes);
    writeMessagePrefix(prefix, 0, length);
    this.push(stream, prefix);
    for (const chunk of chunks) this.push(stream, chunk);
    this.pump(stream);
  }

  /** Sends or queues raw body bytes that are ours from now on. */
  sendBody(stream: S, chunk: Uint8Array): void {
    this.push(stream, chunk);
    this.pump(stream);
  }

  /** Sends or queues raw body bytes that are ours from now on, at least one, and ends our side behind them. */
  sendFinalBody(stream: S, chunk: Uint8Array): void {
    this.push(stream, chunk);
    if (stream.queue !== null) stream.queue.end = QueueEnd.endStream;
    this.pump(stream);
  }

  /** Ends our side with END_STREAM on the last DATA frame. */
  endStream(stream: S): void {
    if (stream.localClosed) return;
    if (stream.queue !== null && stream.queue.bytes > 0) {
      stream.queue.end = QueueEnd.endStream;
      return;
    }
    this.sendEmptyEnd(stream);
  }

  /** Ends our side with trailers, behind what is queued. Returns false when nothing is queued: the caller sends them now. */
  queueTrailers(stream: S, code: number, message: string): boolean {
    const queue = stream.queue;
    if (queue === null || queue.bytes === 0) return false;
    queue.end = QueueEnd.trailers;
    queue.trailerCode = code;
    queue.trailerMessage = message;
    return true;
  }

  /** Forgets what a stream had queued. */
  discard(stream: S): void {
    const queue = stream.queue;
    if (queue === null) return;
    this.count(stream, -queue.bytes);
    queue.clear();
    stream.queue = null;
    this.connection.onQueueShrunk();
  }

  /** The peer's WINDOW_UPDATE for the connection; false when it makes the window too large. */
  creditConnection(increment: number): boolean {
    this.window += increment;
    if (this.window > windowBytesMax) return false;
    this.pumpWaiting();
    return true;
  }

  /** The peer's WINDOW_UPDATE for a stream; false when it makes the window too large. */
  creditStream(stream: S, increment: number): boolean {
    stream.sendWindow += increment;
    if (stream.sendWindow > windowBytesMax) return false;
    this.pump(stream);
    return true;
  }

  /** The peer changed its initial window by `delta`; false when that makes a window too large. */
  adjustWindows(streams: readonly S[], delta: number): boolean {
    for (const stream of streams) {
      stream.sendWindow += delta;
      if (stream.sendWindow > windowBytesMax) return false;
    }
    if (delta > 0) for (const stream of streams) this.pump(stream);
    return true;
  }

  /** Lets every waiting stream have its turn, as long as window and output allow. */
  pumpWaiting(): void {
    while (this.waiting.length > 0 && this.window > 0 && !this.outputFull()) {
      const turn = this.waiting;
      this.waiting = [];
      for (const stream of turn) {
        stream.waiting = false;
        this.pump(stream);
      }
    }
  }

  /** Begins the one frame of a message that {@link fits}, `copied` bytes of which go into the slab behind the position returned. */
  private startMessage(stream: S, length: number, copied: number, flags: number): number {
    const { output } = this.connection;
    const payload = length + messagePrefixBytes;
    const position = output.reserve(frameHeaderBytes + messagePrefixBytes + copied);
    const behind = writeFrameHeader(output.slab, position, payload, FrameType.data, flags, stream.id);
    this.window -= payload;
    stream.sendWindow -= payload;
    this.connection.onDataFrameSent();
    this.connection.touch();
    return writeMessagePrefix(output.slab, behind, length);
  }

  private outputFull(): boolean {
    return this.connection.output.gatheredBytes >= this.connection.limits.outputBytesMax;
  }

  private push(stream: S, chunk: Uint8Array): void {
    if (stream.queue === null) stream.queue = new SendQueue();
    if (stream.queue.bytes === 0) stream.queue.progressMs = this.connection.clock.nowMs();
    stream.queue.push(chunk);
    this.count(stream, chunk.length);
  }

  private count(stream: S, bytes: number): void {
    if (!stream.boundsItself) {
      this.queuedBytes += bytes;
      return;
    }
    this.streamBytes += bytes;
    this.allStreamBytes.queued += bytes;
  }

  private pump(stream: S): void {
    const queue = stream.queue;
    if (!this.connection.isOpen) return;
    if (queue === null || queue.bytes === 0) {
      // It may be waiting for window alone.
      stream.onDrained(0);
      return;
    }
    let sent = 0;
    while (queue.bytes > 0 && stream.sendWindow > 0) {
      if (this.window <= 0 || sent >= quantumBytes || this.outputFull()) {
        this.wait(stream);
        break;
      }
      sent += this.sendFrame(stream, queue);
    }
    if (sent === 0) return;
    queue.progressMs = this.connection.clock.nowMs();
    this.connection.touch();
    if (queue.bytes === 0) {
      if (queue.end === QueueEnd.trailers) this.connection.sendQueuedTrailers(stream);
      else if (queue.end === QueueEnd.endStream) this.localEnd(stream);
    }
    stream.onDrained(queue.bytes);
    this.connection.onQueueShrunk();
  }

  private sendFrame(stream: S, queue: SendQueue): number {
    const length = Math.min(queue.bytes, stream.sendWindow, this.window, this.connection.settings.frameBytesMax);
    const last = length === queue.bytes && queue.end === QueueEnd.endStream;
    const output = this.connection.output;
    const position = output.reserve(frameHeaderBytes);
    const flags = last ? FrameFlag.endStream : 0;
    output.position = writeFrameHeader(output.slab, position, length, FrameType.data, flags, stream.id);
    queue.moveTo(output, length);
    this.count(stream, -length);
    this.window -= length;
    stream.sendWindow -= length;
    this.connection.onDataFrameSent();
    return length;
  }

  private sendEmptyEnd(stream: S): void {
    const output = this.connection.output;
    const position = output.reserve(frameHeaderBytes);
    output.position = writeFrameHeader(output.slab, position, 0, FrameType.data, FrameFlag.endStream, stream.id);
    this.connection.touch();
    this.localEnd(stream);
  }

  private localEnd(stream: S): void {
    stream.localClosed = true;
    this.connection.onLocalEnd(stream);
  }

  private wait(stream: S): void {
    if (stream.waiting) return;
    stream.waiting = true;
    this.waiting.push(stream);
  }
}
