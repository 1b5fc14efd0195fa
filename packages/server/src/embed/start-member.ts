import { createHash } from 'node:crypto';
import { type Clock, type Disk, type Logger, MemoryDisk } from '@quorate/base';
import { NodeClock, NodeDisk, NodeRandom } from '@quorate/base/node';
import { createGrpcServer, type GrpcServer } from '@quorate/transport';
import { gunzip } from '@quorate/transport/node';
import { makeBcryptHashing } from '../auth/node/bcrypt-hashing.ts';
import { makeTokenProvider } from '../auth/node/make-token-provider.ts';
import { Passwords } from '../auth/passwords.ts';
import type { MemberConfig } from '../config/config.ts';
import { Member } from '../member/member.ts';
import { callObserver, clientRequests } from '../metrics/call-metrics.ts';
import { MetricsRegistry } from '../metrics/registry.ts';
import { openClientTls } from '../tls/open-tls.ts';
import type { TlsMaterial } from '../tls/tls-material.ts';
import { ClientListeners } from './client-listeners.ts';
import { hostResolver } from './host-resolver.ts';
import { makeHttpSide } from './http-side.ts';
import { watchLoopDelay } from './loop-delay.ts';
import { openPeerSide, type PeerSide } from './peer-side.ts';
import { registerProcessMetrics } from './process-metrics.ts';

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
  const world: World = {
    clock: new NodeClock(),
    disk: config.inMemory ? new MemoryDisk() : new NodeDisk(),
    logger,
    metrics: new MetricsRegistry(),
  };
  logConfiguration(logger, config);
  let fatal = false;
  let giveUp: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  // Nobody waits for it once the member serves.
  failure.catch(() => {});
  // Bound before anything is opened, as in etcd: a port that is taken costs nothing, and other members wait instead of being refused.
  const peers = await openPeerSide(world, config);
  const tls = await openClientSide(world, peers, config);
  const member = await openMember(world, peers, config, (error) => {
    if (fatal) return;
    fatal = true;
    giveUp(error);
    options.onFatal(error);
  });
  logger.info('bootstrap successfully', { 'local-member-id': member.memberId, 'cluster-id': member.clusterId });
  const stopLoopDelay = watchLoopDelay(world.metrics);
  registerProcessMetrics(world.metrics);
  const grpc = makeGrpcServer(world, member, config);
  member.serveOn(grpc);
  const doors = makeHttpSide({ ...world, member, grpc }, config);
  try {
    await Promise.race([member.checkInitially(), failure]);
    // A member that breaks before it has a leader would be waited for without end.
    const started = member.start();
    peers.serve();
    await Promise.race([started, failure]);
    logger.info('configuring client listeners', {
      'listen-client-urls': config.listenClientUrls.map((url) => url.href),
    });
    const clients = await ClientListeners.open({ ...world, ...doors, grpc, tls }, config);
    let stopped: Promise<void> | undefined;
    return {
      memberId: member.memberId,
      clusterId: member.clusterId,
      clientUrls: clients.urls,
      member,
      stop: () => {
        stopped ??= stopMember({ member, peers, grpc, clients, stopLoopDelay, config, logger });
        return stopped;
      },
    };
  } catch (error) {
    stopLoopDelay();
    grpc.close();
    await member.stop().catch((late: unknown) => logger.warn('failed to close what was open', { error: String(late) }));
    await peers.close();
    throw error;
  }
}

/** What a member takes from this machine. */
interface World {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
}

/** What client ports need, before anything is opened. */
async function openClientSide(
  { logger }: World,
  peers: PeerSide,
  config: MemberConfig,
): Promise<TlsMaterial | undefined> {
  try {
    const urls = [...config.listenClientUrls, ...config.listenClientHttpUrls];
    return await openClientTls(logger, config, urls, config.listenMetricsUrls);
  } catch (error) {
    await peers.close();
    throw error;
  }
}

async function openMember(
  world: World,
  peers: PeerSide,
  config: MemberConfig,
  onFatal: (error: unknown) => void,
): Promise<Member> {
  try {
    const random = new NodeRandom();
    return await Member.open(
      {
        ...world,
        random,
        tokens: makeTokenProvider({ ...world, random }, config.authToken, config.authTokenTtlSeconds),
        passwords: new Passwords(makeBcryptHashing(config.bcryptCost, world.logger)),
        connect: (source) => peers.connect(source),
        peerClient: peers.client,
        resolver: hostResolver,
        sha1: (bytes) => createHash('sha1').update(bytes).digest(),
        sha256: () => {
          const hash = createHash('sha256');
          return { update: (bytes) => void hash.update(bytes), finish: () => hash.digest() };
        },
        onFatal,
      },
      config,
    );
  } catch (error) {
    await peers.close();
    throw error;
  }
}

function logConfiguration(logger: Logger, config: MemberConfig): void {
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
}

function makeGrpcServer(world: World, member: Member, config: MemberConfig): GrpcServer {
  return createGrpcServer(world, {
    observe: callObserver(world.metrics, config.extensiveMetrics),
    counterOf: clientRequests(world.metrics),
    limits: {
      streamsMax: config.concurrentStreamsMax,
      messageBytesMax: config.requestBytesMax + grpcExtraBytes,
    },
    keepalive: {
      minTimeMs: config.keepaliveMinTimeMs,
      intervalMs: config.keepaliveIntervalMs || Number.POSITIVE_INFINITY,
      timeoutMs: config.keepaliveTimeoutMs || Number.POSITIVE_INFINITY,
    },
    gunzip,
    slowUnary: { ms: member.slow.answerMs, answered: (stats) => member.slow.answered(stats) },
  });
}

interface Running {
  readonly member: Member;
  readonly peers: PeerSide;
  readonly grpc: GrpcServer;
  readonly clients: ClientListeners;
  readonly stopLoopDelay: () => void;
  readonly config: MemberConfig;
  readonly logger: Logger;
}

async function stopMember(running: Running): Promise<void> {
  const { member, grpc, clients, config, logger } = running;
  logger.info('closing etcd server', { name: config.name, 'data-dir': config.dataDir });
  member.serving.set(false);
  await clients.finish();
  // Watches and keepalives would never end by themselves.
  member.streams.close('ErrGRPCStopped');
  await grpc.drain(requestSlackMs + 2 * config.electionMs);
  await member.giveUpLeadership();
  // Other members are not answered any more before this one forgets them.
  const peersClosed = running.peers.close();
  await member.stop();
  await peersClosed;
  clients.cut();
  running.stopLoopDelay();
  logger.info('closed etcd server', { name: config.name, 'data-dir': config.dataDir });
}
