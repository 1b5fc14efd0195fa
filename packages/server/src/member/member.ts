import { etcdserverpb } from '@quorate/api';
import {
  type Clock,
  CodedError,
  type Logger,
  latin1FromBytes,
  latin1ToBytes,
  type Timer,
  utf8ToBytes,
} from '@quorate/base';
import {
  Applier,
  type ApplyResult,
  type ChangeOutcome,
  type Cluster,
  LeaseExpiry,
  type MvccStore,
  Quota,
  WatchHub,
} from '@quorate/machine';
import { type ConfState, type RawNode, type Snapshot, toConfState } from '@quorate/raft';
import { BucketId, MetaKey } from '@quorate/storage';
import type { GrpcServer } from '@quorate/transport';
import type { MemberConfig } from '../config/config.ts';
import type { HttpSource } from '../gateway/http-routes.ts';
import type { RoleStatus } from '../replica/contract.ts';
import type { PeerNetwork } from '../replica/peer-network.ts';
import { Replica } from '../replica/replica.ts';
import { RequestIds } from '../replica/request-ids.ts';
import { HeaderBytes } from '../rpc/header-bytes.ts';
import { alarmName } from '../rpc/maintenance.ts';
import { type MemberContext, OpenStreams } from '../rpc/member-context.ts';
import { type Proposals, RequestField } from '../rpc/proposals.ts';
import { clusterVersion } from '../version.ts';
import { EntryMachine } from './entry-machine.ts';
import { LeaderLeases } from './leader-leases.ts';
import { LeaderTransfer } from './leader-transfer.ts';
import type { MemberDeps } from './member-deps.ts';
import { registerMemberMetrics } from './member-metrics.ts';
import { registerServices } from './member-services.ts';
import { MemberState } from './member-state.ts';
import { MembershipChanges } from './membership-changes.ts';
import { MembershipHistory } from './membership-history.ts';
import { NoSpaceAlarm } from './no-space-alarm.ts';
import { type MemberStorage, openMemberStorage } from './open-storage.ts';
import { PeerDoor } from './peer-door.ts';
import { Publisher } from './publisher.ts';
import { makeNode } from './raft-node.ts';
import { ServingState } from './serving-state.ts';
import { Snapshotter } from './snapshotter.ts';

