import type { Clock, Timer } from '@quorate/base';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Time that moves only when a test says so; promises that are ready are followed in between. */
export class FakeClock implements Clock {
  private timeMs = 1_000_000;
  private order = 0;
  private readonly timers = new Set<Pending>();
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

  /** Runs all that is due now. */
  async settle(): Promise<void> {
    for (let quietRounds = 0; quietRounds < 3; quietRounds++) {
      // Long enough for a chain of async functions to come to an end.
      for (let i = 0; i < 20; i++) await Promise.resolve();
      const batch = this.deferred;
      this.deferred = [];
      if (batch.length > 0) quietRounds = -1;
      for (const callback of batch) callback();
    }
  }

  /** Moves time on, firing what comes due in order. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.timeMs + durationMs;
    await this.settle();
    for (let next = this.nextUntil(endMs); next !== undefined; next = this.nextUntil(endMs)) {
      this.timers.delete(next);
      this.timeMs = Math.max(this.timeMs, next.atMs);
      next.callback();
      await this.settle();
    }
    this.timeMs = endMs;
  }

  private nextUntil(endMs: number): Pending | undefined {
    let next: Pending | undefined;
    for (const timer of this.timers) {
      if (timer.atMs > endMs) continue;
      if (next === undefined || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.order < next.order))
        next = timer;
    }
    return next;
  }
}
