import { rmSync } from 'node:fs';
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { CodedError, type Logger } from '@quorate/base';
import type { Resolver } from '../../tls/client-certificate.ts';
import { guardServer } from '../../tls/guard-server.ts';
import type { TlsMaterial } from '../../tls/tls-material.ts';
import type { IncomingPeerRequest, PeerAnswer, PeerHandler, PeerSink, PeerSinkEvents } from '../peer-edge.ts';

export interface PeerListenOptions {
  readonly logger: Logger;
  /** For `https` and `unixs` URLs. */
  readonly tls?: TlsMaterial;
  readonly resolver?: Resolver;
}

/** Bound peer URLs. */
export interface PeerListener {
  /** With the ports as bound. */
  readonly urls: readonly string[];
  /** Answers from now on; requests that came before have waited. */
  serve(handler: PeerHandler): void;
  /** Takes no more connections, lets answers finish for a moment, cuts the rest. */
  close(): Promise<void>;
}

const headersTimeoutMs = 5_000;
const closeGraceMs = 1_000;
const unreadBytesMax = 256 * 1024;

const httpOptions: ServerOptions = {
  // A snapshot takes as long as it takes: bodies have a limit on their pauses instead.
  requestTimeout: 0,
  headersTimeout: headersTimeoutMs,
  connectionsCheckingInterval: headersTimeoutMs,
  keepAliveTimeout: 10_000,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
};

/**
 * Binds the peer URLs (`http`, `https`, `unix`, `unixs`); port 0 takes any free one.
 * @throws CodedError `peer/listen` for a URL that cannot be bound
 */
export async function listenPeers(urls: readonly string[], options: PeerListenOptions): Promise<PeerListener> {
  const requests = new WaitingRequests();
  const bound: BoundUrl[] = [];
  const closeAll = () => Promise.all(bound.map(({ server }) => closeServer(server)));
  try {
    for (const url of urls) bound.push(await bind(url, requests.take, options));
  } catch (error) {
    await closeAll();
    throw error;
  }
  return {
    urls: bound.map(({ url }) => url),
    serve: (handler) => requests.serve(handler),
    close: async () => {
      const timer = setTimeout(() => {
        for (const { server } of bound) server.closeAllConnections();
      }, closeGraceMs);
      await closeAll();
      clearTimeout(timer);
    },
  };
}

interface BoundUrl {
  readonly url: string;
  readonly server: HttpServer;
}

/** Idle connections go at once. */
function closeServer(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

async function bind(url: string, take: RequestListener, options: PeerListenOptions): Promise<BoundUrl> {
  const match = /^(http|https|unix|unixs):\/\/(.+?)\/?$/.exec(url);
  if (match === null) throw new CodedError('peer/listen', `cannot listen on ${url}`);
  const [, scheme, address] = match as unknown as [string, string, string];
  const isSecure = scheme === 'https' || scheme === 'unixs';
  const server = isSecure ? secureServer(url, take, options) : createServer(httpOptions, take);
  const isUnix = scheme === 'unix' || scheme === 'unixs';
  // A socket left by a member that was killed would refuse the bind.
  if (isUnix) rmSync(address, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new CodedError('peer/listen', cause.message, { cause })));
    if (isUnix) server.listen(address, resolve);
    else server.listen(hostAndPort(url), resolve);
  });
  server.on('error', (error) => options.logger.warn('failed to accept a connection', { url, error: error.message }));
  if (isUnix) return { url, server };
  const { port } = server.address() as AddressInfo;
  return { url: `${scheme}://${address.replace(/:\d*$/, '')}:${port}`, server };
}

function hostAndPort(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port, protocol } = new URL(url);
  const standard = protocol === 'https:' ? 443 : 80;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? standard : Number(port) };
}

