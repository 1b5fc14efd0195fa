import type { Timer } from '@quorate/base';
import { EventQueue } from './event-queue.ts';

/**
 * Runs `step` again and again, each time with all promises that it settled having gone on, until it returns false. The edge has the
 * only implementation: nothing but the machine's own event loop can tell that no promise waits to go on.
 */
export type Pump = (step: () => boolean) => Promise<void>;

/** The time of a simulated world, which passes only from one event to the next. */
export class Scheduler {
  private readonly queue = new EventQueue();
  private readonly pump: Pump;
  private order = 0;
  private timeMs = 0;
  /** Events run so far. */
  events = 0;

  constructor(pump: Pump) {
    this.pump = pump;
  }

  /** Milliseconds since the world began, with a fraction. */
  get nowMs(): number {
    return this.timeMs;
  }

  /** Runs it once at that time, or as the next thing when the time is over. */
  at(atMs: number, run: () => void): Timer {
    const event = { atMs: Math.max(atMs, this.timeMs), order: this.order++, run, cancelled: false };
    this.queue.push(event);
    return {
      cancel: () => {
        event.cancelled = true;
      },
    };
  }

  after(delayMs: number, run: () => void): Timer {
    return this.at(this.timeMs + delayMs, run);
  }

  delay(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  /** Lets time pass until the condition holds, which is asked after each event; false when `limitMs` came first. */
  async run(isOver: () => boolean, limitMs: number): Promise<boolean> {
    await this.pump(() => !isOver() && this.step(limitMs));
    return isOver();
  }

  /** The next event, unless it lies behind the limit: then time stands at the limit. */
  private step(limitMs: number): boolean {
    for (;;) {
      const event = this.queue.pop();
      if (event === undefined) return false;
      if (event.cancelled) continue;
      if (event.atMs > limitMs) {
        this.queue.push(event);
        this.timeMs = limitMs;
        return false;
      }
      this.timeMs = event.atMs;
      this.events++;
      event.run();
      return true;
    }
  }
}