/** What a request may take besides two election timeouts (etcd's figure). */
const requestSlackMs = 5_000;
/** Election timeouts without a leader after which streams with `hasleader` end. */
const leaderMissesMax = 3;
/** A removed member goes on for so long, for others to hear of it (etcd's figure). */
const removedStopMs = 1_000;

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
  readonly config: MemberConfig;
  /** The member as its peers see it. */
  readonly door: PeerDoor;
  private readonly deps: MemberDeps;
  private readonly storage: MemberStorage;
  private readonly state: MemberState;
  private readonly node: RawNode;
  private readonly applier: Applier;
  private readonly machine: EntryMachine;
  private readonly history = new MembershipHistory();
  private readonly expiry: LeaseExpiry;
  private readonly hub: WatchHub;
  private readonly quota: Quota;
  private readonly noSpace: NoSpaceAlarm;
  private readonly replica: Replica<ApplyResult>;
  private readonly snapshotter: Snapshotter;
  private readonly publisher: Publisher;
  private readonly header: HeaderBytes;
  private readonly network: PeerNetwork;
  private readonly leases: LeaderLeases;
  private readonly changes: MembershipChanges;
  private readonly transfer: LeaderTransfer;
  private readonly requestTimeoutMs: number;
  private server: GrpcServer | undefined;
  private loggedLeader = 0n;
  private leaderCheck: Timer | undefined;
  private removal: Timer | undefined;

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
    this.requestTimeoutMs = requestSlackMs + 2 * config.electionMs;
    this.quota = new Quota(() => state.backend.size(), config.quotaBytes);
    this.node = makeNode(deps, config, storage);
    this.header = new HeaderBytes(this.clusterId, this.memberId, () => this.machine.appliedTerm);
    this.hub = this.makeHub();
    state.store.setSink(this.hub);
    this.expiry = new LeaseExpiry(
      {
        clock: deps.clock,
        lessor: state.lessor,
        revoke: (ids) => this.revokeExpired(ids),
        logger: deps.logger,
        metrics: deps.metrics,
      },
      { retryMs: this.requestTimeoutMs },
    );
    this.applier = this.makeApplier();
    this.machine = new EntryMachine({
      applier: this.applier,
      cluster: this.cluster,
      backend: () => state.backend,
      node: this.node,
      logger: this.logger,
      onMembership: (outcome, confState) => this.membershipChanged(outcome, confState),
      onBatch: () => this.batchApplied(),
    });
    this.snapshotter = new Snapshotter(
      { ...deps, ...storage, backend: () => state.backend },
      {
        snapshotCount: config.snapshotCount,
        catchUpEntries: config.snapshotCatchUpEntries,
        walsMax: config.walsMax,
        snapshotsMax: config.snapshotsMax,
      },
      storage.snapshot.index,
    );
    this.replica = this.makeReplica();
    this.noSpace = new NoSpaceAlarm({
      alarms: state.alarms,
      proposals: this.replica,
      logger: deps.logger,
      memberId: this.memberId,
      quota: this.quota,
    });
    this.transfer = new LeaderTransfer({
      ...deps,
      memberId: this.memberId,
      withNode: (action) => this.replica.withNode(action),
      leader: () => this.replica.leader,
    });
    this.leases = new LeaderLeases(
      {
        ...deps,
        lessor: state.lessor,
        expiry: this.expiry,
        cluster: this.cluster,
        replica: this.replica,
        appliedIndex: () => this.machine.appliedIndex,
      },
      { requestTimeoutMs: this.requestTimeoutMs },
    );
    // Peers are dialled when the member starts; until then nothing is sent.
    this.changes = this.makeChanges();
    this.door = this.makeDoor();
    this.network = deps.connect(this.door);
    this.publisher = new Publisher({
      clock: deps.clock,
      proposals: this.replica,
      cluster: this.cluster,
      logger: deps.logger,
      memberId: this.memberId,
      name: config.name,
      clientUrls: config.advertiseClientUrls.map((url) => url.href),
    });
    registerMemberMetrics(deps.metrics, this, () => state.backend, this.replica);
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

  private makeApplier(): Applier {
    const { state, cluster } = this;
    return new Applier(
      {
        store: state.store,
        alarms: state.alarms,
        leases: state.lessor,
        membership: {
          setAttributes: (id, name, clientUrls) => {
            cluster.setAttributes(id, name, clientUrls);
            this.noteMembership(this.replica.configuration, 1);
          },
          setDowngrade: (isEnabled, targetVersion) => cluster.setDowngrade(isEnabled, targetVersion),
          setClusterVersion: (version) => this.setClusterVersion(version),
        },
        quota: this.quota,
        logger: this.logger,
        onOverQuota: () => this.noSpace.raise(),
        isAwaited: (idHigh, idLow) => this.replica.isAwaited(idHigh, idLow),
      },
      this.storage.snapshot.index,
    );
  }

  private setClusterVersion(version: string): void {
    this.cluster.setClusterVersion(version);
    this.state.backend.put(BucketId.meta, latin1ToBytes(MetaKey.storageVersion), utf8ToBytes(clusterVersion));
    this.noteMembership(this.replica.configuration, 1);
    this.logger.info('cluster version is updated', { 'cluster-version': version });
    this.logger.info('enabled capabilities for version', { 'cluster-version': version });
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
        onRoleChange: (role) => this.roleChanged(role),
        flushAnswers: () => this.server?.flush(),
        saveSnapshot: (snapshot, ready) => this.snapshotter.saveReceived(snapshot, ready),
        installSnapshot: (snapshot) => this.installSnapshot(snapshot),
        isConnectedSince: (sinceMs) => this.isConnectedSince(sinceMs),
        onStall: (what, stalledMs) => this.stalled(what, stalledMs),
      },
      {
        confState: toConfState(this.node.status().config),
        heartbeatMs: config.heartbeatMs,
        electionMs: config.electionMs,
        requestTimeoutMs: this.requestTimeoutMs,
        requestBytesMax: config.requestBytesMax,
      },
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

  private makeDoor(): PeerDoor {
    return new PeerDoor({
      ...this.deps,
      ...this.storage,
      state: this.state,
      snapshotter: this.snapshotter,
      history: this.history,
      replica: this.replica,
      leases: this.leases,
      changes: this.changes,
      storageVersion: () => this.storageVersion(),
      onRemoved: () => this.removed(0),
    });
  }

  /** Begins to take part. Resolves when the member has told the cluster who it is, so when there is a leader. */
  async start(): Promise<void> {
    this.logger.info('starting etcd server', {
      'local-member-id': this.memberId,
      'cluster-id': this.clusterId,
      'cluster-version': this.cluster.version ?? 'to_be_decided',
    });
    this.noteMembership(this.replica.configuration);
    this.dialMembers();
    this.replica.start();
    this.checkLeader(0);
    await this.publisher.published;
    this.serving.set(true);
  }

  private dialMembers(): void {
    for (const { id, peerUrls } of this.cluster.members) if (id !== this.memberId) this.network.setPeer(id, peerUrls);
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
    const { config, state, replica, quota, header, hub, expiry, leases, changes, serving } = this;
    registerServices(server, {
      member: this,
      ...{ config, state, replica, quota, header, hub, expiry, leases, changes, serving },
      random: this.deps.random,
      sha256: this.deps.sha256,
      appliedIndex: () => this.appliedIndex(),
      storageVersion: () => this.storageVersion(),
      raiseNoSpace: (then) => this.noSpace.raise(then),
      moveLeader: (to) => this.transfer.move(to, this.requestTimeoutMs),
    });
  }

  /** Before a stop: a leader of several voters hands leadership to the one that has been connected for longest. */
  async giveUpLeadership(): Promise<void> {
    const fields = { 'local-member-id': this.memberId };
    const others = this.cluster.voters.filter(({ id }) => id !== this.memberId);
    if (!this.replica.isLeader) {
      this.logger.info('skipped leadership transfer; local server is not leader', fields);
      return;
    }
    if (others.length === 0) {
      this.logger.info('skipped leadership transfer for single voting member cluster', fields);
      return;
    }
    const since = (id: bigint) => this.network.activeSince(id) ?? Number.POSITIVE_INFINITY;
    const longest = others.reduce((best, other) => (since(other.id) < since(best.id) ? other : best));
    if (since(longest.id) === Number.POSITIVE_INFINITY) {
      this.logger.warn('leadership transfer failed', { ...fields, error: 'unhealthy cluster' });
      return;
    }
    await this.transfer.move(longest.id, this.requestTimeoutMs);
  }

  /** Stops taking part and closes the files. Calls that wait are failed; answers already given are durable. */
  async stop(): Promise<void> {
    this.serving.set(false);
    this.leaderCheck?.cancel();
    this.removal?.cancel();
    this.publisher.stop();
    this.expiry.demote();
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

  // HttpSource

  alarms(): readonly string[] {
    return this.state.alarms.list(0).map((alarm) => alarmName(alarm.alarm));
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
    const bytes = this.state.backend.get(BucketId.meta, latin1ToBytes(MetaKey.storageVersion));
    return bytes === undefined ? undefined : latin1FromBytes(bytes);
  }

  exposeMetrics(): string {
    return this.deps.metrics.expose();
  }

  // What happens

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
    this.transfer.leaderChanged(role.leader);
    if (role.leader !== 0n) this.publisher.leaderKnown(role.isLeader);
  }

  /** By the entry that is being applied, which the machine has not counted yet. */
  private membershipChanged(outcome: ChangeOutcome | undefined, confState: ConfState): void {
    this.noteMembership(confState, 1);
    if (outcome === undefined || outcome.kind === 'refused') return;
    if (outcome.kind === 'removed') {
      this.logger.info('removed member', { 'removed-remote-peer-id': outcome.id });
      if (outcome.id === this.memberId) this.removed(removedStopMs);
      else this.network.removePeer(outcome.id);
      return;
    }
    const { id, peerUrls } = outcome.member;
    this.logger.info(`${outcome.kind} member`, { 'remote-peer-id': id, 'remote-peer-urls': peerUrls });
    if (id !== this.memberId) this.network.setPeer(id, peerUrls);
  }

  private noteMembership(confState: ConfState, ahead = 0): void {
    this.history.note({ index: this.applier.appliedIndex + ahead, confState, state: this.cluster.state });
  }

  /** Puts everything on a leader's snapshot; the replica applies nothing meanwhile. */
  private async installSnapshot({ metadata }: Snapshot): Promise<void> {
    const { state, applier, logger, hub, storage } = this;
    const { index, term, confState } = metadata;
    logger.info('applying snapshot', {
      'current-applied-index': applier.appliedIndex,
      'incoming-snapshot-index': index,
    });
    await storage.snapshots.installDatabase(index, storage.directory.layout.database);
    const next = await state.prepare(storage.directory.layout.database);
    state.adopt(next);
    applier.restore(next.store, index);
    this.machine.appliedTerm = term;
    next.store.setSink(hub);
    hub.restore(next.store);
    this.history.restart({ index, confState, state: this.cluster.state });
    this.snapshotter.received(index, this.machine.appliedBytes);
    for (const id of this.cluster.removedIds) this.network.removePeer(id);
    this.dialMembers();
    logger.info('applied snapshot', { 'current-applied-index': index });
  }

  /** Whether this leader has been connected to a quorum, or this follower to its leader, all the time. */
  private isConnectedSince(sinceMs: number): boolean {
    const isConnected = (id: bigint) => (this.network.activeSince(id) ?? Number.POSITIVE_INFINITY) <= sinceMs;
    if (!this.replica.isLeader) return isConnected(this.replica.leader);
    const { voters } = this.replica.configuration;
    return voters.filter((id) => id === this.memberId || isConnected(id)).length > voters.length / 2;
  }

  private stalled(what: 'disk' | 'loop', stalledMs: number): void {
    const text = what === 'disk' ? 'slow fdatasync' : 'the event loop was blocked';
    this.logger.warn(text, { took: `${Math.round(stalledMs)}ms`, 'is-leader': this.replica.isLeader });
    this.deps.metrics
      .counter('quorate_watchdog_stalls_total', 'Times that the disk or the event loop held the member up.', { what })
      .add(1);
  }

  private removed(delayMs: number): void {
    this.removal ??= this.clock.setTimer(delayMs, () =>
      this.deps.onFatal(new CodedError('member/removed', 'the member has been permanently removed from the cluster')),
    );
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
