import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { type Clock, type Disk, type Logger, MemoryDisk } from '@quorate/base';
import { NodeClock, NodeDisk, NodeRandom } from '@quorate/base/node';
import { createGrpcServer, type GrpcServer } from '@quorate/transport';
import { gunzip, type Listener, type ListenOptions, listen } from '@quorate/transport/node';
import type { MemberConfig } from '../config/config.ts';
import type { MemberUrl } from '../config/urls.ts';
import { Member } from '../member/member.ts';
import { MetricsRegistry } from '../metrics/registry.ts';
import { noPeers } from '../replica/peer-network.ts';
import { createHttpServer, http2Routes } from './http-adapter.ts';
import { watchLoopDelay } from './loop-delay.ts';

export interface StartOptions {
  readonly logger: Logger;
  /** The member cannot go on and has stopped taking part: end the process. */
  readonly onFatal: (error: unknown) => void;
}

/** A member that serves. */
export interface RunningMember {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** URLs that clients can use, with the ports as bound. */
  readonly clientUrls: readonly string[];
  readonly member: Member;
  /** Finishes what is under way (bounded), hands the files back, resolves when all is closed. */
  stop(): Promise<void>;
}

const requestSlackMs = 5_000;
const grpcExtraBytes = 512 * 1024;

/** Starts a member in this process; resolves when it serves. @throws CodedError, UsageError */
export async function startMember(config: MemberConfig, options: StartOptions): Promise<RunningMember> {
  const { logger } = options;
  const clock = new NodeClock();
  const disk: Disk = config.inMemory ? new MemoryDisk() : new NodeDisk();
  const metrics = new MetricsRegistry();
  logger.info('starting an etcd server', {
    name: config.name,
    'data-dir': config.dataDir,
    'heartbeat-interval': `${config.heartbeatMs}ms`,
    'election-timeout': `${config.electionMs}ms`,
    'snapshot-count': config.snapshotCount,
    'snapshot-catchup-entries': config.snapshotCatchUpEntries,
    'listen-client-urls': config.listenClientUrls.map((url) => url.href),
    'advertise-client-urls': config.advertiseClientUrls.map((url) => url.href),
    'initial-cluster-token': config.initialClusterToken,
  });
  let fatal = false;
  const member = await Member.open(
    {
      clock,
      disk,
      random: new NodeRandom(),
      logger,
      metrics,
      network: noPeers,
      sha1: (bytes) => createHash('sha1').update(bytes).digest(),
      sha256: () => {
        const hash = createHash('sha256');
        return { update: (bytes) => void hash.update(bytes), finish: () => hash.digest() };
      },
      onFatal: (error) => {
        if (fatal) return;
        fatal = true;
        options.onFatal(error);
      },
    },
    config,
  );
  const stopLoopDelay = watchLoopDelay(metrics);
  const httpServer = createHttpServer(member);
  const grpc = makeGrpcServer(clock, logger, metrics, member, config);
  member.serveOn(grpc);
  try {
    await member.start();
    const listeners: Listener[] = [];
    for (const url of config.listenClientUrls) listeners.push(await bind(grpc, httpServer, url, config));
    const clientUrls = listeners.map((listener, i) => boundUrl(config.listenClientUrls[i] as MemberUrl, listener));
    for (const url of clientUrls) announce(logger, url);
    return {
      memberId: member.memberId,
      clusterId: member.clusterId,
      clientUrls,
      member,
      stop: () => stopMember({ member, grpc, httpServer, listeners, stopLoopDelay, config, logger }),
    };
  } catch (error) {
    stopLoopDelay();
    grpc.close();
    await member.stop();
    throw error;
  }
}

function makeGrpcServer(
  clock: Clock,
  logger: Logger,
  metrics: MetricsRegistry,
  member: Member,
  config: MemberConfig,
): GrpcServer {
  return createGrpcServer(
    { clock, logger, metrics },
    {
      limits: {
        streamsMax: config.concurrentStreamsMax,
        messageBytesMax: config.requestBytesMax + grpcExtraBytes,
      },
      keepalive: {
        minTimeMs: config.keepaliveMinTimeMs,
        intervalMs: config.keepaliveIntervalMs || Number.POSITIVE_INFINITY,
        timeoutMs: config.keepaliveTimeoutMs || Number.POSITIVE_INFINITY,
      },
      onHttpRequest: http2Routes(member),
      gunzip,
    },
  );
}

function bind(grpc: GrpcServer, httpServer: HttpServer, url: MemberUrl, config: MemberConfig): Promise<Listener> {
  const isSecure = url.scheme === 'https' || url.scheme === 'unixs';
  const tls = isSecure ? { tls: { cert: readFileSync(config.certFile), key: readFileSync(config.keyFile) } } : {};
  const common: ListenOptions = { httpServer, ...tls };
  if (url.scheme === 'unix' || url.scheme === 'unixs') {
    // A socket left by a member that was killed would refuse the bind.
    rmSync(url.host, { force: true });
    return listen(grpc, { ...common, path: url.host });
  }
  return listen(grpc, { ...common, host: url.host, port: url.port });
}

function boundUrl(url: MemberUrl, listener: Listener): string {
  if (url.port !== 0 || url.scheme === 'unix' || url.scheme === 'unixs') return url.href;
  return `${url.scheme}://${url.host}:${listener.port}`;
}

function announce(logger: Logger, url: string): void {
  logger.info('ready to serve client requests');
  const isSecure = url.startsWith('https') || url.startsWith('unixs');
  const message = isSecure
    ? 'serving client traffic securely'
    : 'serving client traffic insecurely; this is strongly discouraged!';
  logger.info(message, { traffic: 'grpc+http', address: url.replace(/^[a-z]+:\/\//, '') });
}

interface Running {
  readonly member: Member;
  readonly grpc: GrpcServer;
  readonly httpServer: HttpServer;
  readonly listeners: readonly Listener[];
  readonly stopLoopDelay: () => void;
  readonly config: MemberConfig;
  readonly logger: Logger;
}

async function stopMember(running: Running): Promise<void> {
  const { member, grpc, httpServer, listeners, config, logger } = running;
  logger.info('closing etcd server', { name: config.name, 'data-dir': config.dataDir });
  for (const listener of listeners) await listener.close();
  // Watches and keepalives would never end by themselves.
  member.streams.endAll('ErrGRPCStopped');
  httpServer.closeAllConnections();
  await grpc.drain(requestSlackMs + 2 * config.electionMs);
  logger.info('skipped leadership transfer for single voting member cluster', { 'local-member-id': member.memberId });
  await member.stop();
  running.stopLoopDelay();
  logger.info('closed etcd server', { name: config.name, 'data-dir': config.dataDir });
}
