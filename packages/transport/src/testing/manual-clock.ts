import type { Clock, Timer } from '@quorate/base';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Time that moves only when a test says so. */
export class ManualClock implements Clock {
  private timeMs = 1_000_000;
  private order = 0;
  private timers = new Set<Pending>();
  private deferred: (() => void)[] = [];

  nowMs(): number {
    return this.timeMs;
  }

  wallMs(): number {
    return this.timeMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const pending = { atMs: this.timeMs + delayMs, order: this.order++, callback };
    this.timers.add(pending);
    return { cancel: () => this.timers.delete(pending) };
  }

  defer(callback: () => void): void {
    this.deferred.push(callback);
  }

  get timerCount(): number {
    return this.timers.size;
  }

  /** Milliseconds to the next timer; Infinity without one. */
  nextTimerMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const timer of this.timers) nextMs = Math.min(nextMs, timer.atMs - this.timeMs);
    return nextMs;
  }

  /** Ends turns until nothing is deferred any more. */
  settle(): void {
    while (this.deferred.length > 0) {
      const batch = this.deferred;
      this.deferred = [];
      for (const callback of batch) callback();
    }
  }

  /** Moves time on, firing what comes due in order. */
  advance(durationMs: number): void {
    const endMs = this.timeMs + durationMs;
    this.settle();
    for (;;) {
      let next: Pending | null = null;
      for (const timer of this.timers) {
        if (timer.atMs > endMs) continue;
        if (next === null || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.order < next.order))
          next = timer;
      }
      if (next === null) break;
      this.timers.delete(next);
      this.timeMs = Math.max(this.timeMs, next.atMs);
      next.callback();
      this.settle();
    }
    this.timeMs = endMs;
  }
}
