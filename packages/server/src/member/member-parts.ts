import { Applier, type ApplyResult, type LeaseCheckpoint, LeaseExpiry, type Quota, WatchHub } from '@quorate/machine';
import { type RawNode, type Snapshot, toConfState } from '@quorate/raft';
import type { MemberStorage } from '../bootstrap/open-storage.ts';
import type { MemberConfig } from '../config/config.ts';
import { RequestMetrics } from '../metrics/request-metrics.ts';
import type { PeerNetwork } from '../replica/peer-network.ts';
import { Replica } from '../replica/replica.ts';
import { RequestIds } from '../replica/request-ids.ts';
import type { Access } from '../rpc/access.ts';
import { HeaderBytes } from '../rpc/header-bytes.ts';
import { OpenStreams } from '../rpc/member-context.ts';
import { RequestField } from '../rpc/proposals.ts';
import { makeQuota } from '../upkeep/make-quota.ts';
import { NoSpaceAlarm } from '../upkeep/no-space-alarm.ts';
import { SlowRequests } from '../upkeep/slow-requests.ts';
import { Upkeep } from '../upkeep/upkeep.ts';
import { ClusterVersions } from '../versions/cluster-versions.ts';
import { storageVersionOf } from '../versions/storage-version.ts';
import { EntryMachine } from './entry-machine.ts';
import { KnownMembers } from './known-members.ts';
import { LeaderLeases } from './leader-leases.ts';
import { checkpointLeases, Leadership, revokeLeases } from './leadership.ts';
import { openAccess } from './member-auth.ts';
import type { MemberDeps } from './member-deps.ts';
import type { MemberState } from './member-state.ts';
import { MembershipChanges } from './membership-changes.ts';
import { observed } from './observed-machine.ts';
import { PeerDoor } from './peer-door.ts';
import { makeNode } from './raft-node.ts';
import { Snapshotter } from './snapshotter.ts';

/** What a request may take besides two election timeouts (etcd's figure). */
const requestSlackMs = 5_000;

/** What the parts ask of the member that runs them. */
export interface PartsHost {
  /** A batch of entries is applied. */
  batchApplied(): void;
  /** All answers of this turn are given. */
  flushAnswers(): void;
  /** Puts all parts on a snapshot of the leader. */
  installSnapshot(snapshot: Snapshot): Promise<void>;
}

/** The parts of a member, made of what is on disk and wired to each other; running them is up to `Member`. */
export class MemberParts {
  readonly storage: MemberStorage;
  readonly state: MemberState;
  readonly streams = new OpenStreams();
  readonly slow: SlowRequests;
  readonly quota: Quota;
  readonly node: RawNode;
  readonly header: HeaderBytes;
  readonly hub: WatchHub;
  readonly expiry: LeaseExpiry;
  readonly applier: Applier;
  readonly machine: EntryMachine;
  readonly snapshotter: Snapshotter;
  readonly replica: Replica<ApplyResult>;
  readonly access: Access;
  readonly noSpace: NoSpaceAlarm;
  readonly upkeep: Upkeep;
  readonly members: KnownMembers;
  readonly leadership: Leadership;
  readonly leases: LeaderLeases;
  readonly changes: MembershipChanges;
  /** The member as its peers see it. */
  readonly door: PeerDoor;
  readonly network: PeerNetwork;
  readonly versions: ClusterVersions;
  private readonly deps: MemberDeps;
  private readonly config: MemberConfig;
  private readonly host: PartsHost;
  private readonly requests: RequestMetrics;
  private readonly requestTimeoutMs: number;

