import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ByteStream, ByteStreamHandler, Peer, PeerCertificate } from '@quorate/transport';

function addressText(address: string | undefined, port: number | undefined): string {
  if (address === undefined) return 'unix';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function peerCertificate(socket: TLSSocket): PeerCertificate | null {
  const certificate = socket.getPeerCertificate();
  if (certificate === null || certificate.subject === undefined) return null;
  const names = certificate.subjectaltname;
  return {
    // There may be several; the last counts.
    commonName: [certificate.subject.CN].flat().at(-1) ?? '',
    alternativeNames: names === undefined ? [] : names.split(', '),
    serialNumber: certificate.serialNumber,
    verified: socket.authorized,
  };
}

/** Who is at the other end of a connected socket. */
export function peerOfSocket(socket: Socket): Peer {
  const secure = socket instanceof TLSSocket;
  return {
    address: addressText(socket.remoteAddress, socket.remotePort),
    localAddress: addressText(socket.localAddress, socket.localPort),
    secure,
    certificate: secure ? peerCertificate(socket) : null,
  };
}

/** A connected socket, plain or TLS, as a byte stream. */
export class NetByteStream implements ByteStream {
  readonly peer: Peer;
  private readonly socket: Socket;
  private handler: ByteStreamHandler | null = null;
  private reason = 'closed';
  private readonly whenWritten: () => void;

  constructor(socket: Socket) {
    this.socket = socket;
    this.peer = peerOfSocket(socket);
    this.whenWritten = () => this.handler?.onWritten();
    socket.setNoDelay(true);
  }

  setHandler(handler: ByteStreamHandler): void {
    this.handler = handler;
    const socket = this.socket;
    socket.on('data', (bytes: Uint8Array) => handler.onData(bytes));
    socket.on('end', () => handler.onEnd());
    socket.on('error', (error) => {
      this.reason = error.message;
    });
    socket.on('close', () => handler.onClose(this.reason));
  }

  write(chunks: readonly Uint8Array[]): void {
    const last = chunks.length - 1;
    if (last === 0) {
      this.socket.write(chunks[0] as Uint8Array, this.whenWritten);
      return;
    }
    this.socket.cork();
    for (let i = 0; i < last; i++) this.socket.write(chunks[i] as Uint8Array);
    this.socket.write(chunks[last] as Uint8Array, this.whenWritten);
    this.socket.uncork();
  }

  pauseReading(): void {
    this.socket.pause();
  }

  resumeReading(): void {
    this.socket.resume();
  }

  end(): void {
    if (!this.socket.writableEnded) this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }
}
