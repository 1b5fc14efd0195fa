import type { Counter } from '@quorate/base';
import { utf8ToBytes } from '@quorate/base';
import type { DeadlineWheel } from '../grpc/deadline-wheel.ts';
import { GrpcStatus } from '../grpc/status.ts';
import type { ByteStream } from '../http2/byte-stream.ts';
import type { Http2Deps } from '../http2/connection-core.ts';
import {
  clientPrefaceText,
  defaultWindowBytes,
  FrameType,
  Http2Code,
  SettingId,
  streamIdMax,
} from '../http2/constants.ts';
import { sendPing, sendReset, writeFrameHeader } from '../http2/frame-writer.ts';
import { Http2Connection } from '../http2/http2-connection.ts';
import { copyInto } from '../http2/output.ts';
import type { StreamBytes } from '../http2/stream-bytes.ts';
import { messagePrefixBytes, writeMessagePrefix } from '../http2/stream-sender.ts';
import { AnswerRoom } from './answer-room.ts';
import type { EndedCalls } from './ended-calls.ts';
import { HeadCache } from './head-cache.ts';
import type { HttpFallback } from './http-fallback.ts';
import { HttpServerCall } from './http-server-call.ts';
import { PingPolicy } from './ping-policy.ts';
import { HeadVerdict, type RequestHead, readRequestHead } from './request-head.ts';
import {
  indexedHeadersBytes,
  indexedTrailersBytes,
  ResponseHeaders,
  writeIndexedHeaders,
  writeIndexedTrailers,
} from './response-headers.ts';
import type { RouteTable } from './route.ts';
import type { ServerCall } from './server-call.ts';
import type { GrpcServerOptions } from './server-options.ts';
import { StreamServerCall } from './stream-server-call.ts';
import { UnaryServerCall } from './unary-server-call.ts';

/** etcd's counters of message bytes. */
export interface ByteCounters {
  readonly received: Counter;
  readonly sent: Counter;
}

/** What all connections of a server share. */
export interface ServerShared extends Http2Deps {
  readonly options: GrpcServerOptions;
  readonly routes: RouteTable;
  readonly deadlines: DeadlineWheel;
  readonly counters: ByteCounters;
  readonly endedCalls: EndedCalls;
  readonly onConnectionEnd: (connection: ServerConnection) => void;
}

const clientPreface = utf8ToBytes(clientPrefaceText);

/** Payloads of our pings: to see whether the client lives, and to know that it has seen the first GOAWAY. */
const keepalivePing = utf8ToBytes('keepaliv');
const drainPing = utf8ToBytes('draining');

/** DATA frame header, gRPC prefix and RST_STREAM around a message. */
const replyOverheadBytes = indexedHeadersBytes + 9 + messagePrefixBytes + indexedTrailersBytes + 13;

/** How far a graceful close is. */
type DrainPhase = 'none' | 'announced' | 'final';

/** The server's side of a connection. */
export class ServerConnection extends Http2Connection<ServerCall> {
  readonly options: GrpcServerOptions;
  readonly deadlines: DeadlineWheel;
  readonly counters: ByteCounters;
  readonly endedCalls: EndedCalls;
  /** Where answers wait, and requests for them. */
  readonly room: AnswerRoom;
  /** What a new stream may receive; the client may use the protocol's default until it has seen our SETTINGS. */
  readonly streamReceiveWindow: number;
  private readonly allStreamBytes: StreamBytes;
  private readonly routes: RouteTable;
  private readonly fallback: HttpFallback | null;
  private readonly heads = new HeadCache();
  private readonly responses = new ResponseHeaders();
  private readonly pings: PingPolicy;
  private readonly whenEnded: (connection: ServerConnection) => void;
  private prefaceBytes = 0;
  private drainPhase: DrainPhase = 'none';
  private drainStartedMs = 0;
  /** Streams above this are ignored once the final GOAWAY is out. */
  private lastAcceptedId: number = streamIdMax;
  private pingSentMs = Number.POSITIVE_INFINITY;
  private lastStreamMs: number;
  private nextReceiveCheckMs: number;

