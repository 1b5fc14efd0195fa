import { rmSync } from 'node:fs';
import type { Server as TlsServer } from 'node:tls';
import { type Clock, CodedError, type Logger } from '@quorate/base';
import { createGrpcServer, type GrpcServer } from '@quorate/transport';
import { feedingServer, type ListenAddress, type ListenOptions } from '@quorate/transport/node';
import type { MemberConfig } from '../config/config.ts';
import type { MemberUrl } from '../config/urls.ts';
import type { HttpHandler } from '../gateway/http-types.ts';
import { guardServer } from '../tls/guard-server.ts';
import { isSecure } from '../tls/open-tls.ts';
import type { TlsMaterial } from '../tls/tls-material.ts';
import { HeldPort } from './held-port.ts';
import { createHttp1Server, type Http1Server } from './http/http1-server.ts';
import { http2Handler } from './http/http2-handler.ts';

export interface ClientListenerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Undefined when no address is secure. */
  readonly tls: TlsMaterial | undefined;
  /** Of each listener; more are cut at once. */
  readonly connectionsMax: number;
}

/** What is spoken on an address. */
type Traffic = 'grpc+http' | 'grpc' | 'http' | 'metrics';

interface BoundAddress {
  readonly url: MemberUrl;
  readonly traffic: Traffic;
  readonly port: HeldPort;
}

/** The addresses that clients connect to: bound before there is a member to serve them, since clients that come early wait, as in etcd. */
export class ClientListeners {
  private readonly deps: ClientListenerDeps;
  private readonly bound: BoundAddress[] = [];
  private readonly http: Http1Server[] = [];
  /** Speaks HTTP/2 where gRPC is not served: it has no methods. */
  private readonly withoutMethods: GrpcServer;
  /** URLs that clients can use, with the ports as bound. */
  readonly urls: string[] = [];

  private constructor(deps: ClientListenerDeps) {
    this.deps = deps;
    this.withoutMethods = createGrpcServer(deps, {});
  }

  /** Binds every address of clients; none is left bound when one cannot be. @throws CodedError config/start */
  static async open(deps: ClientListenerDeps, config: MemberConfig): Promise<ClientListeners> {
    const { listenClientUrls, listenClientHttpUrls } = config;
    deps.logger.info('configuring client listeners', {
      'listen-client-urls': listenClientUrls.map(({ href }) => href),
    });
    const shared = listenClientHttpUrls.find((url) => listenClientUrls.some((other) => isSameAddress(url, other)));
    if (shared !== undefined) {
      const text = 'cannot bind both --listen-client-urls and --listen-client-http-urls on the same url';
      throw new CodedError('config/start', `${text} ${shared.href}`);
    }
    const listeners = new ClientListeners(deps);
    const own: Traffic = listenClientHttpUrls.length > 0 ? 'grpc' : 'grpc+http';
    try {
      for (const url of listenClientUrls) listeners.urls.push(boundUrl(await listeners.bind(url, own)));
      for (const url of listenClientHttpUrls) await listeners.bind(url, 'http');
      return listeners;
    } catch (error) {
      await listeners.finish();
      listeners.cut();
      throw error;
    }
  }

  private async bind(url: MemberUrl, traffic: Traffic): Promise<BoundAddress> {
    // A socket left by a member that was killed would refuse the bind.
    if (isUnix(url)) rmSync(url.host, { force: true });
    const { logger, connectionsMax } = this.deps;
    const port = await HeldPort.bind(addressOf(url), { connectionsMax });
    // Without a listener for it the process would end.
    port.onError((error) => logger.warn('failed to accept a connection', { error: error.message }));
    const address = { url, traffic, port };
    this.bound.push(address);
    return address;
  }

  /** Serves metrics and health on addresses of their own, also before the member knows a leader. */
  async serveMetrics(urls: readonly MemberUrl[], door: HttpHandler): Promise<void> {
    if (urls.length === 0) return;
    const http = this.makeHttp(door);
    for (const url of urls) {
      const address = await this.bind(url, 'metrics');
      this.serveOn(address, this.withoutMethods, { door, http });
      this.deps.logger.info('serving metrics', { address: boundUrl(address) });
    }
  }

  /** Serves clients from now on, those that wait first. */
  serve(grpc: GrpcServer, door: HttpHandler): void {
    const { logger } = this.deps;
    const http = this.makeHttp(door);
    for (const address of this.bound) {
      const { url, traffic } = address;
      if (traffic === 'metrics') continue;
      logger.info('ready to serve client requests');
      this.serveOn(
        address,
        traffic === 'http' ? this.withoutMethods : grpc,
        traffic === 'grpc' ? undefined : { door, http },
      );
      const message = isSecure(url)
        ? 'serving client traffic securely'
        : 'serving client traffic insecurely; this is strongly discouraged!';
      logger.info(message, { traffic, address: boundUrl(address).replace(/^[a-z]+:\/\//, '') });
    }
  }

  private makeHttp(door: HttpHandler): Http1Server {
    const http = createHttp1Server(door);
    this.http.push(http);
    return http;
  }

  /** On a plain address HTTP/2 is gRPC's alone: browsers and curl come with HTTP/1. */
  private serveOn(
    { url, port }: BoundAddress,
    grpc: GrpcServer,
    web: { readonly door: HttpHandler; readonly http: Http1Server } | undefined,
  ): void {
    const { logger } = this.deps;
    const material = isSecure(url) ? this.deps.tls : undefined;
    const options: ListenOptions = {
      ...(material === undefined ? {} : { tls: material.serverOptions }),
      ...(web === undefined ? {} : { httpServer: web.http.server }),
      ...(web === undefined || material === undefined ? {} : { onHttpRequest: http2Handler(web.door) }),
    };
    const server = feedingServer(grpc, options);
    if (material !== undefined) guardServer(server as TlsServer, material, { logger, endpoint: 'client' });
    port.serve(server, material !== undefined);
  }

  /** Accepts no more connections, and no more requests over HTTP than are under way. */
  async finish(): Promise<void> {
    for (const { port } of this.bound) await port.close();
    for (const http of this.http) http.finish();
  }

  /** Cuts connections that speak HTTP. */
  cut(): void {
    for (const http of this.http) http.close();
    this.withoutMethods.close();
  }
}

function isUnix(url: MemberUrl): boolean {
  return url.scheme === 'unix' || url.scheme === 'unixs';
}

/** Any free port is another one each time. */
function isSameAddress(a: MemberUrl, b: MemberUrl): boolean {
  return isUnix(a) === isUnix(b) && a.host === b.host && a.port === b.port && (isUnix(a) || a.port !== 0);
}

function addressOf(url: MemberUrl): ListenAddress {
  return isUnix(url) ? { path: url.host } : { host: url.host, port: url.port };
}

function boundUrl({ url, port }: BoundAddress): string {
  if (url.port !== 0 || isUnix(url)) return url.href;
  return `${url.scheme}://${url.host}:${port.port}`;
}
