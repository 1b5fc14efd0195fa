import { concatBytes, copyBytes, emptyBytes } from '@quorate/base';
import { Http2Code } from '../http2/constants.ts';
import type { HttpRequest, HttpResponse } from './http-fallback.ts';
import { PacedServerCall } from './paced-server-call.ts';
import type { RequestHead } from './request-head.ts';
import type { ServerConnection } from './server-connection.ts';

/** A request that is not gRPC, and its answer. */
export class HttpServerCall extends PacedServerCall implements HttpRequest, HttpResponse {
  private dataCallback: ((chunk: Uint8Array) => void) | null = null;
  private endCallback: (() => void) | null = null;
  /** What came while paused, at most a stream window. */
  private pending: Uint8Array = emptyBytes;
  private ended = false;

  constructor(connection: ServerConnection, id: number, head: RequestHead) {
    super(connection, id, head, true);
  }

  get method(): string {
    return this.head.method;
  }

  get authority(): string {
    return this.head.authority;
  }

  get headers() {
    return this.head.metadata;
  }

  onData(callback: (chunk: Uint8Array) => void): void {
    this.dataCallback = callback;
  }

  onEnd(callback: () => void): void {
    this.endCallback = callback;
  }

  pause(): void {
    this.readingPaused = true;
  }

  resume(): void {
    if (!this.readingPaused) return;
    this.readingPaused = false;
    const pending = this.pending;
    this.pending = emptyBytes;
    this.connection.receiver.accountUnfinished(this, 0);
    if (pending.length > 0) this.dataCallback?.(pending);
    if (this.readingPaused || this.finished) return;
    if (this.ended) this.deliverEnd();
    else this.connection.receiver.creditStream(this);
  }

  onBody(source: Uint8Array, start: number, end: number, ended: boolean): void {
    if (ended) this.ended = true;
    if (this.finished) return;
    if (this.readingPaused) {
      if (end > start) this.pending = concatBytes([this.pending, source.subarray(start, end)]);
      this.connection.receiver.accountUnfinished(this, this.pending.length);
      return;
    }
    if (end > start) this.dataCallback?.(copyBytes(source, start, end));
    if (ended && !this.readingPaused) this.deliverEnd();
  }

  private deliverEnd(): void {
    const callback = this.endCallback;
    this.endCallback = null;
    callback?.();
  }

  send(status: number, headers: readonly (readonly [string, string])[], body: Uint8Array): void {
    if (this.finished || this.headersSent) return;
    this.headersSent = true;
    this.settle(0);
    const length = ['content-length', String(body.length)] as const;
    this.connection.respondPlain(this, status, [...headers, length], this.method === 'HEAD' ? null : body);
  }

  begin(status: number, headers: readonly (readonly [string, string])[]): void {
    if (this.finished || this.headersSent) return;
    this.headersSent = true;
    this.connection.sendPlainHeaders(this, status, headers, false);
  }

  write(chunk: Uint8Array): boolean {
    if (this.finished || this.method === 'HEAD') return true;
    this.connection.sender.sendBody(this, chunk);
    return this.hasRoom();
  }

  end(): void {
    if (this.finished) return;
    this.settle(0);
    this.connection.sender.endStream(this);
  }

  override fail(_code: number, _message: string): void {
    if (this.finished) return;
    this.settle(0);
    this.connection.resetStream(this, Http2Code.internalError);
  }
}
