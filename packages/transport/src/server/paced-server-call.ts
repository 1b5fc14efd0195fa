import { ServerCall } from './server-call.ts';

/** A call that sends as much as its reader takes: who writes to it is told when to stop and when to go on. */
export abstract class PacedServerCall extends ServerCall {
  private drainCallback: (() => void) | null = null;
  /** The writer was told to stop, and `onDrain` is owed. */
  private overflowed = false;

  get queuedBytes(): number {
    return this.queue === null ? 0 : this.queue.bytes;
  }

  onDrain(callback: () => void): void {
    this.drainCallback = callback;
  }

  hasRoom(): boolean {
    if (this.finished || this.takesMore(this.queuedBytes, this.connection.options.streamHighWaterBytes)) return true;
    this.overflowed = true;
    return false;
  }

  override onDrained(bytes: number): void {
    if (!this.overflowed || this.finished) return;
    if (!this.takesMore(bytes, this.connection.options.streamHighWaterBytes / 2)) return;
    this.overflowed = false;
    this.drainCallback?.();
  }

  /** While all streams together hold back too much, only those get more that have nothing waiting and whose reader takes something. */
  private takesMore(queuedBytes: number, bytesMax: number): boolean {
    return this.connection.isPressed ? queuedBytes === 0 && this.sendWindow > 0 : queuedBytes <= bytesMax;
  }
}
