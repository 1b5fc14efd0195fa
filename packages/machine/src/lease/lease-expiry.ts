import {
  type Clock,
  type Counter,
  type Logger,
  type Metrics,
  noMetrics,
  silentLogger,
  type Timer,
} from '@quorate/base';
import { DeadlineHeap } from './deadline-heap.ts';
import type { Lease } from './lease.ts';
import type { LeaseObserver, Lessor } from './lessor.ts';
import { spreadExpiries } from './spread-expiries.ts';

export interface LeaseCheckpoint {
  readonly id: bigint;
  readonly remainingTtl: number;
}

export interface LeaseExpiryDeps {
  readonly clock: Clock;
  readonly lessor: Lessor;
  /** Proposes the revoke of each of these expired leases. One that does not come about is asked for again. */
  readonly revoke: (ids: readonly bigint[]) => void;
  /** Proposes checkpoints, at most 1000; resolves once applied. Left out when the feature is off. */
  readonly checkpoint?: (checkpoints: readonly LeaseCheckpoint[]) => Promise<void>;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

export interface LeaseExpiryOptions {
  readonly scanIntervalMs?: number;
  readonly expiredPerScanMax?: number;
  /** After it a revoke that did not come about is asked for again: the request timeout. */
  readonly retryMs?: number;
  readonly checkpointIntervalMs?: number;
}

const defaults: Required<LeaseExpiryOptions> = {
  scanIntervalMs: 500,
  expiredPerScanMax: 500,
  retryMs: 7000,
  checkpointIntervalMs: 5 * 60 * 1000,
};

/** Leases looked at in one turn of the event loop; well under a millisecond. */
const visitsPerTurnMax = 2000;
const checkpointsPerEntryMax = 1000;

/** What {@link LeaseExpiry.renew} answers instead of a TTL. */
export const renewal = { notFound: 0, notPrimary: -1 } as const;

/**
 * The part of leases that has to do with time: it runs on the leader alone. Renewals only move the expiry noted in the lease; its
 * entry in the heap stays where it was and is put further back when its turn comes, so that a renewal costs O(1).
 */
export class LeaseExpiry implements LeaseObserver {
  private readonly deps: LeaseExpiryDeps;
  private readonly clock: Clock;
  private readonly lessor: Lessor;
  private readonly logger: Logger;
  private readonly options: Required<LeaseExpiryOptions>;
  private isPromoted = false;
  /** Every lease has exactly one entry in it while this is primary, revoked ones at most one. */
  private readonly expiries = new DeadlineHeap();
  private readonly checkpoints = new DeadlineHeap();
  private revokedInHeap = 0;
  private scanTimer: Timer | undefined = undefined;
  private scanEpoch = 0;
  /** Renewals of expired leases, which wait for the revoke. */
  private readonly waiters = new Map<Lease, ((answer: number) => void)[]>();
  private readonly renewedCounter: Counter;

  constructor(deps: LeaseExpiryDeps, options: LeaseExpiryOptions = {}) {
    this.deps = deps;
    this.clock = deps.clock;
    this.lessor = deps.lessor;
    this.logger = deps.logger ?? silentLogger;
    this.options = { ...defaults, ...options };
    const metrics = deps.metrics ?? noMetrics;
    this.renewedCounter = metrics.counter('etcd_debugging_lease_renewed_total', 'Renewals on the leader');
    deps.lessor.observe(this);
  }

  get isPrimary(): boolean {
    return this.isPromoted;
  }

  /**
   * This member leads and has applied the first entry of its term: every lease runs anew, for what its last checkpoint left it or
   * else in full, and `extendMs` (the election timeout) longer.
   */
  promote(extendMs: number): void {
    this.demote();
    this.isPromoted = true;
    const now = this.clock.nowMs();
    for (const lease of spreadExpiries(this.lessor.all(), now + extendMs)) {
      this.expiries.push(lease.expiryMs, lease);
      this.scheduleCheckpoint(lease, now);
    }
    this.scheduleScan();
  }

  /** This member does not lead any more: nothing expires. */
  demote(): void {
    this.isPromoted = false;
    this.scanEpoch++;
    this.scanTimer?.cancel();
    this.scanTimer = undefined;
    this.expiries.clear();
    this.checkpoints.clear();
    this.revokedInHeap = 0;
    const waiting = [...this.waiters.values()].flat();
    this.waiters.clear();
    for (const resolve of waiting) resolve(renewal.notPrimary);
  }

  /**
   * Renews a lease without a log entry.
   * @returns its TTL in seconds, `renewal.notFound` or `renewal.notPrimary`; a promise of it when a log entry has to come first: a
   * lease past its expiry waits for its revoke (it is never revived), one with a checkpoint has that cleared.
   */
  renew(id: bigint): number | Promise<number> {
    if (!this.isPromoted) return renewal.notPrimary;
    const lease = this.lessor.get(id);
    if (lease === undefined) return renewal.notFound;
    const now = this.clock.nowMs();
    if (lease.expiryMs <= now) {
      return new Promise((resolve) => {
        const others = this.waiters.get(lease);
        if (others === undefined) this.waiters.set(lease, [resolve]);
        else others.push(resolve);
      });
    }
    if (lease.remainingTtlSeconds > 0 && this.deps.checkpoint !== undefined) {
      return this.deps.checkpoint([{ id, remainingTtl: 0 }]).then(() => this.renewCleared(lease));
    }
    return this.extend(lease, now);
  }

