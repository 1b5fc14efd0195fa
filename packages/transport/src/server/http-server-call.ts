import { concatBytes, copyBytes } from '@quorate/base';
import { Http2Code } from '../http2/constants.ts';
import type { HttpFallback, HttpResponse } from './http-fallback.ts';
import { ServerCall } from './server-call.ts';

/** A request that is not gRPC: gathered whole and given to the fallback. */
export class HttpServerCall extends ServerCall {
  private readonly chunks: Uint8Array[] = [];
  private length = 0;

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
    if (this.finished) return;
    this.finished = true;
    const headers = [...response.headers, ['content-length', String(response.body.length)] as const];
    this.connection.respondPlain(this, response.status, headers, this.head.method === 'HEAD' ? null : response.body);
  }

  override fail(_code: number, _message: string): void {
    if (this.finished) return;
    this.settle(0);
    this.connection.resetStream(this, Http2Code.internalError);
  }
}