  /** @param fallback answers what is not gRPC; null for nobody. */
  constructor(shared: ServerShared, stream: ByteStream, fallback: HttpFallback | null) {
    super(shared, stream, shared.options.limits);
    this.fallback = fallback;
    this.options = shared.options;
    this.routes = shared.routes;
    this.deadlines = shared.deadlines;
    this.counters = shared.counters;
    this.endedCalls = shared.endedCalls;
    this.allStreamBytes = shared.streamBytes;
    this.room = new AnswerRoom(shared.clock, this.sender, this.limits.answerBytesMax);
    this.whenEnded = shared.onConnectionEnd;
    this.streamReceiveWindow = Math.max(this.limits.streamWindowBytes, defaultWindowBytes);
    this.pings = new PingPolicy(shared.clock, shared.options.keepalive);
    this.lastStreamMs = this.startedMs;
    this.nextReceiveCheckMs = this.startedMs + this.limits.unaryReceiveMs / 4;
    const streamsMax = this.limits.streamsMax;
    this.sendFirstFrames(streamsMax < 0xffff_ffff ? [SettingId.maxConcurrentStreams, streamsMax] : []);
  }

  override onData(chunk: Uint8Array): void {
    if (this.prefaceBytes === clientPreface.length) {
      this.receive(chunk, 0);
      return;
    }
    let position = 0;
    while (this.prefaceBytes < clientPreface.length && position < chunk.length) {
      if (chunk[position++] !== clientPreface[this.prefaceBytes++]) {
        this.connectionError(Http2Code.protocolError, 'bad connection preface');
        return;
      }
    }
    if (position < chunk.length) this.receive(chunk, position);
  }

  protected override onHeaderBlock(
    streamId: number,
    endStream: boolean,
    malformed: boolean,
    source: Uint8Array,
    start: number,
    end: number,
  ): void {
    const generation = this.decoder.table.generation;
    let head = streamId > this.lastPeerStreamId ? this.heads.get(source, start, end, generation) : null;
    if (head === null) {
      const count = this.decoder.decode(source, start, end, this.fields);
      if (count < 0) {
        this.connectionError(Http2Code.compressionError, 'bad header block');
        return;
      }
      const open = this.streams.get(streamId);
      if (open !== undefined) {
        this.onTrailers(open, endStream, count);
        return;
      }
      head = readRequestHead(this.fields, count, this.routes, this.options.gunzip !== null);
      if (this.decoder.listBytes > this.limits.headerListBytesMax) {
        head.verdict = HeadVerdict.rejected;
        head.httpStatus = 431;
        head.code = GrpcStatus.resourceExhausted;
        head.message = 'request header list larger than the limit';
      }
      if (!this.decoder.changedTable) this.heads.put(source, start, end, generation, head);
    }
    if ((streamId & 1) === 0 || streamId <= this.lastPeerStreamId) {
      this.onOldId(streamId);
      return;
    }
    this.lastPeerStreamId = streamId;
    if (streamId > this.lastAcceptedId) {
      // Sent before the client saw our last GOAWAY, which tells it to try elsewhere: ignored, and so is the body.
      this.rememberReset(streamId);
      return;
    }
    if (malformed || head.verdict === HeadVerdict.malformed) {
      this.streamError(streamId, undefined, Http2Code.protocolError);
      return;
    }
    if (this.streams.size >= this.limits.streamsMax || this.room.waitingCount >= this.limits.waitingRequestsMax) {
      this.streamError(streamId, undefined, Http2Code.refusedStream);
      return;
    }
    this.open(streamId, endStream, head);
  }

