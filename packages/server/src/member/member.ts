import type { Clock, Logger } from '@quorate/base';
import {
  Applier,
  type ApplyResult,
  type Cluster,
  type LeaseCheckpoint,
  LeaseExpiry,
  type MvccStore,
  type Quota,
  WatchHub,
} from '@quorate/machine';
import { type RawNode, type Snapshot, statusToJson, toConfState } from '@quorate/raft';
import type { GrpcServer } from '@quorate/transport';
import { type MemberStorage, openMemberStorage } from '../bootstrap/open-storage.ts';
import { takeReceivedMembership } from '../bootstrap/start-point.ts';
import type { MemberConfig } from '../config/config.ts';
import type { VersionSource } from '../gateway/front-door.ts';
import type { HealthSource } from '../gateway/health.ts';
import { RequestMetrics } from '../metrics/request-metrics.ts';
import type { PeerNetwork } from '../replica/peer-network.ts';
import { Replica } from '../replica/replica.ts';
import { RequestIds } from '../replica/request-ids.ts';
import type { Access } from '../rpc/access.ts';
import { HeaderBytes } from '../rpc/header-bytes.ts';
import { alarmName } from '../rpc/maintenance.ts';
import { type MemberContext, OpenStreams } from '../rpc/member-context.ts';
import { type Proposals, RequestField } from '../rpc/proposals.ts';
import { makeQuota } from '../upkeep/make-quota.ts';
import { NoSpaceAlarm } from '../upkeep/no-space-alarm.ts';
import { SlowRequests } from '../upkeep/slow-requests.ts';
import { Upkeep } from '../upkeep/upkeep.ts';
import { ClusterVersions } from '../versions/cluster-versions.ts';
import { storageVersionOf } from '../versions/storage-version.ts';
import { EntryMachine } from './entry-machine.ts';
import { tryRead } from './health-read.ts';
import { KnownMembers } from './known-members.ts';
import { LeaderLeases } from './leader-leases.ts';
import { checkpointLeases, Leadership, revokeLeases } from './leadership.ts';
import { openAccess } from './member-auth.ts';
import type { MemberDeps } from './member-deps.ts';
import { registerMemberMetrics } from './member-metrics.ts';
import { registerServices } from './member-services.ts';
import { MemberState } from './member-state.ts';
import { MembershipChanges } from './membership-changes.ts';
import { PeerDoor } from './peer-door.ts';
import { makeNode } from './raft-node.ts';
import { ServingState } from './serving-state.ts';
import { Snapshotter } from './snapshotter.ts';

/** What a request may take besides two election timeouts (etcd's figure). */
const requestSlackMs = 5_000;

/**
 * A member of a cluster: its storage, its state machine and its replica put together, without sockets. Everything from
 * outside comes in through {@link MemberDeps}.
 */
export class Member implements MemberContext, HealthSource, VersionSource {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly streams = new OpenStreams();
  readonly serving = new ServingState();
  readonly access: Access;
  readonly cluster: Cluster;
  readonly config: MemberConfig;
  readonly slow: SlowRequests;
  private readonly requests: RequestMetrics;
  /** The member as its peers see it. */
  readonly door: PeerDoor;
  private readonly deps: MemberDeps;
  private readonly storage: MemberStorage;
  private readonly state: MemberState;
  private readonly node: RawNode;
  private readonly applier: Applier;
  private readonly machine: EntryMachine;
  private readonly members: KnownMembers;
  private readonly leadership: Leadership;
  private readonly expiry: LeaseExpiry;
  private readonly hub: WatchHub;
  private readonly quota: Quota;
  private readonly noSpace: NoSpaceAlarm;
  private readonly upkeep: Upkeep;
  private readonly replica: Replica<ApplyResult>;
  private readonly snapshotter: Snapshotter;
  private readonly versions: ClusterVersions;
  private readonly header: HeaderBytes;
  private readonly network: PeerNetwork;
  private readonly leases: LeaderLeases;
  private readonly changes: MembershipChanges;
  private readonly requestTimeoutMs: number;
  private server: GrpcServer | undefined;

