import type { ErrorSymbol } from '@quorate/api';
import type { Clock } from '@quorate/base';
import { type ConfState, type RawNode, StateType } from '@quorate/raft';
import type { RoleStatus } from './contract.ts';

export interface ReplicaRoleDeps {
  readonly clock: Clock;
  readonly node: RawNode;
  /** Another leader than the last one is known; `isFirst` when there was none before. */
  readonly onOtherLeader: (isFirst: boolean) => void;
  /** The raft role, leader or term changed. */
  readonly onChange: (status: RoleStatus) => void;
  readonly isConnectedSince?: (sinceMs: number) => boolean;
}

/** Who leads in which term, under which configuration, as far as the replica has been told. */
export class ReplicaRole implements RoleStatus {
  /** The configuration in force; {@link note} follows where another is set. */
  confState: ConfState;
  /** Leading as the only voter. */
  isAlone = false;
  private readonly deps: ReplicaRoleDeps;
  private readonly electionMs: number;
  private current: RoleStatus = { leader: 0n, isLeader: false, term: 0 };
  /** The last leader there was, also while there is none. */
  private lastLeader = 0n;
  /** When this member last became leader. */
  private leaderSinceMs = Number.NEGATIVE_INFINITY;
  private hasCampaigned = false;

  constructor(deps: ReplicaRoleDeps, confState: ConfState, electionMs: number) {
    this.deps = deps;
    this.confState = confState;
    this.electionMs = electionMs;
  }

  get leader(): bigint {
    return this.current.leader;
  }

  get isLeader(): boolean {
    return this.current.isLeader;
  }

  get term(): number {
    return this.current.term;
  }

  /** Looks at what raft says now. */
  note(): void {
    const { node, clock, onOtherLeader, onChange } = this.deps;
    const status = node.basicStatus();
    const { leader } = status.softState;
    const isLeader = status.softState.state === StateType.Leader;
    const term = status.hardState.term;
    this.isAlone = isLeader && this.isOnlyVoter();
    if (leader === this.leader && isLeader === this.isLeader && term === this.term) return;
    if (leader !== 0n && leader !== this.lastLeader) {
      onOtherLeader(this.lastLeader === 0n);
      this.lastLeader = leader;
    }
    if (isLeader && !this.isLeader) this.leaderSinceMs = clock.nowMs();
    this.current = { leader, isLeader, term };
    onChange(this.current);
  }

  /** Once: the only voter stands for election without waiting, since there is nobody to wait for. False when it does not. */
  campaignIfAlone(): boolean {
    if (this.hasCampaigned || this.leader !== 0n || !this.isOnlyVoter()) return false;
    this.hasCampaigned = true;
    this.deps.node.campaign();
    return true;
  }

  private isOnlyVoter(): boolean {
    const { voters, votersOutgoing } = this.confState;
    return voters.length === 1 && votersOutgoing.length === 0 && voters[0] === this.deps.node.basicStatus().id;
  }

  /** Why a call that waited too long failed, in etcd's family of time-outs. */
  timeoutSymbol(sinceMs: number): ErrorSymbol {
    const { leaderSinceMs } = this;
    if (sinceMs > leaderSinceMs - 2 * this.electionMs && sinceMs < leaderSinceMs) {
      return 'ErrGRPCTimeoutDueToLeaderFail';
    }
    if (this.leader !== 0n && this.deps.isConnectedSince?.(sinceMs) === false) {
      return 'ErrGRPCTimeoutDueToConnectionLost';
    }
    return 'ErrGRPCTimeout';
  }
}
