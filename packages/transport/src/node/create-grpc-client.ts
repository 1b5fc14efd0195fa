import { createConnection, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Clock, Logger, Random } from '@quorate/base';
import { type Connect, GrpcClient, type GrpcClientSettings } from '@quorate/transport';
import { gunzip } from './gunzip.ts';
import { NetByteStream } from './net-byte-stream.ts';

export interface GrpcClientNodeDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
}

export interface GrpcClientNodeSettings extends Partial<Omit<GrpcClientSettings, 'scheme'>> {
  /** `host:port`, or `unix:PATH`. */
  readonly address: string;
  /** TLS with these options; plain without. */
  readonly tls?: ConnectionOptions;
}

type Target = { readonly path: string } | { readonly host: string; readonly port: number };

function parseAddress(address: string): Target {
  if (address.startsWith('unix:')) return { path: address.slice(5).replace(/^\/\/(?=\/)/, '') };
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(address.slice(colon + 1)) };
}

function connector(target: Target, tls: ConnectionOptions | undefined): Connect {
  return (onConnected, onFailed) => {
    try {
      connect(target, tls, onConnected, onFailed);
    } catch (error) {
      // A port that there cannot be is thrown.
      onFailed((error as Error).message);
    }
  };
}

function connect(
  target: Target,
  tls: ConnectionOptions | undefined,
  onConnected: Parameters<Connect>[0],
  onFailed: Parameters<Connect>[1],
): void {
  const onError = (error: Error) => onFailed(error.message || String((error as { code?: string }).code));
  const ready = (socket: Socket) => {
    socket.off('error', onError);
    onConnected(new NetByteStream(socket));
  };
  if (tls === undefined) {
    const socket = createConnection({ ...target, noDelay: true });
    socket.once('connect', () => ready(socket));
    socket.on('error', onError);
    return;
  }
  const socket = connectTls({ ...target, ALPNProtocols: ['h2'], ...serverName(target), ...tls });
  socket.once('secureConnect', () => {
    if (socket.alpnProtocol === 'h2') {
      ready(socket);
    } else {
      socket.destroy();
      onFailed('the server did not agree on h2 (ALPN)');
    }
  });
  socket.on('error', onError);
}

/** The name to send and check; none for addresses of IP, which TLS does not allow as one. */
function serverName(target: Target): { servername?: string } {
  if ('path' in target || /^[\d.]+$|:/.test(target.host)) return {};
  return { servername: target.host };
}

/** A gRPC client over TCP, TLS or a unix socket. Connects with the first call. */
export function createGrpcClient(deps: GrpcClientNodeDeps, settings: GrpcClientNodeSettings): GrpcClient {
  const { address, tls, ...rest } = settings;
  const target = parseAddress(address);
  return new GrpcClient(
    { ...deps, connect: connector(target, tls) },
    {
      authority: 'path' in target ? 'localhost' : address,
      gunzip,
      ...rest,
      scheme: tls === undefined ? 'http' : 'https',
    },
  );
}
