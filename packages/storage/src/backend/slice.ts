import { type Clock, nextTurn } from '@quorate/base';

/** How long one synchronous stretch of background work may take, in milliseconds. */
const sliceMs = 2;

/** Cuts long work into slices: `if (slice.spent()) await slice.rest();` */
export class Slice {
  private readonly clock: Clock;
  private endsMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.endsMs = clock.nowMs() + sliceMs;
  }

  spent(): boolean {
    return this.clock.nowMs() >= this.endsMs;
  }

  async rest(): Promise<void> {
    await nextTurn(this.clock);
    this.endsMs = this.clock.nowMs() + sliceMs;
  }
}
