import { type ErrorSymbol, errors } from '@quorate/api';
import { type Clock, type Counter, delay, type Logger, type Metrics } from '@quorate/base';
import {
  type ApplyResult,
  type Cluster,
  ConfChangeKind,
  checkPeerUrls,
  encodeMember,
  encodePromotion,
  isHealthyForAdd,
  isHealthyForRemove,
  isReadyToAddVoter,
  isReadyToPromote,
  isReadyToRemove,
  type Member,
  type MembershipRefusal,
  makeMemberId,
  type Sha1,
} from '@quorate/machine';
import type { ConfChange } from '@quorate/raft';
import type { PeerClient } from '../peer/peer-client.ts';
import type { PeerTransport } from '../peer/peer-source.ts';

/** What a change of the membership came to: the members after it, and the one it was about (as it was, when it was removed). */
export type MembershipAnswer =
  | { readonly kind: 'changed'; readonly id: bigint; readonly members: readonly Member[] }
  | { readonly kind: 'failed'; readonly symbol: ErrorSymbol };

export interface MembershipChangesDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly sha1: Sha1;
  readonly memberId: bigint;
  readonly cluster: Cluster;
  readonly network: Pick<PeerTransport, 'activeSince'>;
  readonly peerClient: PeerClient;
  readonly replica: {
    readonly leader: bigint;
    readonly isLeader: boolean;
    proposeChange(
      change: Omit<ConfChange, 'id'>,
      call: { applied(result: ApplyResult): void; failed(symbol: ErrorSymbol): void },
    ): () => void;
  };
  /** Index up to which a member's log is known to match this leader's; undefined when raft does not know the member. */
  readonly matchOf: (id: bigint) => number | undefined;
}

export interface MembershipChangesOptions {
  readonly strictReconfigCheck: boolean;
  readonly requestTimeoutMs: number;
}

/** Hears when the caller gives up. */
export type OnCancel = (forget: () => void) => void;

/** How long a member must have been connected to count (etcd's figure). */
const connectedMs = 5_000;
/** A learner is in sync when it has so much of the leader's log (etcd's figure). */
const readyShare = 0.9;
const retryMs = 100;

const refusalSymbols: Readonly<Record<MembershipRefusal, ErrorSymbol>> = {
  'membership/id-removed': 'ErrGRPCMemberNotFound',
  'membership/id-exists': 'ErrGRPCMemberExist',
  'membership/id-not-found': 'ErrGRPCMemberNotFound',
  'membership/peer-url-exists': 'ErrGRPCPeerURLExist',
  'membership/not-learner': 'ErrGRPCMemberNotLearner',
  'membership/too-many-learners': 'ErrGRPCTooManyLearners',
};

/** By their number. */
const changeNames: readonly (string | undefined)[] = [
  'ConfChangeAddNode',
  'ConfChangeRemoveNode',
  'ConfChangeUpdateNode',
  'ConfChangeAddLearnerNode',
];

const failed = (symbol: ErrorSymbol): MembershipAnswer => ({ kind: 'failed', symbol });

/**
 * Adds, removes and promotes members: what is asked before the change is proposed, the proposal, and its outcome. Without a leader a
 * change waits for one, as long as its caller does.
 */
export class MembershipChanges {
  private readonly deps: MembershipChangesDeps;
  private readonly options: MembershipChangesOptions;
  private readonly promoted: Counter;

  constructor(deps: MembershipChangesDeps, options: MembershipChangesOptions) {
    this.deps = deps;
    this.options = options;
    this.promoted = deps.metrics.counter(
      'etcd_server_learner_promote_successes',
      'The total number of successful learner promotions while this member is leader.',
    );
  }

