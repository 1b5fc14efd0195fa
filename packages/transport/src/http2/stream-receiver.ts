import { readUint32BE } from '@quorate/base';
import { defaultWindowBytes, FrameFlag, FrameType, frameHeaderBytes, Http2Code, windowBytesMax } from './constants.ts';
import { FloodKind } from './flood-guard.ts';
import type { FrameReader } from './frame-reader.ts';
import { sendWindowUpdate } from './frame-writer.ts';
import type { Http2Connection } from './http2-connection.ts';
import type { Http2Stream } from './http2-stream.ts';

/** Takes DATA within the windows that the peer was given, and gives it new ones (RFC 9113 section 5.2). */
export class StreamReceiver<S extends Http2Stream> {
  /** Bytes of messages that are not complete or wait to be served, over all streams. */
  unfinishedBytes = 0;
  private readonly connection: Http2Connection<S>;
  private readonly reader: FrameReader;
  /** What the peer may still send on the whole connection. */
  private window: number;
  private uncreditedBytes = 0;

  constructor(connection: Http2Connection<S>, reader: FrameReader) {
    this.connection = connection;
    this.reader = reader;
    this.window = Math.max(connection.limits.connectionWindowBytes, defaultWindowBytes);
  }

  onDataFrame(flags: number, streamId: number, source: Uint8Array, from: number, to: number): void {
    const { connection } = this;
    if (streamId === 0) {
      connection.violation('DATA on stream 0');
      return;
    }
    const length = to - from;
    this.window -= length;
    if (this.window < 0) {
      connection.connectionError(Http2Code.flowControlError, 'connection window exceeded');
      return;
    }
    this.uncreditedBytes += length;
    if (this.uncreditedBytes * 2 >= connection.limits.connectionWindowBytes) this.creditConnection();
    let start = from;
    let end = to;
    if ((flags & FrameFlag.padded) !== 0) {
      if (length === 0) {
        connection.wrongSize('DATA');
        return;
      }
      start++;
      end -= source[from] as number;
      if (start > end) {
        connection.violation('padding exceeds the frame');
        return;
      }
    }
    const stream = connection.streams.get(streamId);
    if (stream === undefined) {
      connection.onDataForClosed(streamId);
      return;
    }
    if (stream.remoteClosed) {
      connection.streamError(streamId, stream, Http2Code.streamClosed);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      connection.streamError(streamId, stream, Http2Code.flowControlError);
      return;
    }
    this.onStreamData(stream, length, (flags & FrameFlag.endStream) !== 0, source, start, end);
  }

  private onStreamData(
    stream: S,
    length: number,
    ended: boolean,
    source: Uint8Array,
    start: number,
    end: number,
  ): void {
    stream.receivedBytes += end - start;
    if (!ended) {
      stream.uncreditedBytes += length;
      if (start === end) {
        this.connection.countFlood(FloodKind.emptyData, 'empty DATA frames');
        return;
      }
    } else {
      if (stream.expectedBytes >= 0 && stream.expectedBytes !== stream.receivedBytes) {
        this.connection.streamError(stream.id, stream, Http2Code.protocolError);
        return;
      }
      stream.remoteClosed = true;
    }
    stream.onBody(source, start, end, ended);
    if (!ended && !stream.readingPaused && stream.uncreditedBytes * 2 >= this.connection.limits.streamWindowBytes) {
      this.creditStream(stream);
    }
  }

  /**
   * When the frame behind the current DATA frame is the empty DATA frame that ends the same stream, takes it too and returns true.
   * Clients that half-close with a frame of its own thus cost no copy of the message.
   */
  takeEmptyEnd(stream: S, source: Uint8Array): boolean {
    const position = this.reader.cursor;
    if (position + frameHeaderBytes > this.reader.chunkEnd || stream.expectedBytes >= 0) return false;
    const flags = source[position + 4] as number;
    if (
      ((source[position] as number) | (source[position + 1] as number) | (source[position + 2] as number)) !== 0 ||
      source[position + 3] !== FrameType.data ||
      flags !== FrameFlag.endStream ||
      (readUint32BE(source, position + 5) & windowBytesMax) !== stream.id
    ) {
      return false;
    }
    this.reader.cursor = position + frameHeaderBytes;
    stream.remoteClosed = true;
    return true;
  }

  /** Lets the peer send as many bytes more on the stream as it has sent. */
  creditStream(stream: S): void {
    const { connection } = this;
    if (stream.remoteClosed || stream.uncreditedBytes === 0 || !connection.isOpen) return;
    stream.receiveWindow += stream.uncreditedBytes;
    sendWindowUpdate(connection.output, stream.id, stream.uncreditedBytes);
    stream.uncreditedBytes = 0;
    connection.touch();
  }

  private creditConnection(): void {
    this.window += this.uncreditedBytes;
    sendWindowUpdate(this.connection.output, 0, this.uncreditedBytes);
    this.uncreditedBytes = 0;
    this.connection.touch();
  }

  /** Notes how many bytes of an unfinished message the stream holds. */
  accountUnfinished(stream: S, bytes: number): void {
    if (bytes === stream.unfinishedBytes) return;
    this.unfinishedBytes += bytes - stream.unfinishedBytes;
    stream.unfinishedBytes = bytes;
    if (this.unfinishedBytes > this.connection.limits.unfinishedBytesMax) {
      this.connection.connectionError(Http2Code.enhanceYourCalm, 'too many bytes of unfinished messages');
    }
  }
}