  /** HEADERS that open nothing: on a closed stream, or an id that was passed over. */
  private onOldId(streamId: number): void {
    if ((streamId & 1) === 0) this.connectionError(Http2Code.protocolError, 'even stream id from a client');
    else if (this.wasReset(streamId)) return;
    else if (this.wasOpen(streamId)) this.connectionError(Http2Code.streamClosed, 'HEADERS on a closed stream');
    else this.connectionError(Http2Code.protocolError, 'stream id lower than one before');
  }

  /** Trailers of a request: they end it (RFC 9113 section 8.1), and gRPC has no use for what they say. */
  private onTrailers(call: ServerCall, endStream: boolean, count: number): void {
    if (call.remoteClosed) {
      this.streamError(call.id, call, Http2Code.streamClosed);
      return;
    }
    let pseudo = false;
    for (let i = 0; i < count; i++) pseudo ||= (this.fields[i]?.name.charCodeAt(0) ?? 0) === 0x3a;
    const lengthWrong = call.expectedBytes >= 0 && call.expectedBytes !== call.receivedBytes;
    if (!endStream || pseudo || lengthWrong) {
      this.streamError(call.id, call, Http2Code.protocolError);
      return;
    }
    call.remoteClosed = true;
    call.onBody(new Uint8Array(0), 0, 0, true);
  }

  private open(streamId: number, endStream: boolean, head: RequestHead): void {
    const fallback = head.verdict === HeadVerdict.http ? this.fallback : null;
    if (head.verdict === HeadVerdict.rejected || (head.verdict === HeadVerdict.http && fallback === null)) {
      this.reject(streamId, endStream, head);
      return;
    }
    if (fallback !== null && this.sender.streamBytes > this.limits.streamBytesMax) {
      // What does not heed backpressure, a whole page for example, must not add to what is not read.
      this.streamError(streamId, undefined, Http2Code.refusedStream);
      return;
    }
    const route = head.route;
    let call: ServerCall;
    if (fallback !== null || route === null) call = new HttpServerCall(this, streamId, head);
    else if (route.unary !== null) call = new UnaryServerCall(this, streamId, head, false);
    else call = new StreamServerCall(this, streamId, head);
    this.streams.set(call);
    if (route !== null && head.verdict === HeadVerdict.grpc) {
      route.started.add(1);
      head.counter ??= this.options.counterOf?.(head.metadata, route.stream !== null) ?? null;
      head.counter?.add(1);
      if (route.stream !== null) route.stream(call as StreamServerCall);
    }
    if (fallback !== null) fallback(call as HttpServerCall, call as HttpServerCall);
    if (!endStream || call.remoteClosed) return;
    if (call.expectedBytes > 0) {
      this.streamError(streamId, call, Http2Code.protocolError);
      return;
    }
    call.remoteClosed = true;
    // A stream call that its handler has already ended was answered as if the client might send more.
    if (this.streams.get(streamId) === call) call.onBody(new Uint8Array(0), 0, 0, true);
  }

  private reject(streamId: number, endStream: boolean, head: RequestHead): void {
    const accept = head.encodingUnsupported ? (this.options.gunzip === null ? 'identity' : 'identity,gzip') : '';
    this.responses.sendTrailersOnly(this.output, streamId, head.httpStatus, head.code, head.message, accept);
    if (!endStream) {
      sendReset(this.output, streamId, Http2Code.noError);
      this.rememberReset(streamId);
    } else {
      this.rememberClosed(streamId);
    }
    this.pings.onSent();
    this.touch();
  }

