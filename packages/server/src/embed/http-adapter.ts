import { createServer, type Server } from 'node:http';
import type { HttpFallback } from '@quorate/transport';
import { answerHttp, type HttpSource } from '../gateway/http-routes.ts';

/** Serves the plain HTTP routes over HTTP/1.1, on connections that the gRPC listener hands over. */
export function createHttpServer(source: HttpSource): Server {
  return createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    request.resume();
    const asked = { method: request.method ?? 'GET', target: request.url ?? '/' };
    answerHttp(source, asked).then((answer) => {
      response.writeHead(answer.status, { ...answer.headers, 'Content-Length': Buffer.byteLength(answer.body) });
      response.end(request.method === 'HEAD' ? undefined : answer.body);
    });
  });
}

/** Serves the same routes to requests over HTTP/2 that are not gRPC. */
export function http2Routes(source: HttpSource): HttpFallback {
  return (request, respond) => {
    answerHttp(source, { method: request.method, target: request.path }).then((answer) => {
      const headers = Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value] as const);
      respond({ status: answer.status, headers, body: Buffer.from(answer.body) });
    });
  };
}
