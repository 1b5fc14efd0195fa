/** A granted lease. What only the primary knows (when it expires) is kept beside it and means nothing elsewhere. */
export class Lease {
  /** As a signed 64-bit integer. */
  readonly id: bigint;
  readonly ttlSeconds: number;
  /** Grants before this one in this process; breaks ties where leases are ordered. */
  readonly grantOrder: number;
  /** Seconds left at the last checkpoint; 0 when there is none. */
  remainingTtlSeconds: number;
  /** Attached keys; undefined while there never was one. */
  keys: Set<string> | undefined = undefined;
  isRevoked = false;
  /** When it expires by the primary's clock. Set by `LeaseExpiry`, valid while that is primary. */
  expiryMs = Number.POSITIVE_INFINITY;

  constructor(id: bigint, ttlSeconds: number, remainingTtlSeconds: number, grantOrder: number) {
    this.id = id;
    this.ttlSeconds = ttlSeconds;
    this.remainingTtlSeconds = remainingTtlSeconds;
    this.grantOrder = grantOrder;
  }
}
