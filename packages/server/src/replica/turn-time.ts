import type { Clock } from '@quorate/base';

/** The time of this turn of the event loop: one look at the clock (some 60 ns) for all that asks in it, however much that is. */
export class TurnTime {
  private readonly clock: Pick<Clock, 'nowMs' | 'defer'>;
  private readMs: number | undefined;
  private readonly forget = () => {
    this.readMs = undefined;
  };

  constructor(clock: Pick<Clock, 'nowMs' | 'defer'>) {
    this.clock = clock;
  }

  /** As when it was first asked in this turn. */
  nowMs(): number {
    if (this.readMs === undefined) {
      this.readMs = this.clock.nowMs();
      this.clock.defer(this.forget);
    }
    return this.readMs;
  }
}
