import type { Random } from '@quorate/base';
import { type ApplyResult, hashKeys, type LeaseExpiry, type Quota, type WatchHub } from '@quorate/machine';
import type { GrpcServer, UnaryCall } from '@quorate/transport';
import type { Passwords } from '../auth/passwords.ts';
import type { TokenProvider } from '../auth/token-provider.ts';
import type { MemberConfig } from '../config/config.ts';
import type { Replica } from '../replica/replica.ts';
import { failCall } from '../rpc/answers.ts';
import { registerAuth } from '../rpc/auth.ts';
import { registerCluster } from '../rpc/cluster.ts';
import { registerConcurrency } from '../rpc/concurrency.ts';
import type { HeaderBytes } from '../rpc/header-bytes.ts';
import { registerHealth } from '../rpc/health.ts';
import { registerKeyValue } from '../rpc/kv.ts';
import { registerLease } from '../rpc/lease.ts';
import { registerMaintenance } from '../rpc/maintenance.ts';
import type { MemberContext } from '../rpc/member-context.ts';
import type { Digest } from '../rpc/snapshot-streams.ts';
import { registerWatch } from '../rpc/watch.ts';
import { defragment } from '../upkeep/defragment.ts';
import { Downgrades } from '../versions/downgrades.ts';
import { passwordFormOf } from '../versions/password-form.ts';
import type { LeaderLeases } from './leader-leases.ts';
import type { MemberState } from './member-state.ts';
import type { MembershipChanges } from './membership-changes.ts';
import type { ServingState } from './serving-state.ts';

/** The parts of a member that services speak for. */
export interface ServiceParts {
  readonly member: MemberContext;
  readonly config: MemberConfig;
  readonly state: MemberState;
  readonly replica: Replica<ApplyResult>;
  readonly quota: Quota;
  readonly header: HeaderBytes;
  readonly hub: WatchHub;
  readonly expiry: LeaseExpiry;
  readonly leases: LeaderLeases;
  readonly changes: MembershipChanges;
  readonly serving: ServingState;
  readonly random: Random;
  readonly tokens: TokenProvider;
  readonly passwords: Passwords;
  readonly sha256: () => Digest;
  appliedIndex(): number;
  storageVersion(): string | undefined;
  /** Raises the NOSPACE alarm unless it is raised; `then` runs once it is, or cannot be. */
  raiseNoSpace(then: () => void): void;
  moveLeader(to: bigint): Promise<boolean>;
}

/** Registers every service of a member on a gRPC server. */
export function registerServices(server: GrpcServer, parts: ServiceParts): void {
  const { member, config, state, replica, quota, header, expiry } = parts;
  const refuseForSpace = (call: UnaryCall) => parts.raiseNoSpace(() => failCall(call, 'ErrGRPCNoSpace'));
  registerKeyValue(server, member, {
    // A leader's snapshot brings another store.
    get store() {
      return state.store;
    },
    reads: replica,
    header,
    requestBytesMax: config.requestBytesMax,
    quota,
    txnOpsMax: config.txnOpsMax,
    refuseForSpace,
  });
  registerWatch(server, member, parts.hub);
  registerLease(server, member, {
    lessor: state.lessor,
    expiry,
    leaderLeases: parts.leases,
    quota,
    random: parts.random,
    refuseForSpace,
  });
  registerCluster(server, member, { reads: replica, changes: parts.changes, members: () => state.cluster.members });
  registerAuth(server, member, {
    auth: state.auth,
    tokens: parts.tokens,
    passwords: parts.passwords,
    reads: replica,
    proposals: replica,
    logger: member.logger,
    passwordForm: () => passwordFormOf(state.cluster.version, state.cluster.members.length === 1),
  });
  registerConcurrency(server, member);
  registerHealth(server, member, parts.serving);
  registerMaintenance(server, member, {
    get backend() {
      return state.backend;
    },
    raftIndex: () => replica.committedIndex,
    appliedIndex: () => parts.appliedIndex(),
    alarms: () => state.alarms.list(0),
    storageVersion: () => parts.storageVersion() ?? '',
    downgrade: () => state.cluster.downgrade,
    quotaBytes: () => (Number.isFinite(quota.bytes) ? quota.bytes : 0),
    hashKeyValues: (revision) => hashKeys(state.store, revision),
    isLeader: () => replica.isLeader,
    isVoter: (id) => replica.configuration.voters.includes(id),
    moveLeader: (to) => parts.moveLeader(to),
    downgrades: new Downgrades({ cluster: state.cluster, proposals: replica, reads: replica, logger: member.logger }),
    clusterVersion: () => state.cluster.version,
    defragment: () =>
      defragment({
        logger: member.logger,
        backend: state.backend,
        serving: parts.serving,
        hides: config.featureGates.get('StopGRPCServiceOnDefrag') === true,
        isStopping: () => member.streams.isClosed,
      }),
    sha256: parts.sha256,
  });
}
