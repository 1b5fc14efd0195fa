import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest, Agent as SecureAgent } from 'node:https';
import type { Socket } from 'node:net';
import { CodedError, concatBytes, emptyBytes } from '@quorate/base';
import { handshakeTimeoutMs, type TlsMaterial } from '../../tls/tls-material.ts';
import type { PeerDialer, PeerExchange, PeerReply, PeerRequest, PeerStreamEvents } from '../peer-edge.ts';

export interface NodePeerDialerOptions {
  /** Until a connection stands: etcd waits 1 s and an election timeout. */
  readonly dialTimeoutMs: number;
  /** For `https` and `unixs` URLs. */
  readonly tls?: TlsMaterial;
}

const tcpKeepAliveMs = 30_000;
/** Connections of the pool that nobody uses are closed before etcd does it, which is after 5 to 10 s. */
const pooledIdleMs = 4_000;
const pooledPerHostMax = 1024;
/** Of an answer that is gathered as a whole. */
const replyBytesMax = 16 * 1024 * 1024;

/** The way to other members over sockets, by Node's own HTTP client. */
export class NodePeerDialer implements PeerDialer {
  private readonly options: NodePeerDialerOptions;
  private readonly pools: { readonly http: Agent; readonly https: SecureAgent };
  private readonly single: { readonly http: Agent; readonly https: SecureAgent };

  constructor(options: NodePeerDialerOptions) {
    this.options = options;
    const pooled = {
      keepAlive: true,
      keepAliveMsecs: tcpKeepAliveMs,
      timeout: pooledIdleMs,
      maxFreeSockets: pooledPerHostMax,
    };
    // A session that is taken up again is not verified again: whom to trust may have changed.
    const secure = { maxCachedSessions: 0 };
    this.pools = { http: new Agent(pooled), https: new SecureAgent({ ...pooled, ...secure }) };
    const single = { keepAlive: false };
    this.single = { http: new Agent(single), https: new SecureAgent({ ...single, ...secure }) };
  }

  /** Closes all connections. */
  close(): void {
    for (const { http, https } of [this.pools, this.single]) {
      http.destroy();
      https.destroy();
    }
  }

  request(request: PeerRequest, fresh = false): PeerExchange {
    let current: ClientRequest | undefined;
    const reply = new Promise<PeerReply>((resolve, reject) => {
      const attempt = (isFirst: boolean): void => {
        const sent = this.open(request, fresh);
        current = sent;
        sent.on('response', (response) => gatherReply(response).then(resolve, reject));
        sent.on('error', (error: NodeJS.ErrnoException) => {
          // The other end closed a pooled connection at the moment it was used again: that says nothing about it.
          if (isFirst && sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) attempt(false);
          else reject(unreachable(error));
        });
        sent.end(request.body);
      };
      attempt(true);
    });
    return { reply, cancel: () => current?.destroy(cancelled()) };
  }

  openStream(request: PeerRequest, events: PeerStreamEvents): { cancel(): void } {
    let isOver = false;
    const end = (error: Error | undefined): void => {
      if (isOver) return;
      isOver = true;
      events.ended(error);
    };
    const give = (sent: ClientRequest): void => {
      sent.on('error', end);
      sent.on('response', (response) => {
        if (isOver) return;
        events.answered(response.statusCode ?? 0, (name) => headerOf(response, name));
        response.on('data', (chunk: Uint8Array) => {
          if (!isOver) events.data(chunk);
        });
        response.on('end', () => end(undefined));
        response.on('error', end);
        response.on('close', () => end(new Error('the connection was closed')));
      });
      sent.end();
    };
    const sent = this.tryOpen(request, end);
    if (sent !== undefined) give(sent);
    return {
      cancel: () => {
        isOver = true;
        sent?.destroy();
      },
    };
  }

