import { type Clock, nextTurn } from '@quorate/base';

/** How long one synchronous stretch of background work may take, in milliseconds. */
const sliceMs = 0.5;
/** Looking at the clock is not free either. */
const stepsPerLook = 16;

/** Cuts long work into slices: `if (slice.spent()) await slice.rest();` after each step of some microseconds. */
export class Slice {
  private readonly clock: Clock;
  private endsMs: number;
  private steps = 0;

  constructor(clock: Clock) {
    this.clock = clock;
    this.endsMs = clock.nowMs() + sliceMs;
  }

  spent(): boolean {
    this.steps += 1;
    return this.steps % stepsPerLook === 0 && this.clock.nowMs() >= this.endsMs;
  }

  /** Lets I/O and timers run. */
  async rest(): Promise<void> {
    await nextTurn(this.clock);
    this.endsMs = this.clock.nowMs() + sliceMs;
  }
}
