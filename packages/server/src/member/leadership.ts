import { etcdserverpb } from '@quorate/api';
import { type Clock, CodedError, type Counter, type Logger, type Timer } from '@quorate/base';
import type { Identity, LeaseCheckpoint, LeaseExpiry } from '@quorate/machine';
import type { RoleStatus } from '../replica/contract.ts';
import type { OpenStreams } from '../rpc/member-context.ts';
import { type LeaderProposals, RequestField } from '../rpc/proposals.ts';
import { leaseAttributes, type RequestSpans } from '../rpc/request-spans.ts';
import { ElectionHeadStart, type ElectionHeadStartOptions } from './election-head-start.ts';
import type { KnownMembers } from './known-members.ts';
import { LeaderTransfer, type LeaderTransferDeps } from './leader-transfer.ts';

export interface LeadershipDeps extends LeaderTransferDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly expiry: LeaseExpiry;
  readonly streams: OpenStreams;
  readonly members: KnownMembers;
  readonly isLeader: () => boolean;
  readonly isOnlyVoter: () => boolean;
  /** No other member is in the configuration, not even a learner. */
  readonly isAlone: () => boolean;
}

export interface LeadershipOptions extends ElectionHeadStartOptions {
  readonly requestTimeoutMs: number;
}

/** Election timeouts without a leader after which streams with `hasleader` end. */
const leaderMissesMax = 3;

/** Who leads, and what this member does as the leader and no longer does when it is not. */
export class Leadership {
  private readonly deps: LeadershipDeps;
  private readonly options: LeadershipOptions;
  private readonly transfer: LeaderTransfer;
  private readonly headStart: ElectionHeadStart;
  private loggedLeader = 0n;
  private leaderCheck: Timer | undefined;

  constructor(deps: LeadershipDeps, options: LeadershipOptions) {
    this.deps = deps;
    this.options = options;
    this.transfer = new LeaderTransfer(deps);
    const { clock, logger, memberId, isAlone, members } = deps;
    this.headStart = new ElectionHeadStart(
      {
        ...{ clock, logger, memberId, isAlone },
        activeOthers: () => members.activeOthers(),
        hasLeader: () => deps.leader() !== 0n,
        advance: (ticks) =>
          deps.withNode((node) => {
            for (let i = 0; i < ticks; i++) node.tick();
          }),
      },
      options,
    );
  }

  start(): void {
    this.checkLeader(0);
    this.headStart.start();
  }

  stop(): void {
    this.leaderCheck?.cancel();
    this.headStart.stop();
    this.deps.expiry.demote();
  }

  changed(role: RoleStatus): void {
    this.log(role);
    if (!role.isLeader) this.deps.expiry.demote();
    this.transfer.leaderChanged(role.leader);
  }

  /** Entries are applied: only what is applied in its own term may a leader judge, for then it knows all grants of earlier ones. */
  applied(appliedTerm: number, term: number): void {
    const { expiry, isLeader } = this.deps;
    if (isLeader() && !expiry.isPrimary && appliedTerm === term) expiry.promote(this.options.electionMs);
  }

  /** As the leader. Resolves with whether the voter `to` leads within the request time-out. */
  move(to: bigint): Promise<boolean> {
    return this.transfer.move(to, this.options.requestTimeoutMs);
  }

  /** Before a stop: a leader of several voters hands leadership to the one that has been connected for longest. */
  async giveUp(): Promise<void> {
    const { logger, memberId, members, isLeader, isOnlyVoter } = this.deps;
    const fields = { 'local-member-id': memberId, 'current-leader-member-id': this.deps.leader() };
    if (!isLeader()) logger.info('skipped leadership transfer; local server is not leader', fields);
    else if (isOnlyVoter()) logger.info('skipped leadership transfer for single voting member cluster', fields);
    else {
      const successor = members.longestConnectedVoter();
      if (successor !== undefined) await this.move(successor);
      else logger.warn('leadership transfer failed', { ...fields, error: 'unhealthy cluster' });
    }
  }

  /** Looks once an election timeout whether a leader is known; streams of clients that insist on one end at the third time without (semantics 10.3). */
  private checkLeader(missed: number): void {
    const { clock, streams, leader } = this.deps;
    this.leaderCheck = clock.setTimer(this.options.electionMs, () => {
      const missedNow = leader() !== 0n ? 0 : missed + 1;
      if (missedNow >= leaderMissesMax) streams.leaderLost();
      this.checkLeader(missedNow);
    });
  }

  /** In etcd's words, which test harnesses wait for. */
  private log(role: RoleStatus): void {
    if (role.leader === this.loggedLeader) return;
    const own = this.deps.memberId.toString(16);
    const [before, now] = [this.loggedLeader.toString(16), role.leader.toString(16)];
    this.loggedLeader = role.leader;
    let text = `raft.node: ${own} changed leader from ${before} to ${now} at term ${role.term}`;
    if (role.leader === 0n) text = `raft.node: ${own} lost leader ${before} at term ${role.term}`;
    else if (before === '0') text = `raft.node: ${own} elected leader ${now} at term ${role.term}`;
    this.deps.logger.info(text, { logger: 'raft' });
  }
}

/** Proposes how long leases have, for the next leader; resolves once that is applied. */
export function checkpointLeases(proposals: LeaderProposals, leases: readonly LeaseCheckpoint[]): Promise<void> {
  const checkpoints = leases.map((one) => etcdserverpb.LeaseCheckpoint.create(one));
  const request = etcdserverpb.LeaseCheckpointRequest.encode(
    etcdserverpb.LeaseCheckpointRequest.create({ checkpoints }),
  );
  return new Promise((resolve, reject) => {
    proposals.proposeAsLeader(RequestField.leaseCheckpoint, request, {
      applied: () => resolve(),
      failed: (symbol) => reject(new CodedError('member/checkpoint', symbol)),
    });
  });
}

interface RevokeDeps {
  readonly proposals: LeaderProposals;
  /** Counts the revokes that came about. */
  readonly expired: Counter;
  readonly spans: RequestSpans | undefined;
}

/**
 * Proposes the revoke of expired leases, as `identity` where permissions are enforced; one that does not come about is asked for again.
 */
export function revokeLeases(deps: RevokeDeps, ids: readonly bigint[], identity: Identity | undefined): void {
  for (const id of ids) {
    const request = etcdserverpb.LeaseRevokeRequest.create({ id });
    const span = deps.spans?.begin(undefined, 'lease_revoke', id, leaseAttributes);
    deps.proposals.proposeAsLeader(
      RequestField.leaseRevoke,
      etcdserverpb.LeaseRevokeRequest.encode(request),
      {
        applied: (result) => {
          span?.end();
          if (result.kind === 'lease-revoke') deps.expired.add(1);
        },
        failed: () => span?.end(),
      },
      identity,
    );
  }
}
