import { assert } from '@quorate/base';
import type { Lease } from './lease.ts';

/** A binary heap of leases by time, earliest first; equal times in order of grant. */
export class DeadlineHeap {
  private readonly times: number[] = [];
  private readonly leases: Lease[] = [];

  get size(): number {
    return this.times.length;
  }

  /** The earliest time; Infinity when empty. */
  get earliestMs(): number {
    return this.times[0] ?? Number.POSITIVE_INFINITY;
  }

  clear(): void {
    this.times.length = 0;
    this.leases.length = 0;
  }

  push(timeMs: number, lease: Lease): void {
    this.times.push(timeMs);
    this.leases.push(lease);
    this.siftUp(this.times.length - 1, timeMs, lease);
  }

  /** Takes out the earliest. */
  pop(): Lease {
    const first = this.leases[0];
    const lastTime = this.times.pop();
    const last = this.leases.pop();
    assert(first !== undefined && lastTime !== undefined && last !== undefined, 'pop of an empty heap');
    if (this.times.length > 0) this.siftDown(lastTime, last);
    return first;
  }

  /** Drops revoked leases. O(n). */
  sweep(): void {
    const times = [...this.times];
    const leases = [...this.leases];
    this.clear();
    for (let i = 0; i < leases.length; i++) {
      const lease = leases[i] as Lease;
      if (!lease.isRevoked) this.push(times[i] as number, lease);
    }
  }

  private siftUp(start: number, timeMs: number, lease: Lease): void {
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timeMs, lease, this.times[parent] as number, this.leases[parent] as Lease)) break;
      this.move(parent, at);
      at = parent;
    }
    this.times[at] = timeMs;
    this.leases[at] = lease;
  }

  private siftDown(timeMs: number, lease: Lease): void {
    const size = this.times.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (
        right < size &&
        isBefore(
          this.times[right] as number,
          this.leases[right] as Lease,
          this.times[child] as number,
          this.leases[child] as Lease,
        )
      )
        child = right;
      if (!isBefore(this.times[child] as number, this.leases[child] as Lease, timeMs, lease)) break;
      this.move(child, at);
      at = child;
    }
    this.times[at] = timeMs;
    this.leases[at] = lease;
  }

  private move(from: number, to: number): void {
    this.times[to] = this.times[from] as number;
    this.leases[to] = this.leases[from] as Lease;
  }
}

function isBefore(aMs: number, a: Lease, bMs: number, b: Lease): boolean {
  return aMs < bMs || (aMs === bMs && a.grantOrder < b.grantOrder);
}
