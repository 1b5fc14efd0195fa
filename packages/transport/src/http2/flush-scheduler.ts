import type { Clock } from '@quorate/base';

/** Something with gathered output. */
export interface Flushable {
  flush(): void;
}

/** Flushes every connection that gathered output once a turn of the event loop. */
export class FlushScheduler {
  private dirty: Flushable[] = [];
  private spare: Flushable[] = [];
  private scheduled = false;
  private readonly clock: Clock;
  private readonly run: () => void;

  constructor(clock: Clock) {
    this.clock = clock;
    this.run = () => {
      this.scheduled = false;
      this.flush();
    };
  }

  /** The caller sees to it that it is added once between two flushes. */
  add(connection: Flushable): void {
    this.dirty.push(connection);
    if (this.scheduled) return;
    this.scheduled = true;
    this.clock.defer(this.run);
  }

  /** Flushes now instead of at the end of the turn. */
  flush(): void {
    const batch = this.dirty;
    this.dirty = this.spare;
    for (let i = 0; i < batch.length; i++) (batch[i] as Flushable).flush();
    batch.length = 0;
    this.spare = batch;
  }
}
