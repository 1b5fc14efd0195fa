import type { Clock } from '@quorate/base';

/** What is counted. */
export const FloodKind = {
  reset: 0,
  streamError: 1,
  settings: 2,
  ping: 3,
  priority: 4,
  windowUpdate: 5,
  emptyData: 6,
  unknown: 7,
} as const;
const kinds = 8;

/** Counts cheap-to-send frames of one connection in windows of time. The clock is read only when a count reaches its limit. */
export class FloodGuard {
  private readonly counts = new Int32Array(kinds);
  private readonly limits: readonly number[];
  private readonly windowMs: number;
  private readonly clock: Clock;
  private windowStartMs: number;

  /** @param limits by {@link FloodKind}: how many are fine within `windowMs`. */
  constructor(clock: Clock, windowMs: number, limits: readonly number[]) {
    this.clock = clock;
    this.windowMs = windowMs;
    this.limits = limits;
    this.windowStartMs = clock.nowMs();
  }

  /** Counts one; true when it is one too many. */
  exceeds(kind: number): boolean {
    const count = (this.counts[kind] as number) + 1;
    this.counts[kind] = count;
    if (count <= (this.limits[kind] as number)) return false;
    const nowMs = this.clock.nowMs();
    if (nowMs - this.windowStartMs < this.windowMs) return true;
    this.windowStartMs = nowMs;
    this.counts.fill(0);
    this.counts[kind] = 1;
    return 1 > (this.limits[kind] as number);
  }

  /** Earns `amount` more of a kind in this window. */
  refund(kind: number, amount: number): void {
    this.counts[kind] = Math.max((this.counts[kind] as number) - amount, -1_000_000);
  }
}