  /** Sends the whole answer of a unary call with status 0; the message is copied. */
  replyUnary(call: ServerCall, source: Uint8Array, start: number, end: number): void {
    if (!this.isOpen) return;
    const length = end - start;
    if (!this.responses.isSettled || !this.sender.fits(call, length)) {
      this.sendHeaders(call);
      this.sender.sendMessage(call, source, start, end, false);
      this.finishCall(call, true, GrpcStatus.ok, '');
      return;
    }
    const output = this.output;
    const id = call.id;
    const payload = length + messagePrefixBytes;
    let position = output.reserve(replyOverheadBytes + length);
    const slab = output.slab;
    position = writeIndexedHeaders(slab, position, id);
    position = writeFrameHeader(slab, position, payload, FrameType.data, 0, id);
    position = writeMessagePrefix(slab, position, length);
    position = copyInto(slab, position, source, start, end);
    output.position = writeIndexedTrailers(slab, position, id);
    this.sender.window -= payload;
    this.onDataFrameSent();
    this.onLocalEnd(call);
    this.touch();
  }

  /** The same for a message in chunks that are ours. */
  replyUnaryChunks(call: ServerCall, chunks: readonly Uint8Array[]): void {
    if (!this.isOpen) return;
    this.sendHeaders(call);
    this.sender.sendOwnedMessage(call, chunks);
    this.finishCall(call, true, GrpcStatus.ok, '');
  }

  sendHeaders(call: ServerCall): void {
    if (!this.isOpen) return;
    this.responses.sendHeaders(this.output, call.id);
    this.pings.onSent();
    this.touch();
  }

  /** Ends the call with a status, behind what it has queued. */
  finishCall(call: ServerCall, headersSent: boolean, code: number, message: string): void {
    if (!this.isOpen || call.localClosed || this.sender.queueTrailers(call, code, message)) return;
    if (headersSent) this.responses.sendTrailers(this.output, call.id, code, message);
    else this.responses.sendTrailersOnly(this.output, call.id, 200, code, message, '');
    this.pings.onSent();
    this.onLocalEnd(call);
    this.touch();
  }

  override sendQueuedTrailers(call: ServerCall): void {
    const queue = call.queue;
    if (queue === null || call.localClosed) return;
    this.responses.sendTrailers(this.output, call.id, queue.trailerCode, queue.trailerMessage);
    this.onLocalEnd(call);
  }

  /** Begins the answer to a request that is not gRPC. */
  sendPlainHeaders(
    call: ServerCall,
    status: number,
    headers: readonly (readonly [string, string])[],
    endStream: boolean,
  ): void {
    if (!this.isOpen || call.localClosed) return;
    this.responses.sendPlain(this.output, call.id, status, headers, endStream);
    this.pings.onSent();
    this.touch();
  }

  /** Answers a request that is not gRPC. */
  respondPlain(
    call: ServerCall,
    status: number,
    headers: readonly (readonly [string, string])[],
    body: Uint8Array | null,
  ): void {
    if (!this.isOpen || call.localClosed) return;
    const empty = body === null || body.length === 0;
    this.sendPlainHeaders(call, status, headers, empty);
    if (empty) {
      this.onLocalEnd(call);
      return;
    }
    this.sender.sendFinalBody(call, body);
  }

  /** Whether streams, here or on all connections together, hold back so much that those with slow readers must do without more. */
  get isPressed(): boolean {
    return (
      this.sender.streamBytes > this.limits.streamBytesMax ||
      this.allStreamBytes.queued > this.options.allStreamBytesMax
    );
  }

  /** Whether one more request, of so many bytes, may wait for room. */
  takesWaiting(bytes: number): boolean {
    const { waitingRequestsMax, unfinishedBytesMax } = this.limits;
    return (
      this.room.waitingCount < waitingRequestsMax && this.receiver.unfinishedBytes + bytes <= unfinishedBytesMax / 2
    );
  }

  override onQueueShrunk(): void {
    this.room.freed();
  }

  override onLocalEnd(call: ServerCall): void {
    call.localClosed = true;
    if (call.remoteClosed) {
      this.remove(call);
    } else {
      // RFC 9113 section 8.1: a complete answer before the end of the request tells the client to stop with NO_ERROR.
      call.remoteClosed = true;
      sendReset(this.output, call.id, Http2Code.noError);
      this.removeReset(call);
    }
  }

  protected override isIdle(streamId: number): boolean {
    return (streamId & 1) === 0 || streamId > this.lastPeerStreamId;
  }

