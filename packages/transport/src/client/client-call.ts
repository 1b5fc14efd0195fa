import type { DeadlineEntry } from '../grpc/deadline-wheel.ts';
import { MessageReader, ReadResult } from '../grpc/message-reader.ts';
import { emptyMetadata, Metadata } from '../grpc/metadata.ts';
import { decodeGrpcMessage } from '../grpc/percent.ts';
import { GrpcStatus, statusOfHttp, statusOfReset } from '../grpc/status.ts';
import { FieldKind, type HeaderField } from '../hpack/header-field.ts';
import { defaultWindowBytes, Http2Code } from '../http2/constants.ts';
import { Http2Stream } from '../http2/http2-stream.ts';
import type { ClientConnection } from './client-connection.ts';
import type { CallOptions } from './client-options.ts';

/** Refusals after which a call fails. */
const refusalsMax = 3;

/** A call from its start: it may wait for a connection, then it is a stream of one. */
export abstract class ClientCall extends Http2Stream implements DeadlineEntry {
  readonly path: string;
  readonly options: CallOptions;
  deadlineMs: number;
  wheelNext: DeadlineEntry | null = null;
  wheelPrevious: DeadlineEntry | null = null;
  wheelBucket = -1;
  /** Set when the call has become a stream. */
  connection: ClientConnection | null = null;
  finished = false;
  /** How often a server has refused it without looking at it. */
  private refusals = 0;
  private readonly forget: (call: ClientCall) => void;
  private reader: MessageReader | null = null;
  private sawHeaders = false;
  private gzip = false;

  /** @param forget takes the call out of whatever holds it (deadlines, waiting list) when it is finished. */
  constructor(path: string, options: CallOptions, deadlineMs: number, forget: (call: ClientCall) => void) {
    super(0, 0, 0, true);
    this.path = path;
    this.options = options;
    this.deadlineMs = deadlineMs;
    this.forget = forget;
  }

  /** Makes it a stream. */
  open(connection: ClientConnection, id: number): void {
    this.connection = connection;
    this.id = id;
    this.sendWindow = connection.settings.initialWindowBytes;
    this.receiveWindow = Math.max(connection.limits.streamWindowBytes, defaultWindowBytes);
  }

  /** The stream is open and its headers are written: send what there is. */
  abstract onOpened(connection: ClientConnection): void;
  /** A message: a view valid during the call, or memory of its own (`owned`). */
  protected abstract onMessageBytes(message: Uint8Array, owned: boolean): void;
  protected abstract onHeaders(metadata: Metadata): void;
  /** The end, once. */
  protected abstract onStatus(code: number, message: string, trailers: Metadata): void;

  /** Gives the call up: RST_STREAM if it is a stream, and the status to the caller. */
  abandon(code: number, message: string): void {
    if (this.finished) return;
    this.connection?.resetStream(this, Http2Code.cancel);
    this.complete(code, message, emptyMetadata);
  }

  complete(code: number, message: string, trailers: Metadata): void {
    if (this.finished) return;
    this.finished = true;
    this.forget(this);
    this.onStatus(code, message, trailers);
  }

  onDeadline(): void {
    this.abandon(GrpcStatus.deadlineExceeded, 'context deadline exceeded');
  }

  /** True when the call can be sent again: nothing of it was lost with the stream. */
  protected abstract isRepeatable(): boolean;

  /**
   * The server has certainly not processed the call (RFC 9113 section 8.7), so sending it again is safe.
   * @returns false when it has failed instead.
   */
  private repeat(): boolean {
    const connection = this.connection;
    if (connection === null || this.sawHeaders || !this.isRepeatable() || ++this.refusals > refusalsMax) return false;
    this.connection = null;
    this.id = 0;
    this.localClosed = false;
    this.remoteClosed = false;
    connection.owner.onRefused(this);
    return true;
  }

  onAborted(code: number): void {
    if (this.finished || (code === Http2Code.refusedStream && this.repeat())) return;
    if (code < 0) this.complete(GrpcStatus.unavailable, this.connection?.endReason ?? 'connection lost', emptyMetadata);
    else if (code === Http2Code.noError)
      this.complete(GrpcStatus.internal, 'stream ended without a status', emptyMetadata);
    else {
      const overdue = code === Http2Code.cancel && (this.connection?.clock.nowMs() ?? 0) >= this.deadlineMs;
      const status = overdue ? GrpcStatus.deadlineExceeded : statusOfReset(code);
      this.complete(status, `stream terminated by RST_STREAM with error code: ${code}`, emptyMetadata);
    }
  }

