import { concatBytes, copyBytes, emptyBytes, utf8ToBytes } from '@quorate/base';
import { formatGrpcTimeout } from '../grpc/timeout.ts';
import { HpackEncoder, writeLiteralField } from '../hpack/hpack-encoder.ts';
import type { ByteStream } from '../http2/byte-stream.ts';
import type { Http2Deps } from '../http2/connection-core.ts';
import {
  clientPrefaceText,
  defaultFrameBytesMax,
  FrameFlag,
  FrameType,
  frameHeaderBytes,
  Http2Code,
  SettingId,
  streamIdMax,
} from '../http2/constants.ts';
import { sendHeaderBlock, sendPing, writeFrameHeader } from '../http2/frame-writer.ts';
import { Http2Connection } from '../http2/http2-connection.ts';
import { copyInto } from '../http2/output.ts';
import type { ClientCall } from './client-call.ts';
import type { GrpcClientOptions, RequestMetadata } from './client-options.ts';

const clientPreface = utf8ToBytes(clientPrefaceText);
const keepalivePing = utf8ToBytes('keepaliv');

/** Encoded requests kept; with more paths than this the cache starts over. */
const cachedBlocksMax = 256;

interface CachedBlock {
  readonly generation: number;
  readonly metadata: RequestMetadata | undefined;
  readonly block: Uint8Array;
}

/** What the client wants to know of its connection. */
export interface ClientConnectionOwner {
  /** A stream has ended, or the server's settings have come: there may be room for a waiting call. */
  onCapacity(): void;
  /** The call was refused unprocessed and waits to be sent again. */
  onRefused(call: ClientCall): void;
  /** The server will take no new streams here. */
  onDraining(connection: ClientConnection): void;
  onEnded(connection: ClientConnection, reason: string): void;
}

/** The client's side of a connection. */
export class ClientConnection extends Http2Connection<ClientCall> {
  readonly options: GrpcClientOptions;
  /** No new streams: GOAWAY came, or ids have run out. */
  isDraining = false;
  readonly owner: ClientConnectionOwner;
  private readonly encoder = new HpackEncoder();
  private readonly blocks = new Map<string, CachedBlock>();
  private nextId = 1;
  private lastTimeoutMs = 0;
  private lastTimeoutField: Uint8Array = emptyBytes;
  /** What the server's GOAWAY said. */
  private goaway = '';
  private pingSentMs = Number.POSITIVE_INFINITY;

  constructor(deps: Http2Deps, stream: ByteStream, options: GrpcClientOptions, owner: ClientConnectionOwner) {
    super(deps, stream, options.limits);
    this.options = options;
    this.owner = owner;
    this.output.copy(clientPreface, 0, clientPreface.length);
    this.sendFirstFrames([SettingId.enablePush, 0]);
  }

  /** Why it ended, or will. */
  get endReason(): string {
    return this.goaway === '' ? this.closeReason : this.goaway;
  }

  /** True when a call can become a stream now: the server's limits must be known first. */
  get hasRoom(): boolean {
    return this.sawSettings && this.isOpen && !this.isDraining && this.streams.size < this.settings.streamsMax;
  }

  /** True once the server's SETTINGS have come. */
  get sawServer(): boolean {
    return this.sawSettings;
  }

  /**
   * Makes the call a stream: writes its headers and lets it send. Check {@link hasRoom} before.
   * @param timeoutMs what is left until the deadline; `Infinity` without one.
   */
  start(call: ClientCall, timeoutMs: number): void {
    const id = this.nextId;
    this.nextId += 2;
    if (this.nextId > streamIdMax - 2) this.isDraining = true;
    call.open(this, id);
    this.streams.set(call);
    this.sendRequestHeaders(call, timeoutMs);
    this.touch();
    call.onOpened(this);
  }

  private sendRequestHeaders(call: ClientCall, timeoutMs: number): void {
    const metadata = call.options.metadata;
    const cached = this.blocks.get(call.path);
    let block: Uint8Array;
    if (cached !== undefined && cached.generation === this.encoder.generation && cached.metadata === metadata) {
      block = cached.block;
    } else {
      block = this.encodeRequest(call.path, metadata);
    }
    const timeout = timeoutMs === Number.POSITIVE_INFINITY ? emptyBytes : this.timeoutField(timeoutMs);
    const length = block.length + timeout.length;
    if (length > defaultFrameBytesMax) {
      sendHeaderBlock(this.output, call.id, concatBytes([block, timeout]), false, this.settings.frameBytesMax);
      return;
    }
    const output = this.output;
    const position = output.reserve(frameHeaderBytes + length);
    const slab = output.slab;
    const behind = writeFrameHeader(slab, position, length, FrameType.headers, FrameFlag.endHeaders, call.id);
    const fields = copyInto(slab, behind, block, 0, block.length);
    output.position = copyInto(slab, fields, timeout, 0, timeout.length);
  }

