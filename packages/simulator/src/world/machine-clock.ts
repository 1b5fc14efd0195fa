import type { Clock, Timer } from '@quorate/base';
import type { Scheduler } from './scheduler.ts';

/** The time that goes by until what is deferred runs: nobody can keep the world from moving on by deferring for ever. */
const turnMs = 0.01;
/** The date on which every world begins: 2026-01-01. */
const epochMs = 1_767_225_600_000;

/** Whether a machine runs now, and what becomes of what is due while it does not. */
export interface Host {
  readonly scheduler: Scheduler;
  /** Calls at that time of the world, or when the machine goes on if it is held then; never once it has crashed. */
  at(atMs: number, callback: () => void): Timer;
}

/** How a machine's clock goes wrong. */
export interface ClockSkew {
  /** Local milliseconds that pass in one of the world. */
  readonly rate: number;
  /** What the wall clock shows too much; may change at any time. */
  wallOffsetMs: number;
}

/** The clock of one life of a machine: timers die with it. */
export class MachineClock implements Clock {
  private readonly host: Host;
  private readonly skew: ClockSkew;

  constructor(host: Host, skew: ClockSkew) {
    this.host = host;
    this.skew = skew;
  }

  nowMs(): number {
    return 1_000 + this.host.scheduler.nowMs * this.skew.rate;
  }

  wallMs(): number {
    return Math.floor(epochMs + this.host.scheduler.nowMs * this.skew.rate + this.skew.wallOffsetMs);
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.host.at(this.host.scheduler.nowMs + Math.max(turnMs, delayMs / this.skew.rate), callback);
  }

  defer(callback: () => void): void {
    this.host.at(this.host.scheduler.nowMs + turnMs, callback);
  }
}
