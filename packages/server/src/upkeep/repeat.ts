import type { Clock, Timer } from '@quorate/base';

/** Does something again and again, so long after the last time ended. */
export class Repeat {
  private readonly clock: Clock;
  private readonly pauseMs: number;
  private readonly action: () => Promise<void> | void;
  private timer: Timer | undefined;
  private isStopped = false;

  /** @param action handles its own failures */
  constructor(clock: Clock, pauseMs: number, action: () => Promise<void> | void) {
    this.clock = clock;
    this.pauseMs = pauseMs;
    this.action = action;
  }

  /** The first time comes after one pause. */
  start(): void {
    if (this.isStopped) return;
    this.timer = this.clock.setTimer(this.pauseMs, () => {
      Promise.resolve(this.action()).then(() => this.start());
    });
  }

  /** What is under way goes on to its end. */
  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }
}
