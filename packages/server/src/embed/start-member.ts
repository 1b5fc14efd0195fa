import { createHash } from 'node:crypto';
import { type Clock, CodedError, type Disk, type Logger, MemoryDisk } from '@quorate/base';
import { NodeClock, NodeDisk, NodeRandom } from '@quorate/base/node';
import { createGrpcServer, type GrpcServer, type HandlerWrapper } from '@quorate/transport';
import { gunzip } from '@quorate/transport/node';
import { AuditLog } from '../audit/audit-log.ts';
import { makeBcryptHashing } from '../auth/node/bcrypt-hashing.ts';
import { makeTokenProvider } from '../auth/node/make-token-provider.ts';
import { Passwords } from '../auth/passwords.ts';
import type { MemberConfig } from '../config/config.ts';
import type { TracingConfig } from '../config/tracing-config.ts';
import type { MemberUrl } from '../config/urls.ts';
import { RecentCalls } from '../gateway/recent-calls.ts';
import { Member } from '../member/member.ts';
import { callObserver, clientRequests } from '../metrics/call-metrics.ts';
import { MetricsRegistry } from '../metrics/registry.ts';
import type { RequestSpans } from '../rpc/request-spans.ts';
import { openClientTls } from '../tls/open-tls.ts';
import { type AuditFile, openAuditFile } from './audit-file.ts';
import { wrapperOf } from './call-wrappers.ts';
import { ClientListeners } from './client-listeners.ts';
import { findByRecords, findByRegistry, hasBegun } from './find-cluster.ts';
import { hostResolver } from './host-resolver.ts';
import { makeHttpSide } from './http-side.ts';
import { watchLoopDelay } from './loop-delay.ts';
import { openPeerSide, type PeerSide } from './peer-side.ts';
import { registerProcessMetrics } from './process-metrics.ts';
import { logClosing, logConfiguration, logServing } from './start-log.ts';
import type { Tracing } from './tracing/open-tracing.ts';
import { UndoStack } from './undo-stack.ts';

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
  const { logger } = options;
  const world: World = {
    clock: new NodeClock(),
    disk: given.inMemory ? new MemoryDisk() : new NodeDisk({ unsafeNoSync: given.unsafeNoFsync }),
    logger,
    metrics: new MetricsRegistry(),
  };
  const opened = new UndoStack();
  try {
    return await openAndServe(world, opened, given, options);
  } catch (error) {
    logClosing(logger, given, 'closing etcd server');
    await opened.undo((late) => logger.warn('failed to close what was open', { error: String(late) }));
    logClosing(logger, given, 'closed etcd server');
    throw error;
  }
}

/**
 * Ports are bound before anything is opened, as in etcd: one that is taken costs nothing, and other members and clients wait instead of
 * being refused. Clients are served once there is a leader who knows the member; metrics and health on ports of their own before.
 */
async function openAndServe(
  world: World,
  opened: UndoStack,
  given: MemberConfig,
  { logger, onFatal, connectionsMax = Number.POSITIVE_INFINITY }: StartOptions,
): Promise<RunningMember> {
  const located = await findByRecords(world, given);
  const peers = opened.add(await openPeerSide(world, located), (side) => side.close());
  const tls = await openClientTls(logger, located, clientUrlsOf(located), located.listenMetricsUrls);
  const clients = opened.add(
    await ClientListeners.open({ ...world, tls, connectionsMax }, located),
    async (listeners) => {
      await listeners.finish();
      listeners.cut();
    },
  );
  if (located.autoCompactionProblem !== '') {
    throw new CodedError('config/start', `error parsing CompactionRetention: ${located.autoCompactionProblem}`);
  }
  const audit = located.auditLog === '' ? undefined : await openAuditFile(located.auditLog, logger);
  if (audit !== undefined) opened.add(audit, (file) => file.close());
  const tracing = await openTracing(world, located.tracing);
  if (tracing !== undefined) opened.add(tracing, (one) => one.close());
  logConfiguration(logger, located, await hasBegun(world, located));
  // A registry hears only of members that have their ports.
  const config = await findByRegistry(world, sha1, located);
  const fatal = new FatalError(onFatal);
  const member = opened.add(await openMember(world, peers, config, tracing?.spans, fatal.happened), (one) =>
    one.stop(),
  );
  logger.info('bootstrap successfully', { 'local-member-id': member.memberId, 'cluster-id': member.clusterId });
  const stopLoopDelay = opened.add(watchLoopDelay(world.metrics), (stop) => stop());
  registerProcessMetrics(world.metrics);
  const recentCalls = config.recentCalls ? new RecentCalls(world.clock) : undefined;
  const auditLog = audit === undefined ? undefined : auditOf(world, member, audit);
  // Tracing is next to the services, which ask it for spans of their calls.
  const wrapper = wrapperOf([recentCalls, auditLog, tracing?.spans]);
  const grpc = opened.add(makeGrpcServer(world, member, config, wrapper), (server) => server.close());
  member.serveOn(grpc);
  const doors = makeHttpSide({ ...world, member, grpc, recentCalls }, config);
  await Promise.race([member.checkInitially(), fatal.thrown]);
  const started = member.start();
  peers.serve();
  await clients.serveMetrics(config.listenMetricsUrls, doors.metricsDoor);
  logServing(logger, config, member.memberId);
  // A member that breaks before it has a leader would be waited for without end.
  await Promise.race([started, fatal.thrown]);
  clients.serve(grpc, doors.door);
  let stopped: Promise<void> | undefined;
  return {
    memberId: member.memberId,
    clusterId: member.clusterId,
    clientUrls: clients.urls,
    member,
    stop: () => {
      stopped ??= stopMember({ member, peers, grpc, clients, stopLoopDelay, config, logger, audit, tracing });
      return stopped;
    },
  };
}

