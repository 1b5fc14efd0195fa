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
  readonly replica: LinearizableReads & {
    readonly leader: bigint;
    readonly committedIndex: number;
    isFresh(): boolean;
  };
  readonly appliedIndex: () => number;
}

export interface LeaderLeasesOptions {
  readonly requestTimeoutMs: number;
  /** A renewal of a lease that is known does not wait until all that is committed is applied (feature gate FastLeaseKeepAlive). */
  readonly renewsKnownAtOnce: boolean;
}

const notFound = { kind: 'not-found' } as const;
const lagging = { kind: 'failed', symbol: 'ErrGRPCTimeoutWaitAppliedIndex' } as const;

const failed = (symbol: ErrorSymbol): { kind: 'failed'; symbol: ErrorSymbol } => ({ kind: 'failed', symbol });

/** Between two rounds of questions to the leader (etcd's figure), and between two looks for one. */
const pauseMs = 50;
/** How long the leader waits until what is committed is applied (etcd's figure). */
const catchUpMs = 1_000;
const catchUpPauseMs = 5;

/** Only the leader knows how long leases have: it answers itself, any other member asks it over the peer port. */
export class LeaderLeases {
  private readonly deps: LeaderLeasesDeps;
  private readonly options: LeaderLeasesOptions;

  constructor(deps: LeaderLeasesDeps, options: LeaderLeasesOptions) {
    this.deps = deps;
    this.options = options;
  }

  /** Renews a lease; the answer is its TTL in seconds. At once where this member leads and nothing has to come first. */
  renew(id: bigint): LeaseAnswer<number> | Promise<LeaseAnswer<number>> {
    const { expiry, replica, appliedIndex } = this.deps;
    if (!expiry.isPrimary) return this.renewElsewhere(id);
    const isReady = !this.mustCatchUp(id) || appliedIndex() >= replica.committedIndex;
    return replica.isFresh() && isReady ? this.renewHere(id) : this.renewAsked(id);
  }

  /** A lease that is not known may be in an entry that is committed and not applied yet. */
  private mustCatchUp(id: bigint): boolean {
    return !this.options.renewsKnownAtOnce || !this.deps.lessor.has(id);
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

  /** As the leader: what is committed is applied first, and a clock that stood still may have missed another leader. */
  async renewAsked(id: bigint): Promise<LeaseAnswer<number>> {
    const { expiry, replica } = this.deps;
    if (!expiry.isPrimary) return failed('NotPrimaryLessor');
    if (!replica.isFresh() && !(await this.stillLeads())) return failed('NotPrimaryLessor');
    if (this.mustCatchUp(id) && !(await this.caughtUp())) return lagging;
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
    return new Promise((resolve) => {
      this.deps.replica.linearizableRead({
        readable: () => resolve(this.deps.expiry.isPrimary),
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