  add(peerUrls: readonly string[], isLearner: boolean, onCancel: OnCancel): Promise<MembershipAnswer> {
    const { clock, sha1, cluster } = this.deps;
    const urls = checkPeerUrls(peerUrls);
    if (urls === undefined) return Promise.resolve(failed('ErrGRPCMemberBadURLs'));
    if (this.options.strictReconfigCheck) {
      const asked = { 'requested-member-add': urls };
      if (!isLearner && !isReadyToAddVoter(cluster.members)) {
        return Promise.resolve(failed(this.reject('add', 'ErrGRPCMemberNotEnoughStarted', asked)));
      }
      if (!isHealthyForAdd(cluster.members, this.connectedVoters())) {
        return Promise.resolve(failed(this.reject('add', 'ErrGRPCUnhealthy', asked)));
      }
    }
    const id = makeMemberId(sha1, urls, '', clock.wallMs() / 1000);
    const member: Member = { id, name: '', peerUrls: urls, clientUrls: [], isLearner };
    const type = isLearner ? ConfChangeKind.addLearnerNode : ConfChangeKind.addNode;
    return this.propose({ type, nodeId: id, context: encodeMember(member) }, onCancel);
  }

  remove(id: bigint, onCancel: OnCancel): Promise<MembershipAnswer> {
    const refused = this.options.strictReconfigCheck ? this.refuseRemove(id) : undefined;
    if (refused !== undefined) return Promise.resolve(failed(refused));
    return this.propose({ type: ConfChangeKind.removeNode, nodeId: id, context: new Uint8Array(0) }, onCancel);
  }

  /** Gives a member other peer URLs, unchecked as in etcd but for what would break whoever dials them. */
  update(id: bigint, peerUrls: readonly string[], onCancel: OnCancel): Promise<MembershipAnswer> {
    if (checkPeerUrls(peerUrls) === undefined) return Promise.resolve(failed('ErrGRPCMemberBadURLs'));
    const context = encodeMember({ id, name: '', peerUrls, clientUrls: [], isLearner: false });
    return this.propose({ type: ConfChangeKind.updateNode, nodeId: id, context }, onCancel);
  }

  /** Makes a learner a voter; the leader judges whether it may be, so any other member asks that. */
  async promote(id: bigint, authorization: string, onCancel: OnCancel): Promise<MembershipAnswer> {
    const { clock, cluster, replica, peerClient } = this.deps;
    const endMs = clock.nowMs() + this.options.requestTimeoutMs;
    let hadLeader = false;
    while (clock.nowMs() < endMs) {
      if (replica.isLeader) return this.promoteHere(id, onCancel);
      const leader = cluster.member(replica.leader);
      hadLeader = leader !== undefined;
      for (const url of leader?.peerUrls ?? []) {
        const leftMs = endMs - clock.nowMs();
        if (leftMs <= 0) break;
        const answer = await peerClient
          .promote(url, id, authorization, leftMs)
          .catch(() => ({ kind: 'retry', reason: '' }) as const);
        switch (answer.kind) {
          case 'promoted':
            return { kind: 'changed', id, members: answer.members };
          case 'not-found':
            return failed('ErrGRPCMemberNotFound');
          case 'not-ready':
            return failed('ErrGRPCLearnerNotReady');
          case 'not-learner':
            return failed('ErrGRPCMemberNotLearner');
          case 'timeout':
            return failed('ErrGRPCTimeout');
          case 'retry':
            break;
        }
      }
      await delay(clock, retryMs);
    }
    return failed(hadLeader ? 'ErrGRPCTimeout' : 'ErrGRPCNoLeader');
  }

  /** Promotes as the leader. */
  async promoteHere(id: bigint, onCancel: OnCancel): Promise<MembershipAnswer> {
    const answer = await this.tryPromote(id, onCancel);
    if (answer.kind === 'failed') this.countRefusal(answer.symbol);
    else this.promoted.add(1);
    return answer;
  }

  private countRefusal(symbol: ErrorSymbol): void {
    const help =
      'The total number of failed learner promotions (likely learner not ready) while this member is leader.';
    const labels = { Reason: errors[symbol].message };
    this.deps.metrics.counter('etcd_server_learner_promote_failures', help, labels).add(1);
  }

