import { etcdserverpb } from '@quorate/api';
import { type Clock, type Logger, latin1FromBytes, latin1ToBytes, type Timer, utf8ToBytes } from '@quorate/base';
import {
  AlarmStore,
  Applier,
  type ApplyResult,
  type Cluster,
  hashKeys,
  LeaseExpiry,
  Lessor,
  leaseTtlSecondsMin,
  type MvccStore,
  openStore,
  Quota,
  WatchHub,
} from '@quorate/machine';
import { type Message, type RawNode, toConfState } from '@quorate/raft';
import { BucketId, MetaKey } from '@quorate/storage';
import type { GrpcServer, UnaryCall } from '@quorate/transport';
import type { MemberConfig } from '../config/config.ts';
import type { HttpSource } from '../gateway/http-routes.ts';
import { Replica, type RoleStatus } from '../replica/replica.ts';
import { RequestIds } from '../replica/request-ids.ts';
import { failCall } from '../rpc/answers.ts';
import { registerCluster } from '../rpc/cluster.ts';
import { HeaderBytes } from '../rpc/header-bytes.ts';
import { registerHealth } from '../rpc/health.ts';
import { registerKeyValue } from '../rpc/kv.ts';
import { registerLease } from '../rpc/lease.ts';
import { alarmName, registerMaintenance } from '../rpc/maintenance.ts';
import { type MemberContext, OpenStreams } from '../rpc/member-context.ts';
import { type Proposals, RequestField } from '../rpc/proposals.ts';
import { registerWatch } from '../rpc/watch.ts';
import { clusterVersion } from '../version.ts';
import { EntryMachine } from './entry-machine.ts';
import type { MemberDeps } from './member-deps.ts';
import { registerMemberMetrics } from './member-metrics.ts';
import { type MemberStorage, openMemberStorage } from './open-storage.ts';
import { encodeAlarm, Publisher } from './publisher.ts';
import { makeNode } from './raft-node.ts';
import { ServingState } from './serving-state.ts';
import { Snapshotter } from './snapshotter.ts';

/** What a request may take besides two election timeouts (etcd's figure). */
const requestSlackMs = 5_000;
/** Election timeouts without a leader after which streams with `hasleader` end. */
const leaderMissesMax = 3;

/**
 * A member of a cluster: its storage, its state machine and its replica put together, without sockets. Everything from
 * outside comes in through {@link MemberDeps}.
 */
export class Member implements MemberContext, HttpSource {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly streams = new OpenStreams();
  readonly serving = new ServingState();
  readonly cluster: Cluster;
  readonly store: MvccStore;
  readonly config: MemberConfig;
  private readonly deps: MemberDeps;
  private readonly storage: MemberStorage;
  private readonly node: RawNode;
  private readonly machine: EntryMachine;
  private readonly alarmStore: AlarmStore;
  private readonly lessor: Lessor;
  private readonly expiry: LeaseExpiry;
  private readonly hub: WatchHub;
  private readonly quota: Quota;
  private readonly replica: Replica<ApplyResult>;
  private readonly snapshotter: Snapshotter;
  private readonly publisher: Publisher;
  private readonly header: HeaderBytes;
  private server: GrpcServer | undefined;
  private loggedLeader = 0n;
  private leaderCheck: Timer | undefined;
  /** Calls that wait for the NOSPACE alarm that is on its way; undefined when none is. */
  private awaitingNoSpace: (() => void)[] | undefined;

