import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { peerOfSocket } from '@quorate/transport/node';
import type { HeaderList, HttpAnswer, HttpHandler, HttpRequest, RequestHeaders } from '../../gateway/http-types.ts';
import { sendPaced } from '../../gateway/paced.ts';
import { Pipeline } from './pipeline.ts';
import { acceptWebSockets } from './web-socket.ts';

/** How long the headers of a request may take (etcd's figure). */
const headersTimeoutMs = 300_000;

/** A server of HTTP/1.1 and WebSockets over connections that listeners hand it by its `connection` event. */
export interface Http1Server {
  readonly server: Server;
  /** Closes idle connections, and the others once what they ask is answered. */
  finish(): void;
  /** Cuts every connection. */
  close(): void;
}

export function createHttp1Server(handler: HttpHandler): Http1Server {
  // Bodies have no time limit: that of a watch may go on as long as the watch.
  const server = createServer({ requestTimeout: 0, headersTimeout: headersTimeoutMs }, (message, response) => {
    const { socket } = message;
    busy.add(socket);
    response.shouldKeepAlive &&= !isFinishing;
    response.once('close', () => {
      busy.delete(socket);
      if (isFinishing) socket.destroySoon();
    });
    pipeline.take(socket, response, () => handler(requestOf(message), answerTo(message, response)));
  });
  const pipeline = new Pipeline();
  const connections = new Set<Socket>();
  /** Those with a request that is not answered, or a WebSocket. */
  const busy = new WeakSet<Socket>();
  let isFinishing = false;
  server.on('upgrade', (message: IncomingMessage) => busy.add(message.socket));
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  acceptWebSockets(server, handler);
  // Node heeds the limit for headers only once the server listens, and this one never does by itself.
  server.emit('listening');
  return {
    server,
    finish() {
      isFinishing = true;
      for (const socket of connections) if (!busy.has(socket)) socket.destroy();
    },
    close() {
      for (const socket of connections) socket.destroy();
      // Ends Node's checks of that limit; that the server was never bound is no news.
      server.close(() => {});
    },
  };
}

/** A request's headers, each value by itself. */
export function headersOf(message: IncomingMessage): RequestHeaders {
  const { rawHeaders } = message;
  return {
    get: (name) => {
      const value = message.headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    *entries() {
      for (let i = 0; i < rawHeaders.length; i += 2) {
        yield [(rawHeaders[i] as string).toLowerCase(), rawHeaders[i + 1] as string];
      }
    },
  };
}

/** A request as handlers have it. */
export function requestOf(message: IncomingMessage): HttpRequest {
  const { address, secure, certificate } = peerOfSocket(message.socket);
  // Without a reader the body is dropped.
  message.resume();
  return {
    method: message.method ?? 'GET',
    target: message.url ?? '/',
    headers: headersOf(message),
    body: {
      onData: (callback) => message.on('data', callback),
      onEnd: (callback) => message.once('end', callback),
      pause: () => message.pause(),
      resume: () => message.resume(),
    },
    secure,
    remoteAddress: address,
    commonName: certificate?.verified === true ? certificate.commonName : '',
  };
}

/** Where its answer goes. */
export function answerTo(message: IncomingMessage, response: ServerResponse): HttpAnswer {
  // A client that leaves in the middle is told of by `close` alone; without a listener for errors the process would end.
  message.on('error', () => {});
  response.on('error', () => {});
  const answer = {
    room: undefined,
    send: (status: number, headers: HeaderList, body: string | Uint8Array) => {
      if (response.headersSent || response.destroyed) return;
      response.writeHead(status, [...headers.flat(), 'Content-Length', String(Buffer.byteLength(body))]);
      response.end(body);
    },
    begin: (status: number, headers: HeaderList) => {
      if (response.headersSent || response.destroyed) return;
      response.writeHead(status, headers.flat());
    },
    write: (text: string | Uint8Array) => response.writableEnded || response.destroyed || response.write(text),
    end: () => void response.end(),
    onDrain: (callback: () => void) => void response.on('drain', callback),
    onClose: (callback: () => void) => {
      response.once('close', () => {
        if (!response.writableFinished) callback();
      });
    },
  };
  return { ...answer, sendPieces: (status, headers, pieces) => sendPaced(answer, status, headers, pieces) };
}