  private tryPromote(id: bigint, onCancel: OnCancel): Promise<MembershipAnswer> {
    const { cluster, memberId, matchOf } = this.deps;
    const member = cluster.member(id);
    const match = matchOf(id);
    if (member === undefined || match === undefined) return Promise.resolve(failed('ErrGRPCMemberNotFound'));
    // As in etcd a voter that is behind is refused for that, too.
    if (match < (matchOf(memberId) ?? 0) * readyShare) return Promise.resolve(failed('ErrGRPCLearnerNotReady'));
    if (!member.isLearner) return Promise.resolve(failed('ErrGRPCMemberNotLearner'));
    if (this.options.strictReconfigCheck && !isReadyToPromote(cluster.members)) {
      const asked = { 'requested-member-promote-id': id };
      return Promise.resolve(failed(this.reject('promote', 'ErrGRPCMemberNotEnoughStarted', asked)));
    }
    return this.propose({ type: ConfChangeKind.addNode, nodeId: id, context: encodePromotion(id) }, onCancel);
  }

  private refuseRemove(id: bigint): ErrorSymbol | undefined {
    const { cluster, memberId, network } = this.deps;
    const member = cluster.member(id);
    if (member === undefined) return 'ErrGRPCMemberNotFound';
    if (member.isLearner) return undefined;
    if (!isReadyToRemove(cluster.members, id)) {
      return this.reject('remove', 'ErrGRPCMemberNotEnoughStarted', { 'requested-member-remove-id': id });
    }
    // A member that is gone anyway takes nothing with it.
    if (id !== memberId && network.activeSince(id) === undefined) return undefined;
    const active = this.connectedVoters();
    if (isHealthyForRemove(cluster.members, active)) return undefined;
    return this.reject('remove', 'ErrGRPCUnhealthy', { 'requested-member-remove': id, 'active-peers': active });
  }

  /** Says in etcd's words why a change would put the quorum at risk. */
  private reject(
    what: 'add' | 'remove' | 'promote',
    symbol: ErrorSymbol,
    asked: Readonly<Record<string, unknown>>,
  ): ErrorSymbol {
    const { logger, memberId } = this.deps;
    const peers = what === 'add' ? 'majority peers' : 'all peers';
    const why =
      symbol === 'ErrGRPCUnhealthy'
        ? `local member has not been connected to ${peers}, reconfigure breaks active quorum`
        : 'not enough healthy members';
    const fields = { 'local-member-id': memberId, ...asked, error: errors[symbol].message };
    logger.warn(`rejecting member ${what} request; ${why}`, fields);
    return symbol;
  }

  /** Voters connected for a while, this member counted. */
  private connectedVoters(): number {
    const { clock, cluster, memberId, network } = this.deps;
    const sinceMs = clock.nowMs() - connectedMs;
    return cluster.voters.filter(({ id }) => id === memberId || (network.activeSince(id) ?? Infinity) <= sinceMs)
      .length;
  }

  private propose(change: Omit<ConfChange, 'id'>, onCancel: OnCancel): Promise<MembershipAnswer> {
    const { logger, memberId } = this.deps;
    return new Promise((resolve) => {
      const forget = this.deps.replica.proposeChange(change, {
        applied: (result) => {
          if (result.kind !== 'membership') return;
          const { outcome, members } = result;
          logger.info('applied a configuration change through raft', {
            'local-member-id': memberId,
            'raft-conf-change': changeNames[change.type],
            'raft-conf-change-node-id': change.nodeId,
          });
          if (outcome.kind === 'refused') resolve(failed(refusalSymbols[outcome.code]));
          else resolve({ kind: 'changed', id: change.nodeId, members });
        },
        failed: (symbol) => resolve(failed(symbol)),
      });
      onCancel(forget);
    });
  }
}