  private constructor(
    deps: MemberDeps,
    config: MemberConfig,
    storage: MemberStorage,
    lessor: Lessor,
    store: MvccStore,
  ) {
    this.deps = deps;
    this.config = config;
    this.storage = storage;
    this.clock = deps.clock;
    this.logger = deps.logger;
    this.memberId = storage.memberId;
    this.clusterId = storage.clusterId;
    this.cluster = storage.cluster;
    this.lessor = lessor;
    this.store = store;
    const { backend } = storage;
    const requestTimeoutMs = requestSlackMs + 2 * config.electionMs;
    this.quota = new Quota(() => backend.size(), config.quotaBytes);
    this.alarmStore = new AlarmStore(backend);
    this.node = makeNode(deps, config, storage);
    this.header = new HeaderBytes(this.clusterId, this.memberId, () => this.machine.appliedTerm);
    this.hub = new WatchHub(
      {
        history: store,
        clock: deps.clock,
        random: deps.random,
        writeHeader: this.header.writer,
        metrics: deps.metrics,
      },
      { fragmentBytes: config.requestBytesMax + 512 * 1024, progressIntervalMs: config.watchProgressIntervalMs },
    );
    store.setSink(this.hub);
    this.expiry = new LeaseExpiry(
      {
        clock: deps.clock,
        lessor,
        revoke: (ids) => this.revokeExpired(ids),
        logger: deps.logger,
        metrics: deps.metrics,
      },
      { retryMs: requestTimeoutMs },
    );
    this.machine = this.makeMachine();
    this.snapshotter = new Snapshotter(
      { ...deps, ...storage },
      {
        snapshotCount: config.snapshotCount,
        catchUpEntries: config.snapshotCatchUpEntries,
        walsMax: config.walsMax,
        snapshotsMax: config.snapshotsMax,
      },
      storage.snapshot.index,
    );
    this.replica = this.makeReplica(requestTimeoutMs);
    this.publisher = new Publisher({
      clock: deps.clock,
      proposals: this.replica,
      cluster: this.cluster,
      logger: deps.logger,
      memberId: this.memberId,
      name: config.name,
      clientUrls: config.advertiseClientUrls.map((url) => url.href),
    });
    registerMemberMetrics(deps.metrics, this, storage.backend, this.replica);
  }

  /** Opens what is on disk, restores what is in memory; takes part once {@link start} is called. @throws CodedError, UsageError */
  static async open(deps: MemberDeps, config: MemberConfig): Promise<Member> {
    let member: Member | undefined;
    const own: MemberDeps = {
      ...deps,
      onFatal: (error) => {
        member?.cease();
        deps.onFatal(error);
      },
    };
    const storage = await openMemberStorage(own, config);
    try {
      member = await Member.over(own, config, storage);
      return member;
    } catch (error) {
      await closeStorage(storage);
      throw error;
    }
  }

  private static async over(deps: MemberDeps, config: MemberConfig, storage: MemberStorage): Promise<Member> {
    const electionTicks = Math.floor(config.electionMs / config.heartbeatMs);
    const lessor = new Lessor(
      { backend: storage.backend, logger: deps.logger, metrics: deps.metrics },
      { ttlSecondsMin: leaseTtlSecondsMin(electionTicks, config.heartbeatMs) },
    );
    const store = await openStore(
      { backend: storage.backend, clock: deps.clock, random: deps.random, logger: deps.logger, leases: lessor },
      { compactionBatch: config.compactionBatchLimit, compactionPauseMs: config.compactionSleepMs },
    );
    const member = new Member(deps, config, storage, lessor, store);
    deps.logger.info(storage.bootstrap === undefined ? 'restarting local member' : 'starting local member', {
      'local-member-id': member.memberId,
      'cluster-id': member.clusterId,
      'commit-index': storage.raftStorage.initialState().hardState.commit,
    });
    return member;
  }

  /** Something broke, perhaps in the middle of an entry: nothing more may become durable or be answered. */
  private cease(): void {
    this.storage.backend.abandon();
    this.replica.stop();
  }

  private makeMachine(): EntryMachine {
    const { backend, cluster } = this.storage;
    const applier = new Applier(
      {
        store: this.store,
        alarms: this.alarmStore,
        leases: this.lessor,
        membership: {
          setAttributes: (id, name, clientUrls) => cluster.setAttributes(id, name, clientUrls),
          setDowngrade: (isEnabled, targetVersion) => cluster.setDowngrade(isEnabled, targetVersion),
          setClusterVersion: (version) => {
            cluster.setClusterVersion(version);
            backend.put(BucketId.meta, latin1ToBytes(MetaKey.storageVersion), utf8ToBytes(clusterVersion));
            this.logger.info('cluster version is updated', { 'cluster-version': version });
            this.logger.info('enabled capabilities for version', { 'cluster-version': version });
          },
        },
        quota: this.quota,
        logger: this.logger,
        onOverQuota: () => this.raiseNoSpace(),
        isAwaited: (idHigh, idLow) => this.replica.isAwaited(idHigh, idLow),
      },
      this.storage.snapshot.index,
    );
    return new EntryMachine({
      applier,
      cluster,
      backend,
      node: this.node,
      logger: this.logger,
      memberId: this.memberId,
      onRemoved: () => this.deps.onFatal(new Error('the member has been permanently removed from the cluster')),
      onBatch: () => this.batchApplied(),
    });
  }

