import type { ErrorSymbol } from '@quorate/api';
import { type Clock, delay, latin1ToBytes } from '@quorate/base';
import { type Cluster, type LeaseExpiry, type Lessor, renewal } from '@quorate/machine';
import type { PeerClient, PeerLease, PeerLeaseAnswer } from '../peer/peer-client.ts';
import type { LinearizableReads } from '../rpc/member-context.ts';

/** What a renewal, or the question how long a lease has, came to. */
export type LeaseAnswer<Found> =
  | { readonly kind: 'found'; readonly lease: Found }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'failed'; readonly symbol: ErrorSymbol };

export interface LeaderLeasesDeps {
  readonly clock: Clock;
  readonly lessor: Lessor;
  readonly expiry: LeaseExpiry;
  readonly cluster: Cluster;
  readonly peerClient: PeerClient;
  readonly replica: LinearizableReads & { readonly leader: bigint; readonly committedIndex: number };
  readonly appliedIndex: () => number;
}

export interface LeaderLeasesOptions {
  readonly requestTimeoutMs: number;
}

const notFound = { kind: 'not-found' } as const;
const lagging = { kind: 'failed', symbol: 'ErrGRPCTimeoutWaitAppliedIndex' } as const;

const failed = (symbol: ErrorSymbol): { kind: 'failed'; symbol: ErrorSymbol } => ({ kind: 'failed', symbol });

/** Between two rounds of questions to the leader (etcd's figure), and between two looks for one. */
const pauseMs = 50;
/** How long the leader waits until what is committed is applied (etcd's figure). */
const catchUpMs = 1_000;
const catchUpPauseMs = 5;

/**
 * Only the leader knows how long leases have: it answers itself, any other member asks it over the peer port.
 *
 * A leader may be none any more and not know it yet, while the next one has revoked a lease: so it renews only what was asked before a
 * majority still took it for the leader (etcd's asks them only after its clock stood still).
 */
export class LeaderLeases {
  private readonly deps: LeaderLeasesDeps;
  private readonly options: LeaderLeasesOptions;
  /** How often a majority has been asked, and the last such question that it said yes to. */
  private questions = 0;
  private confirmed = 0;

  constructor(deps: LeaderLeasesDeps, options: LeaderLeasesOptions) {
    this.deps = deps;
    this.options = options;
  }

  /** When a renewal came, for {@link renew}. */
  get moment(): number {
    return this.questions;
  }

  /**
   * Renews a lease; the answer is its TTL in seconds. At once where this member leads alone, or where a majority was asked since `cameAt`:
   * who waits behind others pays for one question together with them.
   */
  renew(id: bigint, cameAt: number): LeaseAnswer<number> | Promise<LeaseAnswer<number>> {
    const { expiry, replica } = this.deps;
    if (!expiry.isPrimary) return this.renewElsewhere(id);
    return replica.isReadable() || this.confirmed > cameAt ? this.renewHere(id) : this.renewAsked(id);
  }

  /** How long a lease has. */
  async timeToLive(id: bigint, wantsKeys: boolean): Promise<LeaseAnswer<PeerLease>> {
    if (this.deps.expiry.isPrimary) return this.timeToLiveHere(id, wantsKeys);
    return this.askLeader(
      (url, timeoutMs) => this.deps.peerClient.leaseTimeToLive(url, id, wantsKeys, timeoutMs),
      () => this.timeToLiveHere(id, wantsKeys),
    );
  }

  /** Renews as the leader; `ErrGRPCNotLeader` stands for a member that is not the primary lessor. */
  renewHere(id: bigint): LeaseAnswer<number> | Promise<LeaseAnswer<number>> {
    const renewed = this.deps.expiry.renew(id);
    return typeof renewed === 'number' ? answerOf(renewed) : renewed.then(answerOf);
  }

  /** As the leader, once a majority still takes it for that and all that was committed until then is applied. */
  async renewAsked(id: bigint): Promise<LeaseAnswer<number>> {
    if (!this.deps.expiry.isPrimary || !(await this.stillLeads())) return failed('NotPrimaryLessor');
    return this.renewHere(id);
  }

  async timeToLiveHere(id: bigint, wantsKeys: boolean): Promise<LeaseAnswer<PeerLease>> {
    const { expiry, lessor } = this.deps;
    if (!(await this.caughtUp())) return lagging;
    const lease = lessor.get(id);
    if (lease === undefined) return notFound;
    const ttlSeconds = expiry.remainingSeconds(lease);
    if (ttlSeconds === undefined) return failed('ErrGRPCLeaderChanged');
    const keys = wantsKeys ? lessor.keysOf(id).map(latin1ToBytes) : [];
    return { kind: 'found', lease: { ttlSeconds, grantedTtlSeconds: lease.ttlSeconds, keys } };
  }

  private renewElsewhere(id: bigint): Promise<LeaseAnswer<number>> {
    return this.askLeader(
      (url, timeoutMs) => this.deps.peerClient.renewLease(url, id, timeoutMs),
      () => this.renewAsked(id),
    );
  }

  /** Asks whoever leads until there is an answer or the time is up; this member itself if it comes to lead. */
  private async askLeader<Found>(
    ask: (url: string, timeoutMs: number) => Promise<PeerLeaseAnswer<Found>>,
    here: () => Promise<LeaseAnswer<Found>>,
  ): Promise<LeaseAnswer<Found>> {
    const { clock, cluster, replica, expiry } = this.deps;
    const endMs = clock.nowMs() + this.options.requestTimeoutMs;
    let hadLeader = false;
    while (clock.nowMs() < endMs) {
      if (expiry.isPrimary) return here();
      const leader = cluster.member(replica.leader);
      hadLeader = leader !== undefined;
      for (const url of leader?.peerUrls ?? []) {
        const leftMs = endMs - clock.nowMs();
        if (leftMs <= 0) break;
        const answer = await ask(url, leftMs).catch((): PeerLeaseAnswer<Found> => ({ kind: 'retry', reason: '' }));
        if (answer.kind !== 'retry') return answer;
      }
      await delay(clock, pauseMs);
    }
    return failed(hadLeader ? 'ErrGRPCTimeout' : 'ErrGRPCNoLeader');
  }

  private stillLeads(): Promise<boolean> {
    const { replica, expiry } = this.deps;
    const question = ++this.questions;
    return new Promise((resolve) => {
      replica.linearizableRead({
        readable: () => {
          this.confirmed = Math.max(this.confirmed, question);
          resolve(expiry.isPrimary);
        },
        failed: () => resolve(false),
      });
    });
  }

  /** Whether all that is committed now is applied, within a second. */
  private async caughtUp(): Promise<boolean> {
    const { clock, replica, appliedIndex } = this.deps;
    const index = replica.committedIndex;
    const endMs = clock.nowMs() + catchUpMs;
    while (appliedIndex() < index) {
      if (clock.nowMs() >= endMs) return false;
      await delay(clock, catchUpPauseMs);
    }
    return true;
  }
}

function answerOf(renewed: number): LeaseAnswer<number> {
  if (renewed === renewal.notFound) return notFound;
  if (renewed === renewal.notPrimary) return failed('NotPrimaryLessor');
  return { kind: 'found', lease: renewed };
}
