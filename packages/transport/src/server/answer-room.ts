import type { Clock } from '@quorate/base';
import type { ServerCall } from './server-call.ts';

/** What is made and waits to be sent. */
interface Unsent {
  readonly queuedBytes: number;
}

/**
 * Bounds the answers that a connection holds back: those that flow control keeps from going out, and those that are being made. Over the
 * bound no call begins to be served and none goes on with a long answer, but one: what a call has made itself does not hold it up. So
 * a connection holds at most the bound and one answer, whatever its client asks and leaves unread, and goes on as soon as it reads.
 */
export class AnswerRoom {
  private readonly clock: Clock;
  private readonly unsent: Unsent;
  private readonly bytesMax: number;
  /** Of answers being made. */
  private promisedBytes = 0;
  /** Who waits, in the order they came. */
  private readonly waiting = new Map<ServerCall, () => void>();
  private isScheduled = false;

  constructor(clock: Clock, unsent: Unsent, bytesMax: number) {
    this.clock = clock;
    this.unsent = unsent;
    this.bytesMax = bytesMax;
  }

  get waitingCount(): number {
    return this.waiting.size;
  }

  /** Whether the call may begin with its answer, or go on. */
  hasRoomFor(call: ServerCall): boolean {
    return this.unsent.queuedBytes + this.promisedBytes - call.promisedBytes <= this.bytesMax;
  }

  /** Calls back, in a later turn, when there is room for the call or it is over. */
  wait(call: ServerCall, callback: () => void): void {
    this.waiting.set(call, callback);
  }

  /** Notes that `bytes` of the call's answer are made. */
  promise(call: ServerCall, bytes: number): void {
    const more = bytes - call.promisedBytes;
    this.promisedBytes += more;
    call.promisedBytes = bytes;
    if (more < 0) this.freed();
  }

  /** The call is over, or its answer is with the sender. */
  leave(call: ServerCall): void {
    this.promise(call, 0);
    const callback = this.waiting.get(call);
    if (callback === undefined) return;
    this.waiting.delete(call);
    this.clock.defer(callback);
  }

  /** Something has gone out or was given up. */
  freed(): void {
    if (this.isScheduled || this.waiting.size === 0) return;
    this.isScheduled = true;
    this.clock.defer(() => {
      this.isScheduled = false;
      for (const [call, callback] of this.waiting) {
        if (!this.hasRoomFor(call)) continue;
        this.waiting.delete(call);
        callback();
      }
    });
  }
}
