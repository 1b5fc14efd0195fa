import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { ProfilePages } from 'quorate';

export interface PagesDeps {
  /** `host:port` of the servers. */
  readonly endpoints: () => readonly string[];
  /** How they are dialled; undefined without TLS. */
  readonly tls: RequestOptions | undefined;
  readonly ownMetrics: () => string;
  /** Undefined where profiles are not served. */
  readonly profiles: ProfilePages | undefined;
}

const backendTimeoutMs = 10_000;
const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/** Metrics and health over HTTP/1.1: those of a server under the usual names, those of the proxy under `/proxy`. Profiles of the process. */
export function makePages(deps: PagesDeps): Server {
  return createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    request.resume();
    if (deps.profiles?.(request, response) === true) return;
    const [path = '/'] = (request.url ?? '/').split('?');
    if (path === '/metrics' || path === '/health') passOn(deps, request.url ?? path, response);
    else if (path === '/proxy/metrics') answer(response, 200, metricsType, deps.ownMetrics());
    else if (path === '/proxy/health') answer(response, 200, 'application/json', '{"health":"true","reason":""}');
    else answer(response, 404, 'text/plain; charset=utf-8', '404 page not found\n');
  });
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

/** Asks the servers one after the other until one answers. */
function passOn(deps: PagesDeps, target: string, response: ServerResponse): void {
  const endpoints = [...deps.endpoints()];
  const start = Math.floor(Math.random() * endpoints.length);
  const attempt = (tried: number) => {
    if (tried === endpoints.length) {
      answer(response, 503, 'application/json', '{"health":"false","reason":"no server answers"}\n');
      return;
    }
    const endpoint = endpoints[(start + tried) % endpoints.length] as string;
    get(endpoint, target, deps.tls, (found) => {
      if (found === undefined) attempt(tried + 1);
      else {
        response.writeHead(found.statusCode ?? 502, { 'Content-Type': found.headers['content-type'] ?? metricsType });
        found.on('error', () => response.destroy());
        found.pipe(response);
      }
    });
  };
  attempt(0);
}

/** Calls back once. */
function get(
  endpoint: string,
  target: string,
  tls: RequestOptions | undefined,
  callback: (response: IncomingMessage | undefined) => void,
): void {
  const url = `${tls === undefined ? 'http' : 'https'}://${endpoint}${target}`;
  const options = { timeout: backendTimeoutMs, ...tls };
  let isAnswered = false;
  const once = (response: IncomingMessage | undefined) => {
    if (isAnswered) return;
    isAnswered = true;
    callback(response);
  };
  const request = tls === undefined ? httpRequest(url, options, once) : httpsRequest(url, options, once);
  request.on('error', () => once(undefined));
  request.on('timeout', () => request.destroy());
  request.end();
}
