import { leasepb } from '@quorate/api';
import {
  allocateUnsafe,
  assert,
  type Counter,
  copyBytes,
  type Histogram,
  type Logger,
  type Metrics,
  noMetrics,
  silentLogger,
  writeUint32BE,
} from '@quorate/base';
import { type Backend, BucketId } from '@quorate/storage';
import type { LeaseAttachments } from '../mvcc/contract.ts';
import { Lease } from './lease.ts';

/** The longest TTL that is granted. */
export const leaseTtlSecondsMax = 9_000_000_000;

/** The shortest TTL that is granted: one and a half election timeouts, in whole seconds. */
export function leaseTtlSecondsMin(electionTicks: number, heartbeatMs: number): number {
  return Math.ceil((Math.floor((3 * electionTicks) / 2) * heartbeatMs) / 1000);
}

export type LeaseBackend = Pick<Backend, 'put' | 'delete' | 'range'>;

export interface LessorDeps {
  readonly backend: LeaseBackend;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

export interface LessorOptions {
  /** See {@link leaseTtlSecondsMin}; equal on all members of a cluster. */
  readonly ttlSecondsMin: number;
  /** Whether checkpoints are stored too; asked at each one. By default they are. */
  readonly persistsCheckpoints?: () => boolean;
}

/** Told of changes after they are made. */
export interface LeaseObserver {
  granted(lease: Lease): void;
  revoked(lease: Lease): void;
}

export type GrantResult =
  | { readonly ok: true; readonly ttlSeconds: number }
  | { readonly ok: false; readonly code: 'lease/exists' | 'lease/ttl-too-large' | 'lease/not-found' };

const ttlBuckets = Array.from({ length: 24 }, (_, i) => 2 ** i);

/**
 * The part of leases that is the same on all members: what entries of the log do to them, kept in bucket `lease`. It knows no
 * time. Restore it before the keys, which attach themselves while they are read.
 */
export class Lessor implements LeaseAttachments {
  private backend: LeaseBackend;
  private readonly logger: Logger;
  private readonly options: LessorOptions;
  private readonly leases = new Map<bigint, Lease>();
  private grants = 0;
  private observer: LeaseObserver | undefined = undefined;
  private readonly grantedCounter: Counter;
  private readonly revokedCounter: Counter;
  private readonly ttlHistogram: Histogram;

  constructor(deps: LessorDeps, options: LessorOptions) {
    this.backend = deps.backend;
    this.logger = deps.logger ?? silentLogger;
    this.options = options;
    const metrics = deps.metrics ?? noMetrics;
    this.grantedCounter = metrics.counter('etcd_debugging_lease_granted_total', 'Leases granted');
    this.revokedCounter = metrics.counter('etcd_debugging_lease_revoked_total', 'Leases revoked');
    this.ttlHistogram = metrics.histogram(
      'etcd_debugging_lease_ttl_total',
      'Distribution of granted TTLs in seconds',
      ttlBuckets,
    );
    this.load();
  }

  /** One observer at a time: the `LeaseExpiry` of this member. */
  observe(observer: LeaseObserver): void {
    assert(this.observer === undefined, 'a lessor has one observer');
    this.observer = observer;
  }

  /** Starts over with what another backend holds (a leader's snapshot). Only on a member that is not primary. */
  restore(backend: LeaseBackend): void {
    this.backend = backend;
    for (const lease of this.leases.values()) {
      lease.isRevoked = true;
      this.observer?.revoked(lease);
    }
    this.load();
  }

  get size(): number {
    return this.leases.size;
  }

  has(id: bigint): boolean {
    return this.leases.has(id);
  }

  get(id: bigint): Lease | undefined {
    return this.leases.get(id);
  }

  /** All leases, in order of grant. */
  all(): IterableIterator<Lease> {
    return this.leases.values();
  }

