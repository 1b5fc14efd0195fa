import { type Clock, CodedError, type Logger, type Timer } from '@quorate/base';
import type { ChangeOutcome, Cluster, Member } from '@quorate/machine';
import type { ConfState } from '@quorate/raft';
import type { PeerNetwork } from '../replica/peer-network.ts';
import { MembershipHistory } from './membership-history.ts';

export interface KnownMembersDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly cluster: Cluster;
  readonly network: () => PeerNetwork;
  readonly appliedIndex: () => number;
  /** The member cannot go on. */
  readonly onFatal: (error: unknown) => void;
}

/** A removed member goes on for so long, for others to hear of it (etcd's figure). */
const removedStopMs = 1_000;

/** What changes of the membership mean outside of the state machine: whom to dial, what goes with a snapshot, when to stop for good. */
export class KnownMembers {
  readonly history = new MembershipHistory();
  private readonly deps: KnownMembersDeps;
  private removal: Timer | undefined;

  constructor(deps: KnownMembersDeps) {
    this.deps = deps;
  }

  /** Begins with what was restored: dials all, and those of whom the log does not tell yet. */
  begin(confState: ConfState, firstPeers: readonly Member[]): void {
    this.note(confState, this.deps.appliedIndex());
    for (const { id, peerUrls } of firstPeers) this.deps.network().setPeer(id, peerUrls);
    this.dial();
  }

  /** By the entry that is being applied, which is not counted yet. */
  changed(outcome: ChangeOutcome, confState: ConfState): void {
    const { memberId, network } = this.deps;
    this.noteNext(confState);
    if (outcome.kind === 'refused') return;
    this.log(outcome);
    const { id, peerUrls } = outcome.member;
    if (outcome.kind !== 'removed') {
      if (id !== memberId) network().setPeer(id, peerUrls);
    } else if (id === memberId) this.removedSelf(removedStopMs);
    else network().removePeer(id);
  }

  /** In etcd's words and fields, which differ from one kind to the next. */
  private log({ kind, member }: Exclude<ChangeOutcome, { kind: 'refused' }>): void {
    const { logger, memberId, clusterId } = this.deps;
    const own = { 'cluster-id': clusterId, 'local-member-id': memberId };
    const { id, peerUrls, isLearner } = member;
    switch (kind) {
      case 'added':
        logger.info('added member', {
          ...own,
          ...{ 'added-peer-id': id, 'added-peer-peer-urls': peerUrls, 'added-peer-is-learner': isLearner },
        });
        return;
      case 'promoted':
        logger.info('promote member', { ...own, 'promoted-member-id': id });
        return;
      case 'updated':
      case 'removed': {
        const who = `${kind}-remote-peer`;
        const fields = { [`${who}-id`]: id, [`${who}-urls`]: peerUrls, [`${who}-is-learner`]: isLearner };
        logger.info(`${kind} member`, { ...own, ...fields });
        return;
      }
      default:
        kind satisfies never;
    }
  }

  /** Something that goes with a snapshot has changed, by the entry that is being applied. */
  noteNext(confState: ConfState): void {
    this.note(confState, this.deps.appliedIndex() + 1);
  }

  /** The member stands on a leader's snapshot, with its membership. */
  restart(index: number, confState: ConfState): void {
    const { cluster, network } = this.deps;
    this.history.restart({ index, confState, state: cluster.state });
    for (const id of cluster.removedIds) network().removePeer(id);
    this.dial();
  }

  /** This member is not one any more: it stops after a while. */
  removedSelf(delayMs: number): void {
    const { clock, onFatal } = this.deps;
    this.removal ??= clock.setTimer(delayMs, () =>
      onFatal(new CodedError('member/removed', 'the member has been permanently removed from the cluster')),
    );
  }

  /** Whether a member has been connected all the time since then (`Clock.nowMs`). */
  isConnectedSince(id: bigint, sinceMs: number): boolean {
    return (this.deps.network().activeSince(id) ?? Number.POSITIVE_INFINITY) <= sinceMs;
  }

  /** How many other members are connected now. */
  activeOthers(): number {
    const { cluster, memberId, network } = this.deps;
    return cluster.members.filter(({ id }) => id !== memberId && network().activeSince(id) !== undefined).length;
  }

  /** Whether this member has been connected to a quorum of `voters` all the time. */
  hasQuorumSince(voters: readonly bigint[], sinceMs: number): boolean {
    const { memberId } = this.deps;
    return voters.filter((id) => id === memberId || this.isConnectedSince(id, sinceMs)).length > voters.length / 2;
  }

  /** The voter that has been connected for longest; undefined when no other one is. */
  longestConnectedVoter(): bigint | undefined {
    const { cluster, memberId, network } = this.deps;
    let longest: bigint | undefined;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const { id } of cluster.voters) {
      const sinceMs = id === memberId ? undefined : network().activeSince(id);
      if (sinceMs === undefined || sinceMs >= earliestMs) continue;
      longest = id;
      earliestMs = sinceMs;
    }
    return longest;
  }

  stop(): void {
    this.removal?.cancel();
  }

  private note(confState: ConfState, index: number): void {
    this.history.note({ index, confState, state: this.deps.cluster.state });
  }

  private dial(): void {
    const { cluster, memberId, network } = this.deps;
    for (const { id, peerUrls } of cluster.members) if (id !== memberId) network().setPeer(id, peerUrls);
  }
}