  onDrained(_bytes: number): void {}

  /** Header blocks of the answer: informational ones, the headers, the trailers or both in one. */
  onResponse(fields: readonly HeaderField[], count: number, endStream: boolean): void {
    if (this.finished) return;
    let httpStatus = 0;
    let grpcStatus = -1;
    let message = '';
    let grpcContent = false;
    for (let i = 0; i < count; i++) {
      const field = fields[i] as HeaderField;
      switch (field.kind) {
        case FieldKind.status:
          httpStatus = Number(field.value);
          break;
        case FieldKind.contentType:
          grpcContent = field.value.startsWith('application/grpc');
          break;
        case FieldKind.grpcStatus:
          grpcStatus = /^\d{1,9}$/.test(field.value) ? Number(field.value) : GrpcStatus.unknown;
          break;
        case FieldKind.grpcMessage:
          message = decodeGrpcMessage(field.value);
          break;
        case FieldKind.grpcEncoding:
          this.gzip = field.value === 'gzip';
          break;
        default:
      }
    }
    if (!this.sawHeaders && httpStatus >= 100 && httpStatus < 200 && !endStream) return;
    const first = !this.sawHeaders;
    this.sawHeaders = true;
    if (first && (httpStatus !== 200 || !grpcContent) && grpcStatus < 0) {
      this.abandon(statusOfHttp(httpStatus), `unexpected HTTP status code received from server: ${httpStatus}`);
      return;
    }
    if (!endStream) {
      if (first) this.onHeaders(new Metadata(fields.slice(0, count)));
      else this.abandon(GrpcStatus.internal, 'headers in the middle of the answer');
      return;
    }
    const trailers = count > 2 ? new Metadata(fields.slice(0, count)) : emptyMetadata;
    if (grpcStatus < 0)
      this.finishRemote(GrpcStatus.internal, 'server closed the stream without sending trailers', trailers);
    else this.finishRemote(grpcStatus, message, trailers);
  }

  /** The server has ended the stream. */
  private finishRemote(code: number, message: string, trailers: Metadata): void {
    this.connection?.onRemoteEnd(this);
    if (code === GrpcStatus.ok && this.reader !== null && !this.reader.isIdle) {
      this.complete(GrpcStatus.internal, 'unexpected EOF', trailers);
    } else {
      this.complete(code, message, trailers);
    }
  }

  onBody(source: Uint8Array, start: number, end: number, ended: boolean): void {
    const connection = this.connection;
    if (this.finished || connection === null) return;
    if (start < end) {
      this.consume(connection, source, start, end);
      if (!this.finished) connection.receiver.accountUnfinished(this, this.reader?.bufferedBytes ?? 0);
    }
    if (ended)
      this.finishRemote(GrpcStatus.internal, 'server closed the stream without sending trailers', emptyMetadata);
  }

  private consume(connection: ClientConnection, source: Uint8Array, start: number, end: number): void {
    this.reader ??= new MessageReader(connection.limits.messageBytesMax);
    const reader = this.reader;
    let position = start;
    while (position < end && !this.finished) {
      const result = reader.read(source, position, end);
      position = reader.position;
      if (result === ReadResult.needMore) break;
      if (result === ReadResult.tooLarge) {
        const limit = connection.limits.messageBytesMax;
        this.abandon(
          GrpcStatus.resourceExhausted,
          `grpc: received message larger than max (${reader.length} vs. ${limit})`,
        );
      } else if (result === ReadResult.badFlag) {
        this.abandon(GrpcStatus.internal, 'grpc: received unexpected payload format');
      } else {
        this.take(connection, reader);
      }
    }
  }

  private take(connection: ClientConnection, reader: MessageReader): void {
    if (!reader.compressed) {
      this.onMessageBytes(reader.message, reader.owned);
      return;
    }
    const gunzip = connection.options.gunzip;
    const result = this.gzip && gunzip !== null ? gunzip(reader.message, connection.limits.messageBytesMax) : 'corrupt';
    if (result instanceof Uint8Array) this.onMessageBytes(result, true);
    else this.abandon(GrpcStatus.internal, `grpc: cannot decompress the answer: ${result}`);
  }
}
