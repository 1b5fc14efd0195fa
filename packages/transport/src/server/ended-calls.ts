import type { Clock } from '@quorate/base';
import type { Flushable, FlushScheduler } from '../http2/flush-scheduler.ts';

/** A call that has its answer; what it took is told by the time given. */
export interface EndedCall {
  tellTook(endedMs: number): void;
}

/**
 * Calls that were answered since the last flush. One look at the clock, when the answers are written out, ends them all: what a call took
 * is what its client waits for, and the many answers of a turn do not each pay for a reading (some 60 ns each).
 */
export class EndedCalls implements Flushable {
  private readonly clock: Clock;
  private readonly flusher: FlushScheduler;
  private calls: EndedCall[] = [];
  private spare: EndedCall[] = [];

  constructor(clock: Clock, flusher: FlushScheduler) {
    this.clock = clock;
    this.flusher = flusher;
  }

  add(call: EndedCall): void {
    if (this.calls.length === 0) this.flusher.add(this);
    this.calls.push(call);
  }

  flush(): void {
    const { calls } = this;
    this.calls = this.spare;
    const endedMs = this.clock.nowMs();
    for (let i = 0; i < calls.length; i++) (calls[i] as EndedCall).tellTook(endedMs);
    calls.length = 0;
    this.spare = calls;
  }
}
