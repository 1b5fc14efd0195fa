import type { Clock } from '@quorate/base';

/**
 * One direction of a local stream. Messages wait here for the reader's next turn, as they would in a socket: a writer never finds itself
 * inside the reader's code.
 */
export class MessagePipe {
  onMessage: ((message: Uint8Array) => void) | null = null;
  onEnd: (() => void) | null = null;
  onDrain: (() => void) | null = null;
  private readonly clock: Clock;
  private readonly highWaterBytes: number;
  private readonly messages: Uint8Array[] = [];
  private bytes = 0;
  private paused = false;
  private scheduled = false;
  /** `write` said false and `onDrain` is owed. */
  private overflowed = false;
  private state: 'open' | 'ending' | 'closed' = 'open';

  constructor(clock: Clock, highWaterBytes: number) {
    this.clock = clock;
    this.highWaterBytes = highWaterBytes;
  }

  get queuedBytes(): number {
    return this.bytes;
  }

  /** @param message belongs to the pipe from then on. @returns false when over the high-water mark. */
  write(message: Uint8Array): boolean {
    if (this.state !== 'open') return true;
    this.messages.push(message);
    this.bytes += message.length;
    this.schedule();
    return this.hasRoom();
  }

  /** What `write` would say now; when false, `onDrain` calls back. */
  hasRoom(): boolean {
    if (this.bytes <= this.highWaterBytes) return true;
    this.overflowed = true;
    return false;
  }

  /** The end comes behind all that was written. */
  end(): void {
    if (this.state !== 'open') return;
    this.state = 'ending';
    this.schedule();
  }

  /** Drops what waits and lets the end through, also to a reader that has paused. */
  drop(): void {
    this.messages.length = 0;
    this.bytes = 0;
    this.resume();
  }

  /** Drops what waits; nothing is called back any more. */
  close(): void {
    this.drop();
    this.state = 'closed';
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.clock.defer(() => {
      this.scheduled = false;
      this.deliver();
    });
  }

  private deliver(): void {
    // Only what is here now: a writer that always has more must not hold the loop.
    for (let left = this.messages.length; left > 0 && !this.paused; left--) {
      const message = this.messages.shift();
      // The reader has dropped the rest.
      if (message === undefined) break;
      this.bytes -= message.length;
      this.onMessage?.(message);
    }
    if (this.state === 'closed') return;
    if (this.overflowed && this.bytes * 2 <= this.highWaterBytes) {
      this.overflowed = false;
      this.onDrain?.();
    }
    if (this.paused) return;
    if (this.messages.length > 0) {
      this.schedule();
    } else if (this.state === 'ending') {
      this.state = 'closed';
      this.onEnd?.();
    }
  }
}
