import { createHash } from 'node:crypto';
import { type Clock, type Disk, type Logger, MemoryDisk } from '@quorate/base';
import { NodeClock, NodeDisk, NodeRandom } from '@quorate/base/node';
import { createGrpcServer, type GrpcServer } from '@quorate/transport';
import { gunzip } from '@quorate/transport/node';
import { AuditLog } from '../audit/audit-log.ts';
import { makeBcryptHashing } from '../auth/node/bcrypt-hashing.ts';
import { makeTokenProvider } from '../auth/node/make-token-provider.ts';
import { Passwords } from '../auth/passwords.ts';
import type { MemberConfig } from '../config/config.ts';
import { formatDuration } from '../config/duration.ts';
import type { MemberUrl } from '../config/urls.ts';
import { type LogOutput, openOutput } from '../logging/outputs.ts';
import { Member } from '../member/member.ts';
import { callObserver, clientRequests } from '../metrics/call-metrics.ts';
import { MetricsRegistry } from '../metrics/registry.ts';
import { openClientTls } from '../tls/open-tls.ts';
import { etcdVersion } from '../version.ts';
import { ClientListeners } from './client-listeners.ts';
import { findByRecords, findByRegistry } from './find-cluster.ts';
import { hostResolver } from './host-resolver.ts';
import { makeHttpSide } from './http-side.ts';
import { watchLoopDelay } from './loop-delay.ts';
import { openPeerSide, type PeerSide } from './peer-side.ts';
import { registerProcessMetrics } from './process-metrics.ts';

export interface StartOptions {
  readonly logger: Logger;
  /** The member cannot go on and has stopped taking part: end the process. */
  readonly onFatal: (error: unknown) => void;
  /** Of each client listener; more are cut at once. Any number by default. */
  readonly connectionsMax?: number;
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
export async function startMember(given: MemberConfig, options: StartOptions): Promise<RunningMember> {
  const { logger, connectionsMax = Number.POSITIVE_INFINITY } = options;
  const world: World = {
    clock: new NodeClock(),
    disk: given.inMemory ? new MemoryDisk() : new NodeDisk({ unsafeNoSync: given.unsafeNoFsync }),
    logger,
    metrics: new MetricsRegistry(),
  };
  logConfiguration(logger, given);
  // Not found out after the member is open.
  const audit = given.auditLog === '' ? undefined : openOutput(given.auditLog, undefined);
  let fatal = false;
  let giveUp: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  // Nobody waits for it once the member serves.
  failure.catch(() => {});
  // Bound before anything is opened, as in etcd: a port that is taken costs nothing, and other members wait instead of being refused.
  const located = await findByRecords(world, given);
  const peers = await openPeerSide(world, located);
  const tls = await beforeOpening(peers, () => openClientTls(logger, located, clientUrlsOf(located)));
  // A registry hears only of members that have their ports.
  const config = await beforeOpening(peers, () => findByRegistry(world, sha1, located));
  const member = await openMember(world, peers, config, (error) => {
    if (fatal) return;
    fatal = true;
    giveUp(error);
    options.onFatal(error);
  });
  logger.info('bootstrap successfully', { 'local-member-id': member.memberId, 'cluster-id': member.clusterId });
  const stopLoopDelay = watchLoopDelay(world.metrics);
  registerProcessMetrics(world.metrics);
  const grpc = makeGrpcServer(world, member, config, audit);
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
    const clients = await ClientListeners.open({ ...world, ...doors, grpc, tls, connectionsMax }, config);
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

function clientUrlsOf(config: MemberConfig): readonly MemberUrl[] {
  return [...config.listenClientUrls, ...config.listenClientHttpUrls, ...config.listenMetricsUrls];
}

/** Does a thing that may fail while only the peer ports are there. */
async function beforeOpening<R>(peers: PeerSide, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    await peers.close();
    throw error;
  }
}

function sha1(bytes: Uint8Array): Uint8Array {
  return createHash('sha1').update(bytes).digest();
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
        sha1,
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
  const hrefs = (urls: readonly MemberUrl[]) => urls.map(({ href }) => href);
  logger.info('starting an etcd server', {
    'etcd-version': etcdVersion,
    name: config.name,
    'data-dir': config.dataDir,
    'wal-dir': config.walDir,
    'force-new-cluster': config.forceNewCluster,
    'heartbeat-interval': formatDuration(config.heartbeatMs),
    'election-timeout': formatDuration(config.electionMs),
    'initial-election-tick-advance': config.initialElectionTickAdvance,
    'snapshot-count': config.snapshotCount,
    'max-wals': config.walsMax,
    'max-snapshots': config.snapshotsMax,
    'snapshot-catchup-entries': config.snapshotCatchUpEntries,
    'initial-advertise-peer-urls': hrefs(config.advertisePeerUrls),
    'listen-peer-urls': hrefs(config.listenPeerUrls),
    'advertise-client-urls': hrefs(config.advertiseClientUrls),
    'listen-client-urls': hrefs(config.listenClientUrls),
    'initial-cluster': [...config.initialCluster].flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`)).join(),
    'initial-cluster-state': config.initialClusterState,
    'initial-cluster-token': config.initialClusterToken,
    'quota-backend-bytes': config.quotaBytes,
    'max-request-bytes': config.requestBytesMax,
    'max-concurrent-streams': config.concurrentStreamsMax,
    'pre-vote': config.preVote,
    'strict-reconfig-check': config.strictReconfigCheck,
    'feature-gates': [...config.featureGates].map(([gate, isOn]) => `${gate}=${isOn}`).join(),
    'discovery-token': config.discovery.v3.token,
    'discovery-endpoints': config.discovery.v3.endpoints,
    'max-learners': config.learnersMax,
    'v2-deprecation': 'write-only',
  });
}

function makeGrpcServer(world: World, member: Member, config: MemberConfig, audit: LogOutput | undefined): GrpcServer {
  const { access } = member;
  const wrapper =
    audit &&
    new AuditLog({
      clock: world.clock,
      isOn: () => access.isOn,
      userOf: (call) => access.userOf(call),
      write: (line) => audit.write(line, 'info'),
    });
  return createGrpcServer(world, {
    ...(wrapper === undefined ? {} : { wrapper }),
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