  private makeReplica(requestTimeoutMs: number): Replica<ApplyResult> {
    const { deps, config, storage } = this;
    return new Replica<ApplyResult>(
      {
        clock: deps.clock,
        logger: deps.logger,
        node: this.node,
        raftStorage: storage.raftStorage,
        log: storage.wal,
        machine: this.machine,
        network: deps.network,
        ids: new RequestIds(this.memberId, deps.clock.wallMs()),
        onFatal: deps.onFatal,
        onRoleChange: (role) => this.roleChanged(role),
        flushAnswers: () => this.server?.flush(),
        installSnapshot: () => Promise.reject(new Error('a snapshot came from another member, which is not taken yet')),
      },
      {
        confState: toConfState(this.node.status().config),
        heartbeatMs: config.heartbeatMs,
        requestTimeoutMs,
        requestBytesMax: config.requestBytesMax,
      },
    );
  }

  /** Begins to take part. Resolves when the member has told the cluster who it is, so when there is a leader. */
  async start(): Promise<void> {
    this.logger.info('starting etcd server', {
      'local-member-id': this.memberId,
      'cluster-id': this.clusterId,
      'cluster-version': this.cluster.version ?? 'to_be_decided',
    });
    this.replica.start();
    this.checkLeader(0);
    await this.publisher.published;
    this.serving.set(true);
  }

  /** Looks once an election timeout whether a leader is known; streams of clients that insist on one end at the third time without (semantics 10.3). */
  private checkLeader(missed: number): void {
    this.leaderCheck = this.clock.setTimer(this.config.electionMs, () => {
      const missedNow = this.hasLeader() ? 0 : missed + 1;
      if (missedNow >= leaderMissesMax) this.streams.leaderLost();
      this.checkLeader(missedNow);
    });
  }

  /** Registers every service on a gRPC server. */
  serveOn(server: GrpcServer): void {
    this.server = server;
    const { store, replica, quota, config, header, storage } = this;
    const refuseForSpace = (call: UnaryCall) => this.raiseNoSpace(() => failCall(call, 'ErrGRPCNoSpace'));
    registerKeyValue(server, this, {
      store,
      reads: replica,
      header,
      requestBytesMax: config.requestBytesMax,
      proposals: replica,
      quota,
      txnOpsMax: config.txnOpsMax,
      refuseForSpace,
    });
    registerWatch(server, this, this.hub);
    registerLease(server, this, {
      lessor: this.lessor,
      expiry: this.expiry,
      proposals: replica,
      quota,
      random: this.deps.random,
      refuseForSpace,
    });
    registerCluster(server, this, replica, () => this.cluster.members);
    registerHealth(server, this.serving, this.streams);
    registerMaintenance(server, this, {
      backend: storage.backend,
      raftIndex: () => replica.committedIndex,
      appliedIndex: () => this.machine.appliedIndex,
      alarms: () => this.alarmStore.list(0),
      storageVersion: () => this.storageVersion() ?? '',
      quotaBytes: () => (Number.isFinite(quota.bytes) ? quota.bytes : 0),
      hashKeyValues: (revision) => hashKeys(store, revision),
      proposeAlarm: (request, done, failed) =>
        replica.propose(RequestField.alarm, request, {
          applied: (result) => {
            if (result.kind === 'alarm') done(result.alarms);
            else if (result.kind === 'error') failed(result.symbol);
          },
          failed,
        }),
      isLeader: () => replica.isLeader,
      isVoter: (id) => replica.configuration.voters.includes(id),
      sha256: this.deps.sha256,
    });
  }

  /** Stops taking part and closes the files. Calls that wait are failed; answers already given are durable. */
  async stop(): Promise<void> {
    this.serving.set(false);
    this.leaderCheck?.cancel();
    this.publisher.stop();
    this.expiry.demote();
    this.replica.stop();
    this.hub.close();
    this.store.close();
    await this.snapshotter.stop();
    await closeStorage(this.storage);
  }

  /** Where writes go in. */
  get proposals(): Proposals {
    return this.replica;
  }