function secureServer(url: string, take: RequestListener, options: PeerListenOptions): HttpServer {
  const { logger, tls, resolver } = options;
  if (tls?.serverContext === undefined) {
    throw new CodedError('peer/listen', `cannot listen on TLS for ${url}: KeyFile and CertFile are not presented`);
  }
  const server = createSecureServer({ ...httpOptions, ...tls.serverOptions, ALPNProtocols: ['http/1.1'] }, take);
  guardServer(server, tls, { logger, endpoint: 'peer', ...(resolver === undefined ? {} : { resolver }) });
  return server;
}

/** Requests that come before the member can answer wait for it, however long. */
class WaitingRequests {
  private handler: PeerHandler | undefined;
  private waiting: (() => void)[] = [];

  readonly take = (request: IncomingMessage, response: ServerResponse): void => {
    // A connection that breaks is seen by `close`.
    response.on('error', () => {});
    const { handler } = this;
    if (response.destroyed) return;
    if (handler === undefined) {
      this.waiting.push(() => this.take(request, response));
      return;
    }
    handler.handle(incoming(request)).then((answer) => {
      if (!response.destroyed) respond(request, response, answer);
    });
  };

  serve(handler: PeerHandler): void {
    this.handler = handler;
    const { waiting } = this;
    this.waiting = [];
    for (const go of waiting) go();
  }
}

function incoming(request: IncomingMessage): IncomingPeerRequest {
  return {
    method: request.method ?? '',
    path: (request.url ?? '').replace(/[?#].*$/s, ''),
    remote: remoteText(request.socket),
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    // Left early it must not take the connection with it: the answer is still to be written.
    body: { [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array> },
  };
}

function remoteText(socket: Socket | TLSSocket): string {
  return `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
}

function respond(request: IncomingMessage, response: ServerResponse, answer: PeerAnswer): void {
  switch (answer.kind) {
    case 'abort':
      request.socket.destroy();
      return;
    case 'stream': {
      response.removeHeader('Connection');
      response.writeHead(200, answer.headers);
      response.flushHeaders();
      const sink = new ResponseSink(response);
      sink.events = answer.attach(sink);
      return;
    }
    case 'whole': {
      const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
      const isLast = answer.isLast === true || !isSoonComplete(request);
      if (isLast) response.setHeader('Connection', 'close');
      else response.removeHeader('Connection');
      response.writeHead(answer.status, {
        ...answer.headers,
        ...(answer.status === 204 ? {} : { 'Content-Length': body.length }),
      });
      // What is left of a body is read to nowhere, so that the sender gets to read the answer.
      if (!request.complete) request.resume();
      response.end(body);
      return;
    }
    default:
      answer satisfies never;
  }
}

/** Whether what is left of the body is so little that the connection can go on behind it; as much as Go reads to nowhere. */
function isSoonComplete(request: IncomingMessage): boolean {
  return request.complete || Number(request.headers['content-length']) <= unreadBytesMax;
}

/**
 * Each write goes to the socket at once: a leader sends its entries before it writes them to its own disk, and would wait for that if they
 * left at the end of the turn.
 */
class ResponseSink implements PeerSink {
  events: PeerSinkEvents | undefined;
  private readonly response: ServerResponse;
  private isClosed = false;
  private readonly flushed = (error?: Error | null): void => {
    if (!this.isClosed && !error) this.events?.flushed();
  };

  constructor(response: ServerResponse) {
    this.response = response;
    response.once('close', () => {
      if (this.isClosed) return;
      this.isClosed = true;
      this.events?.closed();
    });
  }

  get queuedBytes(): number {
    return this.isClosed ? 0 : this.response.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (this.isClosed) return;
    this.response.write(bytes, this.flushed);
    // Node holds what it writes of a chunk together until the end of the turn.
    this.response.socket?.uncork();
  }

  close(): void {
    if (this.isClosed) return;
    const isStuck = this.queuedBytes > 0;
    this.isClosed = true;
    if (isStuck) this.response.destroy();
    else this.response.end();
  }
}
