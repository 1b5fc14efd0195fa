import { readUint32BE, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import type { HeaderField } from '../hpack/header-field.ts';
import { HpackDecoder } from '../hpack/hpack-decoder.ts';
import type { ByteStream } from './byte-stream.ts';
import { ConnectionCore, type Http2Deps } from './connection-core.ts';
import { defaultWindowBytes, FrameFlag, FrameType, Http2Code, SettingId, windowBytesMax } from './constants.ts';
import { FloodGuard, FloodKind } from './flood-guard.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { sendGoaway, sendPing, sendReset, sendSettings, sendSettingsAck, sendWindowUpdate } from './frame-writer.ts';
import { HeaderBlockAssembly } from './header-block-assembly.ts';
import type { Http2Stream } from './http2-stream.ts';
import type { Http2Limits } from './limits.ts';
import { PeerSettings } from './peer-settings.ts';
import { RecentIds } from './recent-ids.ts';
import { StreamReceiver } from './stream-receiver.ts';
import { StreamSender } from './stream-sender.ts';
import { StreamTable } from './stream-table.ts';

const noBytes = utf8ToBytes('');

/**
 * One HTTP/2 connection (RFC 9113), the part that servers and clients share: frames, settings, flow control both ways, pings, errors,
 * limits. What a stream is for is the business of the subclass.
 */
export abstract class Http2Connection<S extends Http2Stream> extends ConnectionCore implements FrameSink {
  readonly streams = new StreamTable<S>();
  readonly settings = new PeerSettings();
  readonly sender: StreamSender<S>;
  readonly receiver: StreamReceiver<S>;
  protected readonly decoder: HpackDecoder;
  protected readonly fields: HeaderField[] = [];
  protected readonly reader: FrameReader;
  protected readonly guard: FloodGuard;
  private readonly assembly: HeaderBlockAssembly;
  private readonly recent = new RecentIds();

  constructor(deps: Http2Deps, stream: ByteStream, limits: Http2Limits) {
    super(deps, stream, limits);
    this.sender = new StreamSender(this, deps.streamBytes);
    this.decoder = new HpackDecoder(limits.headerTableBytes, limits.headerListBytesMax);
    this.reader = new FrameReader(this, limits.frameBytesMax);
    this.assembly = new HeaderBlockAssembly(limits);
    this.guard = new FloodGuard(deps.clock, limits.floodWindowMs, [
      limits.resetsMax,
      limits.streamErrorsMax,
      limits.settingsMax,
      limits.pingsMax,
      limits.prioritiesMax,
      limits.windowUpdatesMax,
      limits.emptyDataMax,
      limits.unknownFramesMax,
    ]);
    this.receiver = new StreamReceiver(this, this.reader);
  }

  /** A complete header block: decode it whatever it is for, the table must follow. `malformed`: answer with a stream error. */
  protected abstract onHeaderBlock(
    streamId: number,
    endStream: boolean,
    malformed: boolean,
    source: Uint8Array,
    start: number,
    end: number,
  ): void;

  /** Sends the trailers that end a queue, or for a client fails. */
  abstract sendQueuedTrailers(stream: S): void;

  /** We have sent END_STREAM on the stream; nothing else waits. */
  abstract onLocalEnd(stream: S): void;

  /** Something that was queued has gone out or was given up. */
  onQueueShrunk(): void {}

  /** True for ids that the peer has not used yet: frames for them break the protocol. */
  protected abstract isIdle(streamId: number): boolean;

  protected abstract onPing(): void;
  protected abstract onPingAck(): void;
  protected abstract onGoaway(lastStreamId: number, code: number, debug: string): void;
  /** The peer's first SETTINGS have come, or later ones. */
  protected abstract onSettings(): void;
  /** The stream has left the table. */
  protected abstract onStreamRemoved(stream: S): void;

  /** Feeds bytes behind the client's preface. */
  override onData(chunk: Uint8Array): void {
    this.receive(chunk, 0);
  }

  protected receive(chunk: Uint8Array, start: number): void {
    if (!this.isOpen) return;
    this.lastReadMs = this.clock.nowMs();
    this.reader.push(chunk, start);
    this.checkOutput();
  }

  protected override pumpWaiting(): void {
    this.sender.pumpWaiting();
  }

  protected override abortStreams(): void {
    for (const stream of this.streams.values()) {
      stream.localClosed = true;
      stream.remoteClosed = true;
      this.streams.delete(stream.id);
      this.sender.discard(stream);
      stream.onAborted(-1);
    }
  }

  /** RST_STREAM, and the stream is forgotten. The caller tells whoever waits for it. */
  resetStream(stream: S, code: number): void {
    if (!this.isOpen || (stream.localClosed && stream.remoteClosed)) return;
    stream.localClosed = true;
    stream.remoteClosed = true;
    this.recent.add(stream.id, true);
    sendReset(this.output, stream.id, code);
    this.touch();
    this.drop(stream);
  }

  /** Takes a stream that is closed on both sides out of the table. */
  remove(stream: S): void {
    this.recent.add(stream.id, false);
    this.drop(stream);
  }

  private drop(stream: S): void {
    this.streams.delete(stream.id);
    this.sender.discard(stream);
    this.receiver.accountUnfinished(stream, 0);
    this.onStreamRemoved(stream);
  }

  onOversizedFrame(length: number): void {
    this.connectionError(Http2Code.frameSizeError, `frame of ${length} bytes`);
  }

  onFrame(type: number, flags: number, streamId: number, source: Uint8Array, start: number, end: number): boolean {
    if (this.assembly.streamId !== 0 && (type !== FrameType.continuation || streamId !== this.assembly.streamId)) {
      return this.violation('expected CONTINUATION');
    }
    if (!this.sawSettings && (type !== FrameType.settings || (flags & FrameFlag.ack) !== 0)) {
      return this.violation('expected SETTINGS');
    }
    switch (type) {
      case FrameType.data:
        this.receiver.onDataFrame(flags, streamId, source, start, end);
        break;
      case FrameType.headers:
        this.onHeadersFrame(flags, streamId, source, start, end);
        break;
      case FrameType.priority:
        this.onPriorityFrame(streamId, source, start, end);
        break;
      case FrameType.rstStream:
        this.onResetFrame(streamId, source, start, end);
        break;
      case FrameType.settings:
        this.onSettingsFrame(flags, streamId, source, start, end);
        break;
      case FrameType.pushPromise:
        return this.violation('PUSH_PROMISE is not enabled');
      case FrameType.ping:
        this.onPingFrame(flags, streamId, source, start, end);
        break;
      case FrameType.goaway:
        if (streamId !== 0) return this.violation('GOAWAY on a stream');
        if (end - start < 8) return this.wrongSize('GOAWAY');
        this.onGoaway(
          readUint32BE(source, start) & windowBytesMax,
          readUint32BE(source, start + 4),
          utf8FromBytes(source.subarray(start + 8, end)),
        );
        break;
      case FrameType.windowUpdate:
        this.onWindowUpdateFrame(streamId, source, start, end);
        break;
      case FrameType.continuation:
        this.onContinuationFrame(flags, source, start, end);
        break;
      default:
        // Unknown types are ignored (RFC 9113 section 5.5).
        this.countFlood(FloodKind.unknown, 'unknown frames');
    }
    return this.isOpen;
  }

  violation(why: string): boolean {
    this.connectionError(Http2Code.protocolError, why);
    return false;
  }

  wrongSize(what: string): boolean {
    this.connectionError(Http2Code.frameSizeError, `${what} has a wrong size`);
    return false;
  }

  /** Counts a cheap frame; false when it was one too many and the connection is over. */
  countFlood(kind: number, what: string): boolean {
    if (!this.guard.exceeds(kind)) return true;
    this.connectionError(Http2Code.enhanceYourCalm, `too many ${what}`);
    return false;
  }

  /** RST_STREAM for a stream that the peer broke; `stream` when it is open. */
  streamError(streamId: number, stream: S | undefined, code: number): void {
    if (!this.countFlood(FloodKind.streamError, 'stream errors')) return;
    if (stream === undefined) {
      this.recent.add(streamId, true);
      sendReset(this.output, streamId, code);
      this.touch();
      return;
    }
    this.resetStream(stream, code);
    stream.onAborted(code);
  }

  /** Remembers a stream that we refused or finished before the peer did, so that what it still sends is not taken amiss. */
  protected rememberReset(streamId: number): void {
    this.recent.add(streamId, true);
  }

  protected rememberClosed(streamId: number): void {
    this.recent.add(streamId, false);
  }

  protected wasReset(streamId: number): boolean {
    return this.recent.wasReset(streamId);
  }

  protected wasOpen(streamId: number): boolean {
    return this.recent.has(streamId);
  }

  /** Takes a stream out of the table that we have reset ourselves. */
  protected removeReset(stream: S): void {
    this.recent.add(stream.id, true);
    this.drop(stream);
  }

  /** DATA for a stream that is not in the table. */
  onDataForClosed(streamId: number): void {
    if (this.isIdle(streamId)) this.violation('DATA on an idle stream');
    else if (!this.recent.wasReset(streamId)) this.streamError(streamId, undefined, Http2Code.streamClosed);
  }

  private onHeadersFrame(flags: number, streamId: number, source: Uint8Array, from: number, to: number): void {
    if (streamId === 0) {
      this.violation('HEADERS on stream 0');
      return;
    }
    let start = from;
    let end = to;
    let malformed = false;
    if ((flags & (FrameFlag.padded | FrameFlag.priority)) !== 0) {
      if ((flags & FrameFlag.padded) !== 0) end -= source[start++] ?? 0;
      if ((flags & FrameFlag.priority) !== 0) {
        // A stream that depends on itself (RFC 7540 section 5.3.1).
        if (to - start >= 5) malformed = (readUint32BE(source, start) & windowBytesMax) === streamId;
        start += 5;
      }
      if (start > to) {
        this.wrongSize('HEADERS');
        return;
      }
      if (start > end) {
        this.violation('padding exceeds the frame');
        return;
      }
    }
    const endStream = (flags & FrameFlag.endStream) !== 0;
    if ((flags & FrameFlag.endHeaders) !== 0) {
      this.onHeaderBlock(streamId, endStream, malformed, source, start, end);
    } else if (!this.assembly.begin(streamId, endStream, malformed, source, start, end)) {
      this.connectionError(Http2Code.enhanceYourCalm, 'header block too large');
    }
  }

  private onContinuationFrame(flags: number, source: Uint8Array, start: number, end: number): void {
    const assembly = this.assembly;
    if (assembly.streamId === 0) {
      this.violation('unexpected CONTINUATION');
      return;
    }
    if (!assembly.append(source, start, end)) {
      this.connectionError(Http2Code.enhanceYourCalm, 'header block too large');
      return;
    }
    if ((flags & FrameFlag.endHeaders) === 0) return;
    const streamId = assembly.streamId;
    const block = assembly.take();
    this.onHeaderBlock(streamId, assembly.endStream, assembly.malformed, block, 0, block.length);
  }

  private onPriorityFrame(streamId: number, source: Uint8Array, start: number, end: number): void {
    if (streamId === 0) {
      this.violation('PRIORITY on stream 0');
      return;
    }
    if (!this.countFlood(FloodKind.priority, 'PRIORITY frames')) return;
    if (end - start !== 5) this.streamError(streamId, this.streams.get(streamId), Http2Code.frameSizeError);
    else if ((readUint32BE(source, start) & windowBytesMax) === streamId) {
      this.streamError(streamId, this.streams.get(streamId), Http2Code.protocolError);
    }
  }

  private onResetFrame(streamId: number, source: Uint8Array, start: number, end: number): void {
    if (end - start !== 4) {
      this.wrongSize('RST_STREAM');
      return;
    }
    if (streamId === 0 || this.isIdle(streamId)) {
      this.violation('RST_STREAM on an idle stream');
      return;
    }
    if (!this.countFlood(FloodKind.reset, 'RST_STREAM frames')) return;
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    stream.localClosed = true;
    stream.remoteClosed = true;
    this.remove(stream);
    stream.onAborted(readUint32BE(source, start));
  }

  private onSettingsFrame(flags: number, streamId: number, source: Uint8Array, start: number, end: number): void {
    if (streamId !== 0) {
      this.violation('SETTINGS on a stream');
      return;
    }
    if ((flags & FrameFlag.ack) !== 0) {
      if (start !== end) this.wrongSize('SETTINGS');
      return;
    }
    if ((end - start) % 6 !== 0) {
      this.wrongSize('SETTINGS');
      return;
    }
    if (!this.countFlood(FloodKind.settings, 'SETTINGS frames')) return;
    const oldWindow = this.settings.initialWindowBytes;
    const error = this.settings.apply(source, start, end);
    if (error !== Http2Code.noError) {
      this.connectionError(error, 'a setting has a wrong value');
      return;
    }
    this.sawSettings = true;
    // Acknowledged before anything that the new values let out.
    sendSettingsAck(this.output);
    this.touch();
    const delta = this.settings.initialWindowBytes - oldWindow;
    if (delta !== 0 && !this.sender.adjustWindows(this.streams.values(), delta)) {
      this.connectionError(Http2Code.flowControlError, 'stream window too large');
      return;
    }
    this.onSettings();
  }

  private onPingFrame(flags: number, streamId: number, source: Uint8Array, start: number, end: number): void {
    if (streamId !== 0) {
      this.violation('PING on a stream');
    } else if (end - start !== 8) {
      this.wrongSize('PING');
    } else if ((flags & FrameFlag.ack) !== 0) {
      this.onPingAck();
    } else if (this.countFlood(FloodKind.ping, 'PING frames')) {
      sendPing(this.output, true, source, start);
      this.touch();
      this.onPing();
    }
  }

  private onWindowUpdateFrame(streamId: number, source: Uint8Array, start: number, end: number): void {
    if (end - start !== 4) {
      this.wrongSize('WINDOW_UPDATE');
      return;
    }
    const increment = readUint32BE(source, start) & windowBytesMax;
    if (streamId === 0) {
      if (increment === 0) this.violation('WINDOW_UPDATE of 0');
      else if (!this.countFlood(FloodKind.windowUpdate, 'WINDOW_UPDATE frames')) return;
      else if (!this.sender.creditConnection(increment)) {
        this.connectionError(Http2Code.flowControlError, 'connection window too large');
      }
      return;
    }
    if (this.isIdle(streamId)) {
      this.violation('WINDOW_UPDATE on an idle stream');
      return;
    }
    if (!this.countFlood(FloodKind.windowUpdate, 'WINDOW_UPDATE frames')) return;
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    if (increment === 0) this.streamError(streamId, stream, Http2Code.protocolError);
    else if (!this.sender.creditStream(stream, increment)) {
      this.streamError(streamId, stream, Http2Code.flowControlError);
    }
  }

  /** Our first frames: SETTINGS, and the connection window if it is not the default. */
  protected sendFirstFrames(settings: readonly number[]): void {
    const limits = this.limits;
    const all = [...settings, SettingId.initialWindowSize, limits.streamWindowBytes];
    if (limits.frameBytesMax !== 16_384) all.push(SettingId.maxFrameSize, limits.frameBytesMax);
    if (limits.headerTableBytes !== 4096) all.push(SettingId.headerTableSize, limits.headerTableBytes);
    all.push(SettingId.maxHeaderListSize, limits.headerListBytesMax);
    sendSettings(this.output, all);
    const more = limits.connectionWindowBytes - defaultWindowBytes;
    if (more > 0) sendWindowUpdate(this.output, 0, more);
    this.touch();
  }

  /** GOAWAY without ending the connection. */
  protected sendGoaway(lastStreamId: number, code: number): void {
    sendGoaway(this.output, lastStreamId, code, noBytes);
    this.touch();
  }

  /** Refunds the peer's WINDOW_UPDATE allowance for a DATA frame sent. */
  onDataFrameSent(): void {
    this.guard.refund(FloodKind.windowUpdate, 8);
  }
}
