import type { Clock, Timer } from '@quorate/base';

/** Time that stands still until told. */
export class ManualClock implements Clock {
  private now = 0;
  private timers: { readonly at: number; readonly callback: () => void }[] = [];

  nowMs(): number {
    return this.now;
  }

  wallMs(): number {
    return this.now;
  }

  get timersSet(): number {
    return this.timers.length;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.now + delayMs, callback };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  defer(callback: () => void): void {
    setImmediate(callback);
  }

  /** Lets time pass within a turn: nothing runs. */
  jump(ms: number): void {
    this.now += ms;
  }

  /** Lets time pass, running what is due in its order, and all that follows from it without a timer. */
  async advance(ms: number): Promise<void> {
    const until = this.now + ms;
    await settle();
    for (;;) {
      this.timers.sort((a, b) => a.at - b.at);
      const next = this.timers[0];
      if (next === undefined || next.at > until) break;
      this.timers.shift();
      this.now = next.at;
      next.callback();
      await settle();
    }
    this.now = until;
  }
}

/** Lets promises that wait for nothing go on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