  private constructor(deps: MemberDeps, config: MemberConfig, storage: MemberStorage, state: MemberState) {
    this.deps = deps;
    this.config = config;
    this.storage = storage;
    this.state = state;
    this.clock = deps.clock;
    this.logger = deps.logger;
    this.memberId = storage.memberId;
    this.clusterId = storage.clusterId;
    this.cluster = state.cluster;
    this.slow = new SlowRequests(deps, config);
    this.requests = new RequestMetrics(deps.metrics);
    this.requestTimeoutMs = requestSlackMs + 2 * config.electionMs;
    this.quota = makeQuota(deps, () => state.backend.size(), config.quotaBytes);
    this.node = makeNode(deps, config, storage);
    this.header = new HeaderBytes(this.clusterId, this.memberId, () => this.machine.appliedTerm);
    this.hub = this.makeHub();
    state.store.setSink(this.hub);
    this.expiry = this.makeExpiry();
    this.applier = this.makeApplier();
    this.machine = this.makeMachine();
    this.snapshotter = this.makeSnapshotter();
    this.replica = this.makeReplica();
    this.access = openAccess(deps, config, state.auth, this.replica, () => this.appliedIndex());
    const { memberId, cluster, replica, quota } = this;
    this.noSpace = new NoSpaceAlarm({ ...deps, alarms: state.alarms, proposals: replica, memberId, quota });
    const upkeepDeps = { ...deps, ...this.storage, alarms: state.alarms, replica, quota, store: () => state.store };
    this.upkeep = new Upkeep(upkeepDeps, { ...config, requestTimeoutMs: this.requestTimeoutMs });
    this.members = new KnownMembers({
      ...deps,
      memberId,
      cluster,
      network: () => this.network,
      appliedIndex: () => this.applier.appliedIndex,
    });
    this.leadership = this.makeLeadership();
    this.leases = this.makeLeases();
    this.changes = this.makeChanges();
    this.door = this.makeDoor();
    this.network = deps.connect(this.door);
    this.versions = this.makeVersions();
    registerMemberMetrics(
      deps.metrics,
      this,
      () => state.backend,
      replica,
      () => state.alarms.list(0),
    );
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
      member = new Member(own, config, storage, await MemberState.open(own, config, storage));
      deps.logger.info(storage.bootstrap === undefined ? 'restarting local member' : 'starting local member', {
        'local-member-id': member.memberId,
        'cluster-id': member.clusterId,
        'commit-index': storage.raftStorage.initialState().hardState.commit,
      });
      return member;
    } catch (error) {
      await closeFiles(storage, storage.backend);
      throw error;
    }
  }

  /** Something broke, perhaps in the middle of an entry: nothing more may become durable or be answered. */
  private cease(): void {
    this.state.backend.abandon();
    this.replica.stop();
  }

  private makeHub(): WatchHub {
    const { deps, config } = this;
    return new WatchHub(
      {
        history: this.state.store,
        clock: deps.clock,
        random: deps.random,
        writeHeader: this.header.writer,
        metrics: deps.metrics,
      },
      { fragmentBytes: config.requestBytesMax + 512 * 1024, progressIntervalMs: config.watchProgressIntervalMs },
    );
  }

  private makeExpiry(): LeaseExpiry {
    const { clock, logger, metrics } = this.deps;
    const expired = metrics.counter('etcd_debugging_server_lease_expired_total', 'The total number of expired leases.');
    const revoke = (ids: readonly bigint[]) => revokeLeases(this.replica, ids, this.state.auth.rootIdentity, expired);
    const { lessor } = this.state;
    const checkpoint = (leases: readonly LeaseCheckpoint[]) => checkpointLeases(this.replica, leases);
    return new LeaseExpiry(
      {
        ...{ clock, lessor, revoke, logger, metrics },
        ...(this.config.featureGates.get('LeaseCheckpoint') === true ? { checkpoint } : {}),
      },
      { retryMs: this.requestTimeoutMs },
    );
  }

  private makeMachine(): EntryMachine {
    return new EntryMachine({
      applier: this.applier,
      cluster: this.cluster,
      backend: () => this.state.backend,
      node: this.node,
      logger: this.logger,
      clock: this.clock,
      onApplied: (data, tookMs, isSuccess) => {
        this.slow.applied(data, tookMs);
        this.requests.applied(data, tookMs, isSuccess);
      },
      onMembership: (outcome, confState) => this.members.changed(outcome, confState),
      onBatch: () => this.batchApplied(),
    });
  }

  private makeSnapshotter(): Snapshotter {
    const { deps, storage, config } = this;
    const { snapshotCount, walsMax, snapshotsMax } = config;
    return new Snapshotter(
      { ...deps, ...storage, backend: () => this.state.backend },
      { snapshotCount, catchUpEntries: config.snapshotCatchUpEntries, walsMax, snapshotsMax },
      storage.snapshot.index,
    );
  }

  private makeApplier(): Applier {
    const { state, cluster } = this;
    return new Applier(
      {
        store: state.store,
        alarms: state.alarms,
        leases: state.lessor,
        auth: state.auth,
        membership: {
          setAttributes: (id, name, clientUrls) => {
            cluster.setAttributes(id, name, clientUrls);
            this.members.noteNext(this.replica.configuration);
          },
          setDowngrade: (isEnabled, targetVersion) => cluster.setDowngrade(isEnabled, targetVersion),
          setClusterVersion: (version) => this.setClusterVersion(version),
        },
        quota: this.quota,
        logger: this.logger,
        onOverQuota: () => this.noSpace.exceeded(),
        isAwaited: (idHigh, idLow) => this.replica.isAwaited(idHigh, idLow),
      },
      this.storage.snapshot.index,
    );
  }

  private setClusterVersion(version: string): void {
    this.versions.set(version);
    this.members.noteNext(this.replica.configuration);
  }

  private makeReplica(): Replica<ApplyResult> {
    const { deps, config, storage } = this;
    return new Replica<ApplyResult>(
      {
        clock: deps.clock,
        logger: deps.logger,
        node: this.node,
        raftStorage: storage.raftStorage,
        log: storage.wal,
        machine: this.machine,
        network: { send: (messages) => this.network.send(messages) },
        ids: new RequestIds(this.memberId, deps.clock.wallMs()),
        onFatal: deps.onFatal,
        onRoleChange: (role) => {
          this.leadership.changed(role);
          if (role.leader !== 0n) this.versions.leaderKnown();
        },
        flushAnswers: () => this.server?.flush(),
        saveSnapshot: (snapshot, ready) => this.snapshotter.saveReceived(snapshot, ready),
        installSnapshot: (snapshot) => this.installSnapshot(snapshot),
        isConnectedSince: (sinceMs) => this.isConnectedSince(sinceMs),
        onStall: (what, stalledMs) => this.stalled(what, stalledMs),
        metrics: this.requests,
      },
      {
        confState: toConfState(this.node.status().config),
        heartbeatMs: config.heartbeatMs,
        electionMs: config.electionMs,
        requestTimeoutMs: this.requestTimeoutMs,
        requestBytesMax: config.requestBytesMax,
        priorityFields: new Set(config.featureGates.get('PriorityRequest') ? [RequestField.leaseRevoke] : []),
      },
    );
  }

  private makeLeadership(): Leadership {
    const { deps, config, memberId, members, replica, streams, expiry, requestTimeoutMs } = this;
    return new Leadership(
      {
        ...deps,
        ...{ memberId, members, streams, expiry },
        withNode: (action) => replica.withNode(action),
        leader: () => replica.leader,
        isLeader: () => replica.isLeader,
        isOnlyVoter: () => this.cluster.voters.length === 1,
        isAlone: () => replica.configuration.voters.length + replica.configuration.learners.length === 1,
      },
      { ...config, requestTimeoutMs },
    );
  }

  private makeLeases(): LeaderLeases {
    const { deps, state, expiry, cluster, replica, requestTimeoutMs } = this;
    const appliedIndex = () => this.machine.appliedIndex;
    return new LeaderLeases(
      { ...deps, lessor: state.lessor, expiry, cluster, replica, appliedIndex },
      { requestTimeoutMs, renewsKnownAtOnce: this.config.featureGates.get('FastLeaseKeepAlive') === true },
    );
  }

  private makeChanges(): MembershipChanges {
    return new MembershipChanges(
      {
        ...this.deps,
        memberId: this.memberId,
        cluster: this.cluster,
        network: { activeSince: (id) => this.network.activeSince(id) },
        replica: this.replica,
        matchOf: (id) => this.node.status().progress.get(id)?.match,
      },
      { strictReconfigCheck: this.config.strictReconfigCheck, requestTimeoutMs: this.requestTimeoutMs },
    );
  }

  private makeVersions(): ClusterVersions {
    const { deps, config, memberId, cluster, replica, snapshotter } = this;
    return new ClusterVersions(
      {
        ...deps,
        ...{ memberId, cluster, snapshotter },
        proposals: replica,
        backend: () => this.state.backend,
        isLeader: () => replica.isLeader,
        appliedIndex: () => this.machine.appliedIndex,
      },
      config,
    );
  }

  private makeDoor(): PeerDoor {
    return new PeerDoor({
      ...this.deps,
      ...this.storage,
      state: this.state,
      snapshotter: this.snapshotter,
      history: this.members.history,
      replica: this.replica,
      leases: this.leases,
      changes: this.changes,
      access: this.access,
      storageVersion: () => this.storageVersion(),
      onRemoved: () => this.members.removedSelf(0),
    });
  }

  /** Before {@link start}: holds the data that is there already against that of the other members, if asked for. @throws CodedError */
  checkInitially(): Promise<void> {
    return this.upkeep.checkInitially();
  }

  /** Begins to take part. Resolves when the member has told the cluster who it is, so when there is a leader. */
  async start(): Promise<void> {
    this.logger.info('starting etcd server', {
      'local-member-id': this.memberId,
      'cluster-id': this.clusterId,
      'cluster-version': this.cluster.version ?? 'to_be_decided',
    });
    this.members.begin(this.replica.configuration, this.storage.firstPeers);
    this.replica.start();
    this.leadership.start();
    this.versions.start();
    this.upkeep.start();
    await this.versions.published;
    this.serving.set(true);
  }

  /** Registers every service on a gRPC server. */
  serveOn(server: GrpcServer): void {
    this.server = server;
    const { config, state, replica, quota, header, hub, expiry, leases, changes, serving } = this;
    registerServices(server, {
      member: this,
      ...{ config, state, replica, quota, header, hub, expiry, leases, changes, serving },
      ...this.deps,
      appliedIndex: () => this.appliedIndex(),
      storageVersion: () => this.storageVersion(),
      raiseNoSpace: (then) => this.noSpace.raise(then),
      moveLeader: (to) => this.leadership.move(to),
    });
  }

  /** Before a stop: a leader of several voters hands leadership over. */
  giveUpLeadership(): Promise<void> {
    return this.leadership.giveUp();
  }

  /** Stops taking part and closes the files. Calls that wait are failed; answers already given are durable. */
  async stop(): Promise<void> {
    this.serving.set(false);
    this.leadership.stop();
    this.members.stop();
    this.versions.stop();
    this.upkeep.stop();
    this.replica.stop();
    await this.network.stop();
    this.hub.close();
    this.state.close();
    await this.snapshotter.stop();
    await closeFiles(this.storage, this.state.backend);
  }

  /** Where writes go in. */
  get proposals(): Proposals {
    return this.replica;
  }

  /** The store now: a leader's snapshot brings another. */
  get store(): MvccStore {
    return this.state.store;
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

  authRevision(): number {
    return this.state.auth.revision;
  }

  isAuthEnabled(): boolean {
    return this.state.auth.isEnabled;
  }

  // HealthSource, VersionSource

  alarms(): readonly string[] {
    return this.state.alarms.list(0).map((alarm) => alarmName(alarm.alarm));
  }

  hasLeader(): boolean {
    return this.replica.leader !== 0n;
  }

  checkRead(serializable: boolean): Promise<void> {
    return tryRead(() => this.store, this.replica, serializable);
  }

  clusterVersion(): string | undefined {
    return this.cluster.version;
  }

  storageVersion(): string | undefined {
    return storageVersionOf(this.state.backend);
  }

  /** Raft's own view of itself, as JSON. */
  raftStatus(): string {
    return statusToJson(this.node.status());
  }

  // What happens

  private batchApplied(): void {
    const { replica, machine } = this;
    this.access.applied();
    this.leadership.applied(machine.appliedTerm, replica.term);
    this.snapshotter.applied(machine.appliedIndex, machine.appliedTerm, replica.configuration, machine.appliedBytes);
    this.versions.applied(machine.appliedTerm, replica.term);
    if (this.hasLeader()) this.versions.leaderKnown();
  }

  /** Puts everything on a leader's snapshot; the replica applies nothing meanwhile. */
  private async installSnapshot({ metadata, data }: Snapshot): Promise<void> {
    const { state, applier, logger, hub, storage } = this;
    const { index, term, confState } = metadata;
    logger.info('applying snapshot', {
      'current-applied-index': applier.appliedIndex,
      'incoming-snapshot-index': index,
    });
    await storage.snapshots.installDatabase(index, storage.directory.layout.database);
    const next = await state.prepare(storage.directory.layout.database);
    state.adopt(next);
    takeReceivedMembership(this.cluster, next.backend, data);
    applier.restore(next.store, index);
    this.machine.appliedTerm = term;
    next.store.setSink(hub);
    hub.restore(next.store);
    this.members.restart(index, confState);
    this.versions.restored();
    this.snapshotter.received(index, this.machine.appliedBytes);
    logger.info('applied snapshot', { 'current-applied-index': index });
    // Whoever waited for entries may have waited for one in it, and none need follow.
    this.batchApplied();
  }

  /** Whether this leader has been connected to a quorum, or this follower to its leader, all the time. */
  private isConnectedSince(sinceMs: number): boolean {
    const { replica, members } = this;
    if (!replica.isLeader) return members.isConnectedSince(replica.leader, sinceMs);
    return members.hasQuorumSince(replica.configuration.voters, sinceMs);
  }

  private stalled(what: 'disk' | 'loop', stalledMs: number): void {
    const text = what === 'disk' ? 'slow fdatasync' : 'the event loop was blocked';
    this.logger.warn(text, { took: `${Math.round(stalledMs)}ms`, 'is-leader': this.replica.isLeader });
    this.deps.metrics
      .counter('quorate_watchdog_stalls_total', 'Times that the disk or the event loop held the member up.', { what })
      .add(1);
  }
}

/** Closes all files, also when one of them cannot be; then the first failure is thrown. */
async function closeFiles({ wal, directory }: MemberStorage, backend: { close(): Promise<void> }): Promise<void> {
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