  constructor(deps: MemberDeps, config: MemberConfig, storage: MemberStorage, state: MemberState, host: PartsHost) {
    this.deps = deps;
    this.config = config;
    this.storage = storage;
    this.state = state;
    this.host = host;
    const { memberId, clusterId, cluster } = storage;
    this.slow = new SlowRequests(deps, config);
    this.requests = new RequestMetrics(deps.metrics);
    this.requestTimeoutMs = requestSlackMs + 2 * config.electionMs;
    this.quota = makeQuota(deps, () => state.backend.size(), config.quotaBytes);
    this.node = makeNode(deps, config, storage);
    this.header = new HeaderBytes(clusterId, memberId, () => this.machine.appliedTerm);
    this.hub = this.makeHub();
    state.store.setSink(this.hub);
    this.expiry = this.makeExpiry();
    this.applier = this.makeApplier();
    this.machine = this.makeMachine();
    this.snapshotter = this.makeSnapshotter();
    this.replica = this.makeReplica();
    this.access = openAccess(deps, config, state.auth, this.replica, () => this.machine.appliedIndex);
    const { replica, quota } = this;
    this.noSpace = new NoSpaceAlarm({ ...deps, alarms: state.alarms, proposals: replica, memberId, quota });
    const upkeepDeps = { ...deps, ...storage, alarms: state.alarms, replica, quota, store: () => state.store };
    this.upkeep = new Upkeep(upkeepDeps, { ...config, requestTimeoutMs: this.requestTimeoutMs });
    this.members = new KnownMembers({
      ...deps,
      ...{ memberId, clusterId, cluster },
      network: () => this.network,
      appliedIndex: () => this.applier.appliedIndex,
    });
    this.leadership = this.makeLeadership();
    this.leases = this.makeLeases();
    this.changes = this.makeChanges();
    this.door = this.makeDoor();
    this.network = deps.connect(this.door);
    this.versions = this.makeVersions();
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
    const revoke = (ids: readonly bigint[]) =>
      revokeLeases({ proposals: this.replica, expired, spans: this.deps.spans }, ids, this.state.auth.rootIdentity);
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

  private makeApplier(): Applier {
    const { state } = this;
    const { cluster } = state;
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
        logger: this.deps.logger,
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

  private makeMachine(): EntryMachine {
    return new EntryMachine({
      applier: this.applier,
      cluster: this.state.cluster,
      backend: () => this.state.backend,
      node: this.node,
      logger: this.deps.logger,
      clock: this.deps.clock,
      onApplied: (data, tookMs, isSuccess) => {
        this.slow.applied(data, tookMs);
        this.requests.applied(data, tookMs, isSuccess);
      },
      onMembership: (outcome, confState) => this.members.changed(outcome, confState),
      onBatch: () => this.host.batchApplied(),
    });
  }

  private makeSnapshotter(): Snapshotter {
    const { deps, storage, config } = this;
    const { snapshotCount, walsMax, snapshotsMax } = config;
    return new Snapshotter(
      { ...deps, ...storage, backend: () => this.state.backend, raftApplied: () => this.node.basicStatus().applied },
      {
        ...{ snapshotCount, walsMax, snapshotsMax },
        catchUpEntries: config.snapshotCatchUpEntries,
        compactEveryEntries: deps.compactEveryEntries,
      },
      storage.snapshot.index,
    );
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
        machine: deps.onApplied === undefined ? this.machine : observed(this.machine, deps.onApplied),
        network: { send: (messages) => this.network.send(messages) },
        ids: new RequestIds(storage.memberId, deps.clock.wallMs()),
        onFatal: deps.onFatal,
        onRoleChange: (role) => {
          this.leadership.changed(role);
          if (role.leader !== 0n) this.versions.leaderKnown();
        },
        flushAnswers: () => this.host.flushAnswers(),
        saveSnapshot: (snapshot, ready) => this.snapshotter.saveReceived(snapshot, ready),
        installSnapshot: (snapshot) => this.host.installSnapshot(snapshot),
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
    const { deps, config, members, replica, streams, expiry, requestTimeoutMs } = this;
    const { memberId, cluster } = this.storage;
    return new Leadership(
      {
        ...deps,
        ...{ memberId, members, streams, expiry },
        withNode: (action) => replica.withNode(action),
        leader: () => replica.leader,
        isLeader: () => replica.isLeader,
        isOnlyVoter: () => cluster.voters.length === 1,
        isAlone: () => replica.configuration.voters.length + replica.configuration.learners.length === 1,
      },
      { ...config, requestTimeoutMs },
    );
  }

  private makeLeases(): LeaderLeases {
    const { deps, state, expiry, replica, requestTimeoutMs } = this;
    const { cluster } = state;
    const appliedIndex = () => this.machine.appliedIndex;
    return new LeaderLeases(
      { ...deps, lessor: state.lessor, expiry, cluster, replica, appliedIndex },
      { requestTimeoutMs },
    );
  }

  private makeChanges(): MembershipChanges {
    return new MembershipChanges(
      {
        ...this.deps,
        memberId: this.storage.memberId,
        cluster: this.state.cluster,
        network: { activeSince: (id) => this.network.activeSince(id) },
        replica: this.replica,
        matchOf: (id) => this.node.status().progress.get(id)?.match,
      },
      { strictReconfigCheck: this.config.strictReconfigCheck, requestTimeoutMs: this.requestTimeoutMs },
    );
  }

  private makeVersions(): ClusterVersions {
    const { deps, config, replica, snapshotter } = this;
    const { memberId, clusterId, cluster } = this.storage;
    return new ClusterVersions(
      {
        ...deps,
        ...{ memberId, clusterId, cluster, snapshotter },
        proposals: replica,
        backend: () => this.state.backend,
        isLeader: () => replica.isLeader,
        appliedIndex: () => this.machine.appliedIndex,
      },
      { ...config, requestTimeoutMs: this.requestTimeoutMs },
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
      storageVersion: () => storageVersionOf(this.state.backend),
      onRemoved: () => this.members.removedSelf(0),
    });
  }

  /** Whether this leader has been connected to a quorum, or this follower to its leader, all the time. */
  private isConnectedSince(sinceMs: number): boolean {
    const { replica, members } = this;
    if (!replica.isLeader) return members.isConnectedSince(replica.leader, sinceMs);
    return members.hasQuorumSince(replica.configuration.voters, sinceMs);
  }

  private stalled(what: 'disk' | 'loop', stalledMs: number): void {
    const text = what === 'disk' ? 'slow fdatasync' : 'the event loop was blocked';
    this.deps.logger.warn(text, { took: `${Math.round(stalledMs)}ms`, 'is-leader': this.replica.isLeader });
    this.deps.metrics
      .counter('quorate_watchdog_stalls_total', 'Times that the disk or the event loop held the member up.', { what })
      .add(1);
  }
}
