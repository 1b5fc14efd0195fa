import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Server as HttpServer } from 'node:http';
import type { ConnectionOptions, Server as TlsServer } from 'node:tls';
import { type Logger, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeRandom } from '@quorate/base/node';
import { EndpointPool, registerProxy } from '@quorate/proxy';
import { createGrpcServer, type GrpcServer } from '@quorate/transport';
import { createGrpcClient, gunzip, type Listener, listen } from '@quorate/transport/node';
import { guardServer, MetricsRegistry, TlsMaterial } from 'quorate';
import { findEndpoints, syncEndpoints } from './endpoints.ts';
import { makePages } from './pages.ts';
import type { ProxyConfig } from './proxy-flags.ts';
import { ProxyRegistry } from './registry.ts';

/** A proxy that serves. */
export interface RunningProxy {
  /** `host:port` as bound. */
  readonly address: string;
  stop(): Promise<void>;
}

const grpcExtraBytes = 512 * 1024;
const drainMs = 7_000;

/** Starts a proxy in this process; resolves when it serves. Rejects with what is wrong. */
export async function startProxy(config: ProxyConfig, logger: Logger): Promise<RunningProxy> {
  const clock = new NodeClock();
  const dialTls = await readDialTls(config);
  const clientTls =
    config.clientTls.certFile === '' && config.clientTls.keyFile === ''
      ? undefined
      : await TlsMaterial.open(logger, config.clientTls);
  const endpoints = await findEndpoints(config);
  const upstream = new EndpointPool((address) => openClient(address, config, dialTls, logger), endpoints);
  const metrics = new MetricsRegistry();
  const grpc = createGrpcServer({ clock, logger, metrics }, { ...serverSettings(config), gunzip });
  const registry = registryOf(config, upstream, logger);
  const own = [{ name: config.hostname, address: config.advertiseAddress }];
  registerProxy(
    grpc,
    { upstream, clock },
    {
      namespace: utf8ToBytes(config.namespace),
      proxies: () => registry?.proxies ?? own,
    },
  );
  const pagesOf = () =>
    makePages({ endpoints: () => upstream.endpoints, tls: dialTls, ownMetrics: () => metrics.expose() });
  const pages = pagesOf();
  const listener = await open(config.listenAddress, grpc, pages, clientTls, logger);
  logger.info('listening for gRPC proxy client requests', { address: listener.address });
  const others = await openMetrics(config, pagesOf, logger);
  registry?.start();
  const sync = syncEndpoints(config, upstream, logger);
  logger.info('started gRPC proxy', { address: listener.address });
  return {
    address: listener.address,
    stop: async () => {
      clearInterval(sync);
      registry?.stop();
      await listener.close();
      for (const server of [...others, pages]) {
        server.close();
        server.closeAllConnections();
      }
      await grpc.drain(drainMs);
      upstream.close();
    },
  };
}

function serverSettings(config: ProxyConfig) {
  return {
    limits: { streamsMax: config.streamsMax, messageBytesMax: config.requestBytesMax + grpcExtraBytes },
    keepalive: {
      minTimeMs: config.keepaliveMinTimeMs,
      intervalMs: config.keepaliveIntervalMs || Number.POSITIVE_INFINITY,
      timeoutMs: config.keepaliveTimeoutMs || Number.POSITIVE_INFINITY,
    },
  };
}

/** How servers are dialled: with TLS as soon as one of the files for it is named. */
async function readDialTls(config: ProxyConfig): Promise<ConnectionOptions | undefined> {
  const { certFile, keyFile, caFile, skipsVerification } = config;
  if (certFile === '' && caFile === '' && !skipsVerification) return undefined;
  if ((certFile === '') !== (keyFile === '')) {
    throw new Error(`KeyFile and CertFile must both be present[key: ${keyFile}, cert: ${certFile}]`);
  }
  const [cert, key, ca] = await Promise.all(
    [certFile, keyFile, caFile].map((path) => (path === '' ? undefined : readFile(path))),
  );
  if (cert !== undefined) refuseCommonName(certFile, cert);
  return {
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: !skipsVerification,
  };
}

/** The servers would take every client of the proxy for the user of that name. */
function refuseCommonName(path: string, pem: Buffer): void {
  const [, name] = /(?:^|\n)CN=([^\n]*)/.exec(new X509Certificate(pem).subject) ?? [];
  if (name !== undefined && name !== '') throw new Error(`cert has non empty Common Name (${name}): ${path}`);
}

function openClient(address: string, config: ProxyConfig, tls: ConnectionOptions | undefined, logger: Logger) {
  return createGrpcClient(
    { clock: new NodeClock(), random: new NodeRandom(), logger },
    {
      address,
      keepaliveMs: config.dialKeepaliveMs || Number.POSITIVE_INFINITY,
      keepaliveTimeoutMs: config.dialKeepaliveTimeoutMs,
      keepaliveWithoutStream: config.dialWithoutStream,
      limits: { messageBytesMax: config.answerBytesMax },
      ...(tls === undefined ? {} : { tls }),
    },
  );
}

function registryOf(config: ProxyConfig, upstream: EndpointPool, logger: Logger): ProxyRegistry | undefined {
  const { resolverPrefix: prefix, resolverTtlSeconds: ttlSeconds, hostname: name, advertiseAddress: address } = config;
  return prefix === '' ? undefined : new ProxyRegistry(upstream, logger, { prefix, ttlSeconds, name, address });
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) };
}

async function open(
  address: string,
  grpc: GrpcServer,
  httpServer: HttpServer,
  tls: TlsMaterial | undefined,
  logger: Logger,
): Promise<Listener> {
  const secure = tls === undefined ? {} : { tls: tls.serverOptions };
  const listener = await listen(grpc, { ...hostAndPort(address), httpServer, ...secure });
  if (tls !== undefined) guardServer(listener.server as TlsServer, tls, { logger, endpoint: 'client' });
  listener.server.on('error', (error) => logger.warn('failed to accept a connection', { error: error.message }));
  return listener;
}

/** Listeners for the pages alone, without TLS. */
async function openMetrics(config: ProxyConfig, pagesOf: () => HttpServer, logger: Logger): Promise<HttpServer[]> {
  const servers: HttpServer[] = [];
  for (const url of config.metricsUrls) {
    const [, address] = /^http:\/\/([^/]+)\/?$/.exec(url) ?? [];
    if (address === undefined) throw new Error(`metrics-addr must be of the form http://host:port, not "${url}"`);
    const server = pagesOf();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(hostAndPort(address), resolve);
    });
    logger.info('gRPC proxy listening for metrics', { address });
    servers.push(server);
  }
  return servers;
}
