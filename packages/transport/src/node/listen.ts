import type { Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import type { GrpcServer, HttpFallback } from '@quorate/transport';
import { NetByteStream } from './net-byte-stream.ts';
import { sniffProtocol } from './sniff.ts';

export interface ListenAddress {
  /** Empty or left out: all addresses. */
  readonly host?: string;
  /** 0 for any free port. */
  readonly port?: number;
  /** A unix socket instead of host and port. */
  readonly path?: string;
}

export interface ListenOptions extends ListenAddress {
  /** Serves TLS. ALPN offers `h2` and, with an HTTP/1 server, `http/1.1`, unless it says otherwise. */
  readonly tls?: TlsOptions;
  /** Gets connections that speak HTTP/1, by its `connection` event. It need not listen. Without it they are cut. */
  readonly httpServer?: HttpServer;
  /** Answers requests over HTTP/2 that are not gRPC; without it they get 415. */
  readonly onHttpRequest?: HttpFallback;
  /** Judges a connection before a byte of it is read (after the TLS handshake): false cuts it. */
  readonly admit?: (socket: Socket) => boolean;
  /** TLS handshakes that failed, with the remote address. */
  readonly onTlsError?: (error: Error, address: string) => void;
  /** Connections at a time; more are cut. */
  readonly connectionsMax?: number;
}

/** A bound port. */
export interface Listener {
  /** `host:port` as bound, or the path. */
  readonly address: string;
  readonly port: number;
  /** The `node:net` or `node:tls` server, for `setSecureContext` and the like. */
  readonly server: Server;
  /** Accepts no more; connections that are open stay. Resolves at once. */
  close(): Promise<void>;
}

/** etcd's limit for handshakes, and ours for the first bytes. */
const handshakeTimeoutMs = 10_000;

/** Binds an address and feeds the gRPC server from it. Rejects when it cannot be bound. */
export function listen(grpc: GrpcServer, options: ListenOptions): Promise<Listener> {
  return bindServer(feedingServer(grpc, options), options);
}

/**
 * A server that feeds the gRPC server from its connections. It is not bound: either {@link bindServer} does that, or somebody else
 * accepts and hands the connections over, by its `connection` event.
 */
export function feedingServer(grpc: GrpcServer, options: ListenOptions): Server {
  const firstBytesMs = Math.min(grpc.options.limits.prefaceMs, 0x7fff_ffff);
  const httpServer = options.httpServer ?? null;
  const onSocket = (socket: Socket) => {
    if (options.admit !== undefined && !options.admit(socket)) {
      socket.destroy();
      return;
    }
    sniffProtocol(
      socket,
      httpServer,
      (http2) => grpc.accept(new NetByteStream(http2), options.onHttpRequest),
      firstBytesMs,
    );
  };
  const server = options.tls === undefined ? createServer({ noDelay: true }, onSocket) : tlsServer(options, onSocket);
  if (options.connectionsMax !== undefined) server.maxConnections = options.connectionsMax;
  return server;
}

/** Binds a server to the address in the options. Rejects when it cannot be bound. */
export function bindServer(server: Server, options: ListenAddress): Promise<Listener> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(bindOptions(options), () => {
      server.off('error', reject);
      resolve(listenerOf(server));
    });
  });
}

function bindOptions(options: ListenAddress): { path: string } | { port: number; host?: string } {
  if (options.path !== undefined) return { path: options.path };
  const port = options.port ?? 0;
  return options.host === undefined || options.host === '' ? { port } : { port, host: options.host };
}

function tlsServer(options: ListenOptions, onSocket: (socket: Socket) => void): Server {
  const protocols = options.httpServer === undefined ? ['h2'] : ['h2', 'http/1.1'];
  const server = createTlsServer(
    { ALPNProtocols: protocols, handshakeTimeout: handshakeTimeoutMs, ...options.tls },
    onSocket,
  );
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    options.onTlsError?.(error, `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`);
  });
  return server;
}

function listenerOf(server: Server): Listener {
  const bound = server.address() as AddressInfo | string;
  const port = typeof bound === 'string' ? 0 : bound.port;
  const host = typeof bound === 'string' ? bound : bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return {
    address: typeof bound === 'string' ? bound : `${host}:${port}`,
    port,
    server,
    close() {
      server.close();
      return Promise.resolve();
    },
  };
}
