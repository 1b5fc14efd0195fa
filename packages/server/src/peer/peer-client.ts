import type { Member } from '@quorate/machine';

/** What another member says of itself at GET /version. */
export interface PeerVersion {
  /** As `3.7.1`. */
  readonly server: string;
  /** As `3.7.0`; undefined before the cluster has decided it. */
  readonly cluster: string | undefined;
}

/** What a lease renewal, or the question how long one has, came to at another member. */
export type PeerLeaseAnswer<Found> =
  | { readonly kind: 'found'; readonly lease: Found }
  | { readonly kind: 'not-found' }
  /** It does not lead, or cannot say now: ask again, or another. */
  | { readonly kind: 'retry'; readonly reason: string };

export interface PeerLease {
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  readonly keys: readonly Uint8Array[];
}

export type PeerPromotion =
  | { readonly kind: 'promoted'; readonly members: readonly Member[] }
  | { readonly kind: 'not-found' | 'not-ready' | 'not-learner' | 'timeout' }
  | { readonly kind: 'retry'; readonly reason: string };

export interface PeerHash {
  readonly revision: number;
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

/**
 * Questions to one other member over one of its peer URLs (peer protocol, section 5). Each rejects with a CodedError `peer/unreachable`
 * (no answer in time, or no connection) or `peer/bad-answer` (a status or body that means nothing here).
 */
export interface PeerClient {
  members(url: string, timeoutMs: number): Promise<{ readonly clusterId: bigint; readonly members: readonly Member[] }>;
  version(url: string, timeoutMs: number): Promise<PeerVersion>;
  /** Members older than 3.5 do not know the question: false. */
  isDowngradeEnabled(url: string, timeoutMs: number): Promise<boolean>;
  promote(url: string, id: bigint, authorization: string, timeoutMs: number): Promise<PeerPromotion>;
  /** Rejects with `peer/refused` and the member's text when it has no hash for that revision. */
  hashKeys(url: string, revision: number, clusterId: bigint, timeoutMs: number): Promise<PeerHash>;
  /** The TTL in seconds, renewed. */
  renewLease(url: string, id: bigint, timeoutMs: number): Promise<PeerLeaseAnswer<number>>;
  leaseTimeToLive(url: string, id: bigint, wantsKeys: boolean, timeoutMs: number): Promise<PeerLeaseAnswer<PeerLease>>;
}