  /** The keys attached to a lease, in no particular order; empty when it is unknown. */
  keysOf(id: bigint): string[] {
    const keys = this.leases.get(id)?.keys;
    return keys === undefined ? [] : [...keys];
  }

  /** A TTL below the minimum is raised to it. */
  grant(id: bigint, ttlSeconds: number): GrantResult {
    if (id === 0n) return { ok: false, code: 'lease/not-found' };
    if (ttlSeconds > leaseTtlSecondsMax) return { ok: false, code: 'lease/ttl-too-large' };
    if (this.leases.has(id)) return { ok: false, code: 'lease/exists' };
    const lease = new Lease(id, Math.max(ttlSeconds, this.options.ttlSecondsMin), 0, this.grants++);
    this.leases.set(id, lease);
    this.store(lease);
    this.grantedCounter.add(1);
    this.ttlHistogram.observe(lease.ttlSeconds);
    this.observer?.granted(lease);
    return { ok: true, ttlSeconds: lease.ttlSeconds };
  }

  /**
   * Ends a lease. `deleteKeys` is called before it is gone, once and only when it has keys, with them in ascending order; it deletes
   * them in one write transaction, which detaches them.
   * @returns false when there is no such lease.
   */
  revoke(id: bigint, deleteKeys: (keys: readonly string[]) => void): boolean {
    const lease = this.leases.get(id);
    if (lease === undefined) return false;
    const keys = this.keysOf(id);
    // Latin1 strings sort in byte order.
    if (keys.length > 0) deleteKeys(keys.sort());
    this.leases.delete(id);
    this.backend.delete(BucketId.lease, leaseKey(id));
    lease.isRevoked = true;
    this.revokedCounter.add(1);
    this.observer?.revoked(lease);
    return true;
  }

  /** Notes how long a lease still has, for the next primary; 0 forgets it. An unknown lease is passed over. */
  checkpoint(id: bigint, remainingTtlSeconds: number): void {
    const lease = this.leases.get(id);
    if (lease === undefined) return;
    lease.remainingTtlSeconds = remainingTtlSeconds;
    if (this.options.persistsCheckpoints?.() ?? true) this.store(lease);
  }

  attach(id: bigint, key: string): void {
    const lease = this.leases.get(id);
    if (lease === undefined) {
      this.logger.warn('failed to attach a lease', { 'lease-id': leaseIdText(id), error: 'lease not found' });
      return;
    }
    lease.keys ??= new Set();
    lease.keys.add(key);
  }

  detach(id: bigint, key: string): void {
    this.leases.get(id)?.keys?.delete(key);
  }

  private store(lease: Lease): void {
    const value = leasepb.Lease.encode(
      leasepb.Lease.create({ id: lease.id, ttl: lease.ttlSeconds, remainingTtl: lease.remainingTtlSeconds }),
    );
    this.backend.put(BucketId.lease, leaseKey(lease.id), copyBytes(value));
  }

  private load(): void {
    this.leases.clear();
    this.backend.range(BucketId.lease, leaseKey(0n), undefined, Number.MAX_SAFE_INTEGER, (_key, value) => {
      const { id, ttl, remainingTtl } = leasepb.Lease.decode(value);
      const ttlSeconds = Math.max(ttl, this.options.ttlSecondsMin);
      this.leases.set(id, new Lease(id, ttlSeconds, remainingTtl, this.grants++));
      return true;
    });
  }
}

/** The id as it is shown: lower-case hexadecimal of its 64-bit two's complement, 16 digits. */
export function leaseIdText(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, '0');
}

/** The key in bucket `lease`: the id as 8 big-endian bytes, two's complement. */
function leaseKey(id: bigint): Uint8Array {
  const key = allocateUnsafe(8);
  const unsigned = BigInt.asUintN(64, id);
  writeUint32BE(Number(unsigned >> 32n), key, 0);
  writeUint32BE(Number(unsigned & 0xffff_ffffn), key, 4);
  return key;
}
