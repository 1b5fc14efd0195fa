import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Server as HttpServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions, Server as TlsServer } from 'node:tls';
import { etcdserverpb, services } from '@quorate/api';
import { type Logger, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeRandom } from '@quorate/base/node';
import { EndpointPool, OrderedUpstream, registerProxy } from '@quorate/proxy';
import { createGrpcServer, type GrpcServer } from '@quorate/transport';
import { createGrpcClient, gunzip, type Listener, listen } from '@quorate/transport/node';
import {
  guardServer,
  MetricsRegistry,
  makeProfilePages,
  type ProfilePages,
  TlsMaterial,
  withSelfSigned,
} from 'quorate';
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
const recoveryPauseMs = 1_000;
const { RangeRequest } = etcdserverpb;

/** Starts a proxy in this process; resolves when it serves. Rejects with what is wrong. */
export async function startProxy(config: ProxyConfig, logger: Logger): Promise<RunningProxy> {
  const clock = new NodeClock();
  const dialTls = await readDialTls(config);
  const clientTls = await openClientTls(config, logger);
  const endpoints = await findEndpoints(config, logger);
  const upstream = new EndpointPool((address) => openClient(address, config, dialTls, logger), endpoints);
  const metrics = new MetricsRegistry();
  const grpc = createGrpcServer({ clock, logger, metrics }, { ...serverSettings(config), gunzip });
  const registry = registryOf(config, upstream, logger);
  const ordered = config.isOrdered ? new OrderedUpstream(upstream, () => upstream.endpoints.length) : undefined;
  if (ordered !== undefined) await recoverOrder(ordered, logger);
  const own = [{ name: config.hostname, address: config.advertiseAddress }];
  registerProxy(
    grpc,
    { upstream, clock, ...(ordered === undefined ? {} : { ordered }) },
    {
      namespace: utf8ToBytes(config.namespace),
      proxies: () => registry?.proxies ?? own,
    },
  );
  const pagesOf = (profiles?: ProfilePages) =>
    makePages({ endpoints: () => upstream.endpoints, tls: dialTls, ownMetrics: () => metrics.expose(), profiles });
  const pages = pagesOf(config.servesProfiles ? makeProfilePages() : undefined);
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

/** What clients see; undefined without TLS. */
async function openClientTls(config: ProxyConfig, logger: Logger): Promise<TlsMaterial | undefined> {
  const { clientTls, selfSignedValidityYears: validityYears } = config;
  if (clientTls.certFile !== '' || clientTls.keyFile !== '') {
    return TlsMaterial.open(logger, { ...clientTls, autoTls: false });
  }
  if (!clientTls.autoTls) return undefined;
  const folder = join(config.dataDir, 'fixtures', 'proxy');
  const hosts = [hostAndPort(config.listenAddress).host];
  return TlsMaterial.open(logger, await withSelfSigned(logger, clientTls, { folder, hosts, validityYears }));
}

/** Reads until the servers have told how far they are: what clients were given by a proxy before is not older. */
async function recoverOrder(ordered: OrderedUpstream, logger: Logger): Promise<void> {
  logger.info('waiting for linearized read from cluster to recover ordering');
  const request = RangeRequest.encode(RangeRequest.create({ key: utf8ToBytes('_'), keysOnly: true }));
  for (;;) {
    const problem = await new Promise<string | undefined>((resolve) => {
      ordered.unary(services.KV.methods.Range.path, request, { metadata: [] }, (_code, message, answer) =>
        resolve(answer === null ? message : undefined),
      );
    });
    if (problem === undefined) return;
    logger.warn('ordering recovery failed, retrying in 1s', { error: problem });
    await sleep(recoveryPauseMs);
  }
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