/** What the member cannot go on after: told once to whoever started it, and to a start that is under way. */
class FatalError {
  /** Rejects when it happens. */
  readonly thrown: Promise<never>;
  private reject: (error: unknown) => void = () => {};
  private hasHappened = false;
  private readonly onFatal: (error: unknown) => void;

  constructor(onFatal: (error: unknown) => void) {
    this.onFatal = onFatal;
    this.thrown = new Promise((_, reject) => {
      this.reject = reject;
    });
    // Nobody waits for it once the member serves.
    this.thrown.catch(() => {});
  }

  readonly happened = (error: unknown): void => {
    if (this.hasHappened) return;
    this.hasHappened = true;
    this.reject(error);
    this.onFatal(error);
  };
}

/** What a member takes from this machine. */
interface World {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
}

function clientUrlsOf(config: MemberConfig): readonly MemberUrl[] {
  return [...config.listenClientUrls, ...config.listenClientHttpUrls];
}

function sha1(bytes: Uint8Array): Uint8Array {
  return createHash('sha1').update(bytes).digest();
}

function openMember(
  world: World,
  peers: PeerSide,
  config: MemberConfig,
  spans: RequestSpans | undefined,
  onFatal: (error: unknown) => void,
): Promise<Member> {
  const random = new NodeRandom();
  return Member.open(
    {
      ...world,
      random,
      tokens: makeTokenProvider({ ...world, random }, config.authToken, config.authTokenTtlSeconds),
      passwords: new Passwords(makeBcryptHashing(config.bcryptCost, world.logger)),
      connect: (source) => peers.connect(source),
      peerClient: peers.client,
      resolver: hostResolver,
      spans,
      sha1,
      sha256: () => {
        const hash = createHash('sha256');
        return { update: (bytes) => void hash.update(bytes), finish: () => hash.digest() };
      },
      onFatal,
    },
    config,
  );
}

/** Nothing of tracing is loaded unless it is on. */
async function openTracing(world: World, config: TracingConfig | undefined): Promise<Tracing | undefined> {
  if (config === undefined) return undefined;
  const tracing = await import('./tracing/open-tracing.ts');
  return tracing.openTracing({ ...world, random: new NodeRandom() }, config);
}

function makeGrpcServer(
  world: World,
  member: Member,
  config: MemberConfig,
  wrapper: HandlerWrapper | undefined,
): GrpcServer {
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

function auditOf({ clock }: World, member: Member, { write }: AuditFile): AuditLog {
  return new AuditLog({
    clock,
    isOn: () => member.access.isOn,
    userOf: (call) => member.access.userOf(call),
    write,
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
  readonly audit: AuditFile | undefined;
  readonly tracing: Tracing | undefined;
}

async function stopMember(running: Running): Promise<void> {
  const { member, grpc, clients, config, logger } = running;
  logClosing(logger, config, 'closing etcd server');
  member.serving.end();
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
  await running.audit?.close();
  await running.tracing?.close();
  logClosing(logger, config, 'closed etcd server');
}
