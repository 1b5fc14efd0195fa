import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { clientPrefaceText } from '@quorate/transport';

const preface = Buffer.from(clientPrefaceText, 'latin1');

/** Enough of the preface to tell it from any HTTP/1 request: `PRI * HTTP/2`. */
const decisiveBytes = 12;

/**
 * Waits for the first bytes of a connection and gives it, with these bytes put back, to `onHttp2` when they are a preface, else to the
 * HTTP/1 server (cut when there is none).
 * @param timeoutMs how long the first bytes may take before the socket is cut.
 */
export function sniffProtocol(
  socket: Socket,
  httpServer: HttpServer | null,
  onHttp2: (socket: Socket) => void,
  timeoutMs: number,
): void {
  let seen: Buffer = Buffer.alloc(0);
  const onError = () => socket.destroy();
  const onTimeout = () => socket.destroy();
  const onData = (bytes: Buffer) => {
    seen = seen.length === 0 ? bytes : Buffer.concat([seen, bytes]);
    const length = Math.min(seen.length, decisiveBytes);
    const http2 = preface.compare(seen, 0, length, 0, length) === 0;
    if (http2 && length < decisiveBytes) return;
    socket.off('data', onData);
    socket.off('error', onError);
    socket.off('timeout', onTimeout);
    socket.setTimeout(0);
    socket.pause();
    if (http2) {
      onHttp2(socket);
    } else if (httpServer === null) {
      socket.destroy();
      return;
    } else {
      httpServer.emit('connection', socket);
    }
    socket.unshift(seen);
    socket.resume();
  };
  socket.on('error', onError);
  socket.on('timeout', onTimeout);
  socket.setTimeout(timeoutMs);
  socket.on('data', onData);
}