  /** Whatever data we send forgives pings: Go's clients ping along with what they receive, to measure the bandwidth. */
  override onDataFrameSent(): void {
    super.onDataFrameSent();
    this.pings.onSent();
  }

  protected override onPing(): void {
    if (this.pings.isTooMany(this.streams.size)) {
      this.connectionError(Http2Code.enhanceYourCalm, 'too_many_pings');
    }
  }

  protected override onPingAck(): void {
    this.pingSentMs = Number.POSITIVE_INFINITY;
    if (this.drainPhase === 'announced') this.finalGoaway();
  }

  protected override onGoaway(): void {
    // The client opens no more streams; those that are open go on, and it closes when it is done.
  }

  protected override onSettings(): void {
    this.responses.limitTable(this.settings.headerTableBytesMin);
  }

  protected override onStreamRemoved(): void {
    this.lastStreamMs = this.lastReadMs;
    if (this.drainPhase === 'final' && this.streams.size === 0) this.endGracefully('drained');
  }

  protected override onConnectionEnd(): void {
    this.whenEnded(this);
  }

  /** Takes no new streams, lets those that are open finish, then closes. */
  drain(): void {
    if (this.drainPhase !== 'none' || !this.isOpen) return;
    this.drainPhase = 'announced';
    this.drainStartedMs = this.clock.nowMs();
    // Streams that are on their way when the client sees this are still served: the ping's answer tells that it has (RFC 9113 section 6.8).
    this.sendGoaway(streamIdMax, Http2Code.noError);
    sendPing(this.output, false, drainPing, 0);
  }

  private finalGoaway(): void {
    this.drainPhase = 'final';
    this.lastAcceptedId = this.lastPeerStreamId;
    this.sendGoaway(this.lastPeerStreamId, Http2Code.noError);
    if (this.streams.size === 0) this.endGracefully('drained');
  }

  override housekeep(nowMs: number): void {
    super.housekeep(nowMs);
    if (!this.isOpen) return;
    if (this.drainPhase === 'announced' && nowMs - this.drainStartedMs >= this.limits.lingerMs) {
      this.finalGoaway();
      return;
    }
    this.keepAlive(nowMs);
    this.checkCalls(nowMs);
    if (this.streams.size === 0 && nowMs - this.lastStreamMs >= this.limits.idleMs) this.drain();
  }

  private keepAlive(nowMs: number): void {
    const keepalive = this.options.keepalive;
    if (this.pingSentMs !== Number.POSITIVE_INFINITY) {
      if (this.lastReadMs >= this.pingSentMs) this.pingSentMs = Number.POSITIVE_INFINITY;
      else if (nowMs - this.pingSentMs >= keepalive.timeoutMs) this.destroy('keepalive ping not answered');
      return;
    }
    if (nowMs - this.lastReadMs < keepalive.intervalMs) return;
    this.pingSentMs = nowMs;
    sendPing(this.output, false, keepalivePing, 0);
    this.touch();
  }

  private checkCalls(nowMs: number): void {
    if (this.sender.queuedBytes === 0 && nowMs < this.nextReceiveCheckMs) return;
    this.nextReceiveCheckMs = nowMs + this.limits.unaryReceiveMs / 4;
    for (const call of this.streams.values()) {
      // A watcher may stop reading as long as it likes; that is its caller's to bound. A unary answer is always read.
      if (call.boundsItself) continue;
      const queue = call.queue;
      if (queue !== null && queue.bytes > 0 && nowMs - queue.progressMs >= this.limits.stallMs) {
        this.connectionError(Http2Code.enhanceYourCalm, 'responses are not read');
        return;
      }
      if (!call.remoteClosed && nowMs - call.startedMs >= this.limits.unaryReceiveMs) {
        call.fail(GrpcStatus.deadlineExceeded, 'request not received in time');
      }
    }
  }
}