  /** Whole seconds left, truncated toward zero (negative when the revoke of an expired lease is late); undefined when this is not primary. */
  remainingSeconds(lease: Lease): number | undefined {
    if (!this.isPromoted) return undefined;
    const seconds = Math.trunc((lease.expiryMs - this.clock.nowMs()) / 1000);
    return seconds === 0 ? 0 : seconds;
  }

  /** Ids of all leases: on the primary by remaining time, equal ones in order of grant; elsewhere in no particular order. */
  list(): bigint[] {
    const leases = [...this.lessor.all()];
    if (this.isPromoted) leases.sort((a, b) => a.expiryMs - b.expiryMs || a.grantOrder - b.grantOrder);
    return leases.map((lease) => lease.id);
  }

  granted(lease: Lease): void {
    if (!this.isPromoted) return;
    const now = this.clock.nowMs();
    lease.expiryMs = now + lease.ttlSeconds * 1000;
    this.expiries.push(lease.expiryMs, lease);
    this.scheduleCheckpoint(lease, now);
  }

  revoked(lease: Lease): void {
    if (!this.isPromoted) return;
    this.revokedInHeap++;
    if (this.revokedInHeap > 1024 && this.revokedInHeap > this.expiries.size / 2) {
      this.expiries.sweep();
      this.checkpoints.sweep();
      this.revokedInHeap = 0;
    }
    const waiting = this.waiters.get(lease);
    if (waiting === undefined) return;
    this.waiters.delete(lease);
    for (const resolve of waiting) resolve(renewal.notFound);
  }

  private renewCleared(lease: Lease): number | Promise<number> {
    if (!this.isPromoted) return renewal.notPrimary;
    if (lease.isRevoked) return renewal.notFound;
    const now = this.clock.nowMs();
    // While the checkpoint was being cleared the lease may have expired: then it waits for its end like any other.
    return lease.expiryMs <= now ? this.renew(lease.id) : this.extend(lease, now);
  }

  private extend(lease: Lease, now: number): number {
    // Never earlier than before: a promotion may have given it more, and its entry in the heap would then come too late.
    lease.expiryMs = Math.max(lease.expiryMs, now + lease.ttlSeconds * 1000);
    this.renewedCounter.add(1);
    return lease.ttlSeconds;
  }

  private scheduleScan(): void {
    this.scanTimer = this.clock.setTimer(this.options.scanIntervalMs, () => {
      this.scheduleScan();
      this.scan(this.scanEpoch, 0);
      this.scanCheckpoints();
    });
  }

  /** Offers what has expired; where more leases than fit in a turn have moved on, it goes on in the next. */
  private scan(epoch: number, offeredBefore: number): void {
    if (epoch !== this.scanEpoch) return;
    const now = this.clock.nowMs();
    const expired: bigint[] = [];
    const expiredMax = this.options.expiredPerScanMax - offeredBefore;
    let visits = 0;
    while (this.expiries.earliestMs <= now && expired.length < expiredMax && visits < visitsPerTurnMax) {
      visits++;
      const lease = this.expiries.pop();
      if (lease.isRevoked) {
        this.revokedInHeap--;
      } else if (lease.expiryMs > now) {
        this.expiries.push(lease.expiryMs, lease);
      } else {
        expired.push(lease.id);
        this.expiries.push(now + this.options.retryMs, lease);
      }
    }
    if (visits === visitsPerTurnMax) this.clock.defer(() => this.scan(epoch, offeredBefore + expired.length));
    if (expired.length > 0) this.deps.revoke(expired);
  }

  private scheduleCheckpoint(lease: Lease, now: number): void {
    if (this.deps.checkpoint === undefined) return;
    if (lease.expiryMs - now > this.options.checkpointIntervalMs) {
      this.checkpoints.push(now + this.options.checkpointIntervalMs, lease);
    }
  }

  private scanCheckpoints(): void {
    const now = this.clock.nowMs();
    const due: LeaseCheckpoint[] = [];
    while (this.checkpoints.earliestMs <= now && due.length < checkpointsPerEntryMax) {
      const lease = this.checkpoints.pop();
      if (lease.isRevoked || lease.expiryMs <= now) continue;
      due.push({ id: lease.id, remainingTtl: Math.ceil((lease.expiryMs - now) / 1000) });
      this.scheduleCheckpoint(lease, now);
    }
    if (due.length === 0) return;
    this.deps.checkpoint?.(due).catch((error: unknown) => {
      this.logger.warn('failed to checkpoint leases', { error });
    });
  }
}