  upload(request: PeerRequest, body: AsyncIterable<Uint8Array>): PeerExchange {
    let sent: ClientRequest | undefined;
    const reply = new Promise<PeerReply>((resolve, reject) => {
      const opened = this.open(request, true);
      sent = opened;
      let isAnswered = false;
      opened.on('error', (error) => reject(unreachable(error)));
      opened.on('response', (response) => {
        isAnswered = true;
        gatherReply(response)
          .finally(() => opened.destroy())
          .then(resolve, reject);
      });
      writeBody(opened, body, () => isAnswered).then(
        () => opened.end(),
        (error: Error) => opened.destroy(error),
      );
    });
    return { reply, cancel: () => sent?.destroy(cancelled()) };
  }

  /** A URL or certificate that cannot be used is told in a later turn, as other failures are. */
  private tryOpen(request: PeerRequest, failed: (error: Error) => void): ClientRequest | undefined {
    try {
      return this.open(request, true);
    } catch (error) {
      setImmediate(() => failed(error as Error));
      return undefined;
    }
  }

  private open(request: PeerRequest, fresh: boolean): ClientRequest {
    const agents = fresh ? this.single : this.pools;
    const { isSecure, options } = targetOf(request);
    const common: RequestOptions = {
      ...options,
      method: request.method,
      path: request.path,
      headers: headersOf(request),
    };
    const { tls } = this.options;
    // Files that were renewed count a moment later: a dial that fails for want of them is repeated.
    if (isSecure) void tls?.refresh();
    const sent = isSecure
      ? httpsRequest({ ...common, agent: agents.https, ...tls?.clientOptions })
      : httpRequest({ ...common, agent: agents.http });
    // As Go's clients do: said neither way, and the connection may be used again.
    sent.removeHeader('Connection');
    sent.once('socket', (socket) => this.prepare(sent, socket, isSecure));
    return sent;
  }

  private prepare(sent: ClientRequest, socket: Socket, isSecure: boolean): void {
    if (!socket.connecting) return;
    const fail = (what: string) => () => sent.destroy(new Error(what));
    let timer = setTimeout(fail('dial timeout'), this.options.dialTimeoutMs);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, tcpKeepAliveMs);
      if (!isSecure) return;
      timer = setTimeout(fail('TLS handshake timeout'), handshakeTimeoutMs);
      socket.once('secureConnect', () => clearTimeout(timer));
    });
    socket.once('close', () => clearTimeout(timer));
  }
}

function targetOf({ url }: PeerRequest): { readonly isSecure: boolean; readonly options: RequestOptions } {
  const unix = /^(unixs?):\/\/(.*)$/.exec(url);
  if (unix !== null) {
    return { isSecure: unix[1] === 'unixs', options: { socketPath: (unix[2] as string).replace(/\/$/, '') } };
  }
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return { isSecure: protocol === 'https:', options: port === '' ? { host } : { host, port } };
}

function headersOf(request: PeerRequest): Record<string, string> {
  const { body, headers } = request;
  return body === undefined ? headers : { ...headers, 'Content-Length': String(body.length) };
}

function headerOf(response: IncomingMessage, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

async function gatherReply(response: IncomingMessage): Promise<PeerReply> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > replyBytesMax) throw new Error(`answer of more than ${replyBytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw unreachable(error as Error);
  }
  const body = length === 0 ? emptyBytes : concatBytes(chunks);
  return { status: response.statusCode ?? 0, header: (name) => headerOf(response, name), body };
}

/** Writes one chunk after the other, each when the one before has gone out; stops when there is an answer or no connection any more. */
async function writeBody(
  sent: ClientRequest,
  body: AsyncIterable<Uint8Array>,
  isAnswered: () => boolean,
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    sent.once('close', resolve);
  });
  for await (const chunk of body) {
    if (isAnswered() || sent.destroyed) return;
    const written = new Promise<void>((resolve) => {
      sent.write(chunk, () => resolve());
    });
    await Promise.race([written, closed]);
  }
}

function unreachable(cause: Error): CodedError<'peer/unreachable'> {
  return cause instanceof CodedError && cause.code === 'peer/unreachable'
    ? (cause as CodedError<'peer/unreachable'>)
    : new CodedError('peer/unreachable', cause.message, { cause });
}

function cancelled(): CodedError<'peer/unreachable'> {
  return new CodedError('peer/unreachable', 'called off');
}
