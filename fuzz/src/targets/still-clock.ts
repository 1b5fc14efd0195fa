import type { Clock, Timer } from '@quorate/base';

/** Time that stands still, so that work in slices is done in one and every run goes the same way. */
export class StillClock implements Clock {
  nowMs(): number {
    return 0;
  }

  wallMs(): number {
    return 0;
  }

  setTimer(_delayMs: number, callback: () => void): Timer {
    const handle = setImmediate(callback);
    return { cancel: () => clearImmediate(handle) };
  }

  defer(callback: () => void): void {
    setImmediate(callback);
  }
}
