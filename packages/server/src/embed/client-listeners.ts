import { rmSync } from 'node:fs';
import type { Server as TlsServer } from 'node:tls';
import type { Clock, Logger } from '@quorate/base';
import { createGrpcServer, type GrpcServer } from '@quorate/transport';
import { type Listener, type ListenOptions, listen } from '@quorate/transport/node';
import type { MemberConfig } from '../config/config.ts';
import type { MemberUrl } from '../config/urls.ts';
import type { HttpHandler } from '../gateway/http-types.ts';
import { guardServer } from '../tls/guard-server.ts';
import { isSecure } from '../tls/open-tls.ts';
import type { TlsMaterial } from '../tls/tls-material.ts';
import { createHttp1Server, type Http1Server } from './http/http1-server.ts';
import { http2Handler } from './http/http2-handler.ts';

export interface ClientListenerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly grpc: GrpcServer;
  /** Answers what clients ask over HTTP. */
  readonly door: HttpHandler;
  /** Answers on the addresses for metrics. */
  readonly metricsDoor: HttpHandler;
  /** Undefined when no address is secure. */
  readonly tls: TlsMaterial | undefined;
  /** Of each listener; more are cut at once. */
  readonly connectionsMax: number;
}

/** What is spoken on an address. */
type Traffic = 'grpc+http' | 'grpc' | 'http' | 'metrics';

/** The addresses that clients connect to. */
export class ClientListeners {
  private readonly deps: ClientListenerDeps;
  private readonly config: MemberConfig;
  private readonly listeners: Listener[] = [];
  private readonly http: Http1Server;
  private readonly metricsHttp: Http1Server;
  /** Speaks HTTP/2 where gRPC is not served: it has no methods. */
  private readonly withoutMethods: GrpcServer;
  /** URLs that clients can use, with the ports as bound. */
  readonly urls: string[] = [];

  private constructor(deps: ClientListenerDeps, config: MemberConfig) {
    this.deps = deps;
    this.config = config;
    this.http = createHttp1Server(deps.door);
    this.metricsHttp = createHttp1Server(deps.metricsDoor);
    this.withoutMethods = createGrpcServer(deps, {});
  }

  /** Binds every address; none is left bound when one cannot be. */
  static async open(deps: ClientListenerDeps, config: MemberConfig): Promise<ClientListeners> {
    const listeners = new ClientListeners(deps, config);
    try {
      await listeners.bindAll();
      return listeners;
    } catch (error) {
      await listeners.finish();
      listeners.cut();
      throw error;
    }
  }

  private async bindAll(): Promise<void> {
    const { listenClientUrls, listenClientHttpUrls, listenMetricsUrls } = this.config;
    const own: Traffic = listenClientHttpUrls.length > 0 ? 'grpc' : 'grpc+http';
    for (const url of listenMetricsUrls) await this.bind(url, 'metrics');
    for (const url of listenClientUrls) this.urls.push(await this.bind(url, own));
    for (const url of listenClientHttpUrls) await this.bind(url, 'http');
  }

  private async bind(url: MemberUrl, traffic: Traffic): Promise<string> {
    // A socket left by a member that was killed would refuse the bind.
    if (isUnix(url)) rmSync(url.host, { force: true });
    const { grpc, logger } = this.deps;
    const server = traffic === 'http' || traffic === 'metrics' ? this.withoutMethods : grpc;
    const tls = isSecure(url) ? this.deps.tls : undefined;
    const listener = await listen(server, { ...this.speaking(traffic, tls), ...addressOf(url) });
    this.listeners.push(listener);
    listener.server.maxConnections = this.deps.connectionsMax;
    if (tls !== undefined) guardServer(listener.server as TlsServer, tls, { logger, endpoint: 'client' });
    // A connection that could not be accepted, for want of memory for example: without a listener for it the process would end.
    listener.server.on('error', (error) => logger.warn('failed to accept a connection', { error: error.message }));
    const href = boundUrl(url, listener);
    this.announce(href, traffic);
    return href;
  }

  /** On a plain address HTTP/2 is gRPC's alone: browsers and curl come with HTTP/1. */
  private speaking(traffic: Traffic, material: TlsMaterial | undefined): ListenOptions {
    const tls = material === undefined ? {} : { tls: material.serverOptions };
    if (traffic === 'grpc') return tls;
    const isMetrics = traffic === 'metrics';
    const httpServer = (isMetrics ? this.metricsHttp : this.http).server;
    const handler = isMetrics ? this.deps.metricsDoor : this.deps.door;
    return { ...tls, httpServer, ...(material === undefined ? {} : { onHttpRequest: http2Handler(handler) }) };
  }

  private announce(url: string, traffic: Traffic): void {
    const { logger } = this.deps;
    const address = url.replace(/^[a-z]+:\/\//, '');
    if (traffic === 'metrics') {
      logger.info('serving metrics', { address: url });
      return;
    }
    logger.info('ready to serve client requests');
    const message = /^(?:https|unixs):/.test(url)
      ? 'serving client traffic securely'
      : 'serving client traffic insecurely; this is strongly discouraged!';
    logger.info(message, { traffic, address });
  }

  /** Accepts no more connections, and no more requests over HTTP than are under way. */
  async finish(): Promise<void> {
    for (const listener of this.listeners) await listener.close();
    this.http.finish();
    this.metricsHttp.finish();
  }

  /** Cuts connections that speak HTTP. */
  cut(): void {
    this.http.close();
    this.metricsHttp.close();
    this.withoutMethods.close();
  }
}

function isUnix(url: MemberUrl): boolean {
  return url.scheme === 'unix' || url.scheme === 'unixs';
}

function addressOf(url: MemberUrl): ListenOptions {
  return isUnix(url) ? { path: url.host } : { host: url.host, port: url.port };
}

function boundUrl(url: MemberUrl, listener: Listener): string {
  if (url.port !== 0 || isUnix(url)) return url.href;
  return `${url.scheme}://${url.host}:${listener.port}`;
}
