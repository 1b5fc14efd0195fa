import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const headWords = 4;

/**
 * Ends the process when one input runs too long: an endless loop on the main thread cannot be stopped from there. The input is written
 * where regressions are, and the exit says which.
 */
export class Watchdog {
  private readonly head: Int32Array;
  private readonly room: Uint8Array;
  private readonly worker: Worker;

  constructor(target: string, inputBytesMax: number, hangMs: number) {
    const shared = new SharedArrayBuffer(headWords * 4 + inputBytesMax);
    this.head = new Int32Array(shared, 0, headWords);
    this.room = new Uint8Array(shared, headWords * 4);
    this.worker = new Worker(new URL('./watchdog-worker.js', import.meta.url), {
      workerData: { shared, headWords, target, hangMs },
    });
  }

  /** Resolves when it watches: it cannot begin to while this thread is held. */
  async started(): Promise<void> {
    await once(this.worker, 'message');
    // From now on it does not keep the process.
    this.worker.unref();
  }

  begin(input: Uint8Array): void {
    const length = Math.min(input.length, this.room.length);
    this.room.set(input.subarray(0, length));
    this.head[1] = length;
    // Odd while an input runs.
    Atomics.add(this.head, 0, 1);
  }

  end(): void {
    Atomics.add(this.head, 0, 1);
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }
}
