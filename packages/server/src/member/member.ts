import type { Clock, Logger } from '@quorate/base';
import type { Cluster, MvccStore } from '@quorate/machine';
import { type ConfState, type Snapshot, statusToJson } from '@quorate/raft';
import type { GrpcServer } from '@quorate/transport';
import { type MemberStorage, openMemberStorage } from '../bootstrap/open-storage.ts';
import { takeReceivedMembership } from '../bootstrap/start-point.ts';
import type { MemberConfig } from '../config/config.ts';
import type { VersionSource } from '../gateway/front-door.ts';
import type { HealthSource } from '../gateway/health.ts';
import type { Access } from '../rpc/access.ts';
import { alarmName } from '../rpc/maintenance.ts';
import type { MemberContext, OpenStreams } from '../rpc/member-context.ts';
import type { Proposals } from '../rpc/proposals.ts';
import { type RequestSpans, rangeAttributes } from '../rpc/request-spans.ts';
import type { SlowRequests } from '../upkeep/slow-requests.ts';
import { etcdVersion, minorVersion } from '../version.ts';
import { storageVersionOf } from '../versions/storage-version.ts';
import { healthRead, tryRead } from './health-read.ts';
import type { MemberDeps } from './member-deps.ts';
import { registerMemberMetrics } from './member-metrics.ts';
import { MemberParts } from './member-parts.ts';
import { registerServices } from './member-services.ts';
import { MemberState } from './member-state.ts';
import type { PeerDoor } from './peer-door.ts';
import { ServingState } from './serving-state.ts';

/**
 * A member of a cluster: its storage, its state machine and its replica put together, without sockets. Everything from
 * outside comes in through {@link MemberDeps}.
 */
export class Member implements MemberContext, HealthSource, VersionSource {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly streams: OpenStreams;
  readonly serving: ServingState;
  readonly access: Access;
  readonly spans: RequestSpans | undefined;
  readonly cluster: Cluster;
  readonly config: MemberConfig;
  readonly slow: SlowRequests;
  /** The member as its peers see it. */
  readonly door: PeerDoor;
  private readonly deps: MemberDeps;
  private readonly parts: MemberParts;
  private server: GrpcServer | undefined;

