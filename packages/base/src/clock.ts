/** A timer that can be called off. Cancelling twice, or after it ran, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time and turns of the event loop. The only way in for both; the simulator has its own. */
export interface Clock {
  /** Monotonic milliseconds with a fraction, from an arbitrary start. */
  nowMs(): number;
  /** Wall-clock milliseconds since the Unix epoch; may jump. Only for what is shown or stored as a date. */
  wallMs(): number;
  /** Runs `callback` once, not before `delayMs` milliseconds have passed. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Runs `callback` after the I/O callbacks of this turn: where a batch that gathered is taken. */
  defer(callback: () => void): void;
}

/** Resolves in a later turn, so that I/O and timers run in between: the end of a slice of long work. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.defer(resolve));
}

/** Resolves after `delayMs` milliseconds. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve);
  });
}
