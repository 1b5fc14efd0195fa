import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { peerOfSocket } from '@quorate/transport/node';
import { type WebSocket, WebSocketServer } from 'ws';
import type { HttpAnswer, HttpHandler, HttpRequest, RequestHeaders } from '../../gateway/http-types.ts';

/** Bytes on their way to a client from which on a writer waits. */
const highWaterBytes = 256 * 1024;
/** Of a frame from a client. */
const frameBytesMax = 16 * 1024 * 1024;
const bearer = 'Bearer';
const lineEnd = 0x0a;

/**
 * Takes WebSockets on every path of the gateway: a frame of the client is a line of the request, which is always a POST, and each line of
 * the answer is a frame.
 */
export function acceptWebSockets(server: Server, handler: HttpHandler): void {
  const upgrades = new WebSocketServer({
    noServer: true,
    // The token follows the name; only the name is answered.
    handleProtocols: (protocols) => (protocols.has(bearer) ? bearer : false),
    perMessageDeflate: false,
    maxPayload: frameBytesMax,
  });
  server.on('upgrade', (message: IncomingMessage, socket: Socket, head: Buffer) => {
    const isWebSocket = message.headers.upgrade?.toLowerCase() === 'websocket';
    if (isWebSocket && /^\/v3(?:beta)?\//.test(message.url ?? '')) {
      upgrades.handleUpgrade(message, socket, head, (webSocket) => exchange(message, webSocket, handler));
    } else {
      serveWithoutUpgrade(server, message, socket, head);
    }
  });
}

/** A client may offer a protocol that we do not speak (curl offers h2c): its request is served as if it had not. */
function serveWithoutUpgrade(server: Server, message: IncomingMessage, socket: Socket, head: Buffer): void {
  const lines = [`${message.method} ${message.url} HTTP/${message.httpVersion}`];
  const { rawHeaders } = message;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!/^(?:upgrade|connection|http2-settings)$/i.test(name)) lines.push(`${name}: ${rawHeaders[i + 1]}`);
  }
  server.emit('connection', socket);
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
}

function exchange(message: IncomingMessage, webSocket: WebSocket, handler: HttpHandler): void {
  // What a client does wrong closes its socket; without a listener the process would end.
  webSocket.on('error', () => webSocket.terminate());
  const { address, secure, certificate } = peerOfSocket(message.socket);
  const request: HttpRequest = {
    method: 'POST',
    target: message.url ?? '/',
    headers: headersOf(message),
    body: {
      onData: (callback) => {
        webSocket.on('message', (frame) => callback(Buffer.concat([frame as Buffer, Buffer.from('\n')])));
      },
      onEnd: (callback) => void webSocket.once('close', callback),
      pause: () => webSocket.pause(),
      resume: () => webSocket.resume(),
    },
    secure,
    remoteAddress: address,
    commonName: certificate?.verified === true ? certificate.commonName : '',
  };
  handler(request, new WebSocketAnswer(webSocket));
}

/** Of the upgrade's headers few count for the call; the token comes by a cookie, or behind the subprotocol `Bearer`. */
function headersOf(message: IncomingMessage): RequestHeaders {
  const { host, origin, referer, cookie = '' } = message.headers;
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries({ host, origin, referer })) {
    if (value !== undefined) headers.set(name, value);
  }
  const [protocol, offered] = (message.headers['sec-websocket-protocol'] ?? '').split(',').map((part) => part.trim());
  const token = /(?:^|;)\s*token=([^;]*)/.exec(cookie)?.[1] ?? (protocol === bearer ? offered : undefined);
  if (token !== undefined && token !== '') headers.set('authorization', `${bearer} ${token}`);
  return { get: (name) => headers.get(name), entries: () => headers };
}

class WebSocketAnswer implements HttpAnswer {
  readonly room = undefined;
  private readonly webSocket: WebSocket;
  /** Frames that are not with the system yet. */
  private unsent = 0;
  private overflowed = false;
  private ended = false;
  private drainCallback: () => void = () => {};

  constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
  }

  send(_status: number, _headers: unknown, body: string | Uint8Array): void {
    const text = typeof body === 'string' ? body : Buffer.from(body).toString();
    for (const line of text.split('\n')) if (line !== '') this.write(line);
    this.end();
  }

  /** A frame must be whole. */
  sendPieces(_status: number, _headers: unknown, pieces: readonly Uint8Array[]): void {
    this.write(Buffer.concat(pieces));
    this.end();
  }

  /** There is no head to see on a WebSocket. */
  begin(): void {}

  write(text: string | Uint8Array): boolean {
    const { webSocket } = this;
    if (this.ended || webSocket.readyState !== webSocket.OPEN) return true;
    this.unsent++;
    const line = typeof text === 'string' ? Buffer.from(text) : text;
    const frame = line.at(-1) === lineEnd ? line.subarray(0, -1) : line;
    webSocket.send(frame, { binary: false }, () => this.sent());
    this.overflowed ||= webSocket.bufferedAmount > highWaterBytes;
    return !this.overflowed;
  }

  private sent(): void {
    this.unsent--;
    if (this.ended && this.unsent === 0) this.webSocket.terminate();
    if (!this.overflowed || this.webSocket.bufferedAmount > highWaterBytes / 2) return;
    this.overflowed = false;
    this.drainCallback();
  }

  /** Closes the connection behind what was written, without a close frame. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    if (this.unsent === 0) this.webSocket.terminate();
  }

  onDrain(callback: () => void): void {
    this.drainCallback = callback;
  }

  onClose(callback: () => void): void {
    this.webSocket.once('close', () => {
      if (!this.ended) callback();
    });
  }
}
