import { concatBytes, copyBytes } from '@quorate/base';
import { Http2Code } from '../http2/constants.ts';
import type { HttpBodyWriter, HttpFallback, HttpResponse } from './http-fallback.ts';
import { ServerCall } from './server-call.ts';

/** A request that is not gRPC: gathered whole and given to the fallback. */
export class HttpServerCall extends ServerCall implements HttpBodyWriter {
  private readonly chunks: Uint8Array[] = [];
  private length = 0;
  /** `write` said false and `onDrain` is owed. */
  private overflowed = false;
  private drainCallback: (() => void) | null = null;

  onBody(source: Uint8Array, start: number, end: number, ended: boolean): void {
    if (this.finished) return;
    this.length += end - start;
    if (this.length > this.connection.limits.messageBytesMax) {
      this.respond({ status: 413, headers: [], body: new Uint8Array(0) });
      return;
    }
    if (end > start) this.chunks.push(copyBytes(source, start, end));
    this.connection.accountUnfinished(this, this.length);
    if (ended) this.dispatch();
  }

  private dispatch(): void {
    const head = this.head;
    const request = {
      method: head.method,
      path: head.path,
      authority: head.authority,
      headers: head.metadata,
      body: concatBytes(this.chunks),
      peer: this.peer,
    };
    (this.connection.options.onHttpRequest as HttpFallback)(request, (response) => this.respond(response));
  }

  private respond(response: HttpResponse): void {
    if (this.finished || this.headersSent) return;
    this.headersSent = true;
    const head = this.head.method === 'HEAD';
    if (response.stream !== undefined && !head) {
      this.connection.sendPlainHeaders(this, response.status, response.headers, false);
      response.stream(this);
      return;
    }
    this.finished = true;
    const length = ['content-length', String(response.body.length)] as const;
    this.connection.respondPlain(this, response.status, [...response.headers, length], head ? null : response.body);
  }

  write(chunk: Uint8Array): boolean {
    if (this.finished) return true;
    this.connection.sender.sendBody(this, chunk);
    if ((this.queue?.bytes ?? 0) <= this.connection.options.streamHighWaterBytes) return true;
    this.overflowed = true;
    return false;
  }

  end(): void {
    if (this.finished) return;
    this.settle(0);
    this.connection.sender.endStream(this);
  }

  onDrain(callback: () => void): void {
    this.drainCallback = callback;
  }

  override onDrained(bytes: number): void {
    if (!this.overflowed || this.finished || bytes * 2 > this.connection.options.streamHighWaterBytes) return;
    this.overflowed = false;
    this.drainCallback?.();
  }

  override fail(_code: number, _message: string): void {
    if (this.finished) return;
    this.settle(0);
    this.connection.resetStream(this, Http2Code.internalError);
  }
}
