import type { Clock, Timer } from '@quorate/base';

/** Time that stands still until told. */
export class ManualClock implements Clock {
  private now = 0;
  private deferred: (() => void)[] = [];
  private timers: { at: number; callback: () => void }[] = [];
  /** Added to the time at each look, so that slices end. */
  stepMs = 0;

  nowMs(): number {
    this.now += this.stepMs;
    return this.now;
  }

  wallMs(): number {
    return this.now;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.now + delayMs, callback };
    this.timers.push(timer);
    return {
      cancel: () => {
        const at = this.timers.indexOf(timer);
        if (at >= 0) this.timers.splice(at, 1);
      },
    };
  }

  defer(callback: () => void): void {
    this.deferred.push(callback);
  }

  get hasDeferred(): boolean {
    return this.deferred.length > 0;
  }

  /** One turn of the loop: what was deferred before it. */
  turn(): void {
    for (const callback of this.deferred.splice(0)) callback();
  }

  /** Turns until nothing is deferred. */
  settle(): void {
    for (let turns = 0; this.hasDeferred; turns++) {
      if (turns > 100_000) throw new Error('the loop does not come to rest');
      this.turn();
    }
  }

  /** Lets time pass, running what is due in its order. */
  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      this.timers.sort((a, b) => a.at - b.at);
      const next = this.timers[0];
      if (next === undefined || next.at > until) break;
      this.timers.shift();
      this.now = Math.max(this.now, next.at);
      next.callback();
      this.settle();
    }
    this.now = until;
  }
}