  private constructor(deps: MemberDeps, config: MemberConfig, storage: MemberStorage, state: MemberState) {
    this.deps = deps;
    this.config = config;
    this.clock = deps.clock;
    this.logger = deps.logger;
    this.spans = deps.spans;
    this.serving = new ServingState(deps.logger);
    this.memberId = storage.memberId;
    this.clusterId = storage.clusterId;
    this.cluster = state.cluster;
    this.parts = new MemberParts(deps, config, storage, state, {
      batchApplied: () => this.batchApplied(),
      flushAnswers: () => this.server?.flush(),
      installSnapshot: (snapshot) => this.installSnapshot(snapshot),
    });
    const { replica, streams, access, slow, door } = this.parts;
    this.streams = streams;
    this.access = access;
    this.slow = slow;
    this.door = door;
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
      return member;
    } catch (error) {
      await closeFiles(storage, storage.backend);
      throw error;
    }
  }

  /** Something broke, perhaps in the middle of an entry: nothing more may become durable or be answered. */
  private cease(): void {
    this.parts.state.backend.abandon();
    this.parts.replica.stop();
  }

  /** Before {@link start}: holds the data that is there already against that of the other members, if asked for. @throws CodedError */
  checkInitially(): Promise<void> {
    return this.parts.upkeep.checkInitially();
  }

  /** Begins to take part. Resolves when the member has told the cluster who it is, so when there is a leader. */
  async start(): Promise<void> {
    this.logger.info('starting etcd server', {
      'local-member-id': this.memberId,
      'local-server-version': etcdVersion,
      'cluster-id': this.clusterId,
      'cluster-version': minorVersion(this.cluster.version ?? 'to_be_decided'),
    });
    const { members, replica, storage, leadership, versions, upkeep } = this.parts;
    members.begin(replica.configuration, storage.firstPeers);
    replica.start();
    leadership.start();
    versions.start();
    upkeep.start();
    await versions.published;
    this.serving.begin();
  }

  /** Registers every service on a gRPC server. */
  serveOn(server: GrpcServer): void {
    this.server = server;
    const { config, serving } = this;
    const { state, replica, quota, header, hub, expiry, leases, changes, noSpace, leadership } = this.parts;
    registerServices(server, {
      member: this,
      ...{ config, state, replica, quota, header, hub, expiry, leases, changes, serving },
      ...this.deps,
      appliedIndex: () => this.appliedIndex(),
      storageVersion: () => this.storageVersion(),
      raiseNoSpace: (then) => noSpace.raise(then),
      moveLeader: (to) => leadership.move(to),
    });
  }

  /** Before a stop: a leader of several voters hands leadership over. */
  giveUpLeadership(): Promise<void> {
    return this.parts.leadership.giveUp();
  }

  /** Stops taking part and closes the files. Calls that wait are failed; answers already given are durable. */
  async stop(): Promise<void> {
    const { leadership, members, versions, upkeep, replica, network, hub, state, snapshotter, storage } = this.parts;
    this.serving.end();
    leadership.stop();
    members.stop();
    versions.stop();
    upkeep.stop();
    replica.stop();
    await network.stop();
    hub.close();
    state.close();
    await snapshotter.stop();
    await closeFiles(storage, state.backend);
  }

  /** Where writes go in. */
  get proposals(): Proposals {
    return this.parts.replica;
  }

  /** The store now: a leader's snapshot brings another. */
  get store(): MvccStore {
    return this.parts.state.store;
  }

  // MemberContext

  leader(): bigint {
    return this.parts.replica.leader;
  }

  isLeader(): boolean {
    return this.parts.replica.isLeader;
  }

  isLearner(): boolean {
    return this.configuration().learners.includes(this.memberId);
  }

  /** Who votes and who learns now, as raft has it. */
  configuration(): ConfState {
    return this.parts.replica.configuration;
  }

  appliedTerm(): number {
    return this.parts.machine.appliedTerm;
  }

  appliedIndex(): number {
    return this.parts.machine.appliedIndex;
  }

  revision(): number {
    return this.store.currentRevision;
  }

  authRevision(): number {
    return this.parts.state.auth.revision;
  }

  isAuthEnabled(): boolean {
    return this.parts.state.auth.isEnabled;
  }

  // HealthSource, VersionSource

  alarms(): readonly string[] {
    return this.parts.state.alarms.list(0).map((alarm) => alarmName(alarm.alarm));
  }

  hasLeader(): boolean {
    return this.parts.replica.leader !== 0n;
  }

  async checkRead(serializable: boolean): Promise<void> {
    const span = this.spans?.begin(undefined, 'range', healthRead, rangeAttributes);
    try {
      await tryRead(() => this.store, this.parts.replica, serializable);
    } finally {
      span?.end();
    }
  }

  clusterVersion(): string | undefined {
    return this.cluster.version;
  }

  storageVersion(): string | undefined {
    return storageVersionOf(this.parts.state.backend);
  }

  /** Raft's own view of itself, as JSON. */
  raftStatus(): string {
    return statusToJson(this.parts.node.status());
  }

  // What happens

  private batchApplied(): void {
    const { access, leadership, machine, replica, snapshotter, versions } = this.parts;
    access.applied();
    leadership.applied(machine.appliedTerm, replica.term);
    snapshotter.applied(machine.appliedIndex, machine.appliedTerm, replica.configuration, machine.appliedBytes);
    versions.applied(machine.appliedTerm, replica.term);
    if (this.hasLeader()) versions.leaderKnown();
  }

  /** Puts everything on a leader's snapshot; the replica applies nothing meanwhile. */
  private async installSnapshot({ metadata, data }: Snapshot): Promise<void> {
    const { logger } = this;
    const { state, applier, machine, hub, storage, members, versions, snapshotter } = this.parts;
    const { index, term, confState } = metadata;
    logger.info('applying snapshot', {
      'current-applied-index': applier.appliedIndex,
      'incoming-snapshot-index': index,
    });
    await state.backend.retire();
    await storage.snapshots.installDatabase(index, storage.directory.layout.database);
    const next = await state.prepare(storage.directory.layout.database);
    state.adopt(next);
    takeReceivedMembership(this.cluster, next.backend, data);
    applier.restore(next.store, index);
    machine.appliedTerm = term;
    next.store.setSink(hub);
    hub.restore(next.store);
    members.restart(index, confState);
    versions.restored();
    snapshotter.received(index, machine.appliedBytes);
    logger.info('applied snapshot', { 'current-applied-index': index });
    // Whoever waited for entries may have waited for one in it, and none need follow.
    this.batchApplied();
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