  /** The grpc-timeout field, as a literal that leaves the table alone. Callers mostly use one timeout: the last one is kept. */
  private timeoutField(timeoutMs: number): Uint8Array {
    if (timeoutMs !== this.lastTimeoutMs) {
      const field = new Uint8Array(48);
      const end = writeLiteralField('grpc-timeout', formatGrpcTimeout(timeoutMs), field, 0);
      this.lastTimeoutMs = timeoutMs;
      this.lastTimeoutField = field.subarray(0, end);
    }
    return this.lastTimeoutField;
  }

  private encodeRequest(path: string, metadata: RequestMetadata | undefined): Uint8Array {
    const encoder = this.encoder;
    const generation = encoder.generation;
    const options = this.options;
    encoder.begin();
    encoder.addIndexed(':method', 'POST');
    encoder.addIndexed(':scheme', options.scheme);
    encoder.addIndexed(':path', path);
    encoder.addIndexed(':authority', options.authority);
    encoder.addIndexed('content-type', 'application/grpc');
    encoder.addIndexed('te', 'trailers');
    encoder.addIndexed('user-agent', options.userAgent);
    if (options.gunzip !== null) encoder.addIndexed('grpc-accept-encoding', 'identity,gzip');
    if (metadata !== undefined) for (const [name, value] of metadata) encoder.addIndexed(name, value);
    const block = encoder.end();
    // Only a block that added nothing to the table means the same the next time.
    if (encoder.generation !== generation) return block;
    if (this.blocks.size >= cachedBlocksMax) this.blocks.clear();
    const owned = copyBytes(block);
    this.blocks.set(path, { generation, metadata, block: owned });
    return owned;
  }

  protected override onHeaderBlock(
    streamId: number,
    endStream: boolean,
    _malformed: boolean,
    source: Uint8Array,
    start: number,
    end: number,
  ): void {
    const count = this.decoder.decode(source, start, end, this.fields);
    if (count < 0) {
      this.connectionError(Http2Code.compressionError, 'bad header block');
      return;
    }
    if (this.isIdle(streamId)) {
      this.connectionError(Http2Code.protocolError, 'HEADERS on an idle stream');
      return;
    }
    this.streams.get(streamId)?.onResponse(this.fields, count, endStream);
  }

  /** The server has sent END_STREAM. */
  onRemoteEnd(call: ClientCall): void {
    if (call.localClosed) {
      call.remoteClosed = true;
      this.remove(call);
    } else {
      // The answer is complete before our request is: there is no use in sending the rest.
      this.resetStream(call, Http2Code.cancel);
    }
  }

  override onLocalEnd(call: ClientCall): void {
    call.localClosed = true;
    if (call.remoteClosed) this.remove(call);
  }

  override sendQueuedTrailers(_call: ClientCall): void {
    // Requests have no trailers; nothing queues them.
  }

  protected override isIdle(streamId: number): boolean {
    return (streamId & 1) === 0 || streamId >= this.nextId;
  }

  protected override onPing(): void {}

  protected override onPingAck(): void {
    this.pingSentMs = Number.POSITIVE_INFINITY;
  }

  protected override onGoaway(lastStreamId: number, code: number, debug: string): void {
    this.isDraining = true;
    this.goaway = `server sent GOAWAY with code ${code}${debug === '' ? '' : `: ${debug}`}`;
    this.owner.onDraining(this);
    for (const call of this.streams.values()) {
      if (call.id <= lastStreamId) continue;
      call.localClosed = true;
      call.remoteClosed = true;
      this.remove(call);
      call.onAborted(Http2Code.refusedStream);
    }
    if (this.isOpen && this.streams.size === 0) this.end(this.endReason);
  }

  protected override onSettings(): void {
    this.encoder.setPeerTableSize(this.settings.headerTableBytes);
    this.owner.onCapacity();
  }

  protected override onStreamRemoved(): void {
    if (this.isDraining && this.streams.size === 0) this.end(this.endReason);
    else this.owner.onCapacity();
  }

  protected override onConnectionEnd(): void {
    this.owner.onEnded(this, this.endReason);
  }

  override housekeep(nowMs: number): void {
    super.housekeep(nowMs);
    if (!this.isOpen) return;
    const options = this.options;
    if (this.pingSentMs !== Number.POSITIVE_INFINITY) {
      if (this.lastReadMs >= this.pingSentMs) this.pingSentMs = Number.POSITIVE_INFINITY;
      else if (nowMs - this.pingSentMs >= options.keepaliveTimeoutMs) this.destroy('keepalive ping not answered');
      return;
    }
    if (nowMs - this.lastReadMs < options.keepaliveMs) return;
    if (this.streams.size === 0 && !options.keepaliveWithoutStream) return;
    this.pingSentMs = nowMs;
    sendPing(this.output, false, keepalivePing, 0);
    this.touch();
  }
}