  /** A raft message from another member. */
  receive(message: Message): void {
    this.replica.receive(message);
  }

  // MemberContext

  leader(): bigint {
    return this.replica.leader;
  }

  isLeader(): boolean {
    return this.replica.isLeader;
  }

  isLearner(): boolean {
    return this.replica.configuration.learners.includes(this.memberId);
  }

  appliedTerm(): number {
    return this.machine.appliedTerm;
  }

  appliedIndex(): number {
    return this.machine.appliedIndex;
  }

  revision(): number {
    return this.store.currentRevision;
  }

  // HttpSource

  alarms(): readonly string[] {
    return this.alarmStore.list(0).map((alarm) => alarmName(alarm.alarm));
  }

  hasLeader(): boolean {
    return this.replica.leader !== 0n;
  }

  checkRead(serializable: boolean): Promise<void> {
    if (serializable) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.replica.linearizableRead({ readable: resolve, failed: (symbol) => reject(new Error(symbol)) });
    });
  }

  clusterVersion(): string | undefined {
    return this.cluster.version;
  }

  storageVersion(): string | undefined {
    const bytes = this.storage.backend.get(BucketId.meta, latin1ToBytes(MetaKey.storageVersion));
    return bytes === undefined ? undefined : latin1FromBytes(bytes);
  }

  exposeMetrics(): string {
    return this.deps.metrics.expose();
  }

  private batchApplied(): void {
    const { replica, machine } = this;
    // Only what is applied in its own term may a leader judge: then it knows all grants of earlier ones.
    if (replica.isLeader && !this.expiry.isPrimary && machine.appliedTerm === replica.term) {
      this.expiry.promote(this.config.electionMs);
    }
    this.snapshotter.applied(machine.appliedIndex, machine.appliedTerm, replica.configuration, machine.appliedBytes);
    if (this.hasLeader()) this.publisher.leaderKnown(replica.isLeader);
  }

  private roleChanged(role: RoleStatus): void {
    this.logLeader(role);
    if (!role.isLeader) this.expiry.demote();
    if (role.leader !== 0n) this.publisher.leaderKnown(role.isLeader);
  }

  /** In etcd's words, which test harnesses wait for. */
  private logLeader(role: RoleStatus): void {
    if (role.leader === this.loggedLeader) return;
    const own = this.memberId.toString(16);
    const [before, now] = [this.loggedLeader.toString(16), role.leader.toString(16)];
    this.loggedLeader = role.leader;
    let text = `raft.node: ${own} changed leader from ${before} to ${now} at term ${role.term}`;
    if (role.leader === 0n) text = `raft.node: ${own} lost leader ${before} at term ${role.term}`;
    else if (before === '0') text = `raft.node: ${own} elected leader ${now} at term ${role.term}`;
    this.logger.info(text, { logger: 'raft' });
  }

  private revokeExpired(ids: readonly bigint[]): void {
    for (const id of ids) {
      this.replica.propose(
        RequestField.leaseRevoke,
        etcdserverpb.LeaseRevokeRequest.encode(etcdserverpb.LeaseRevokeRequest.create({ id })),
        { applied() {}, failed() {} },
      );
    }
  }

  /** Raises the alarm unless it is raised; `then` runs once it is, or cannot be. */
  private raiseNoSpace(then: () => void = () => {}): void {
    if (this.alarmStore.hasNoSpace) {
      then();
      return;
    }
    if (this.awaitingNoSpace !== undefined) {
      this.awaitingNoSpace.push(then);
      return;
    }
    this.awaitingNoSpace = [then];
    this.logger.warn('message exceeded backend quota; raising alarm', { 'quota-size-bytes': this.quota.bytes });
    const done = () => {
      const waiting = this.awaitingNoSpace ?? [];
      this.awaitingNoSpace = undefined;
      for (const callback of waiting) callback();
    };
    this.replica.propose(RequestField.alarm, encodeAlarm(this.memberId, 1, true), { applied: done, failed: done });
  }
}

/** Closes all files, also when one of them cannot be; then the first failure is thrown. */
async function closeStorage({ wal, backend, directory }: MemberStorage): Promise<void> {
  const failures: unknown[] = [];
  for (const file of [wal, backend, directory]) {
    try {
      await file.close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
