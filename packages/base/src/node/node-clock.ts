import type { Clock, Timer } from '@quorate/base';

/** The machine's clock and event loop. */
export class NodeClock implements Clock {
  nowMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  }

  defer(callback: () => void): void {
    setImmediate(callback);
  }
}
