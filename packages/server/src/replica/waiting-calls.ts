import type { ErrorSymbol } from '@quorate/api';
/** A call that waits for its proposal to be applied. Exactly one of the two is called, once. */
export interface PendingCall<Result> {
  applied(result: Result): void;
  /** `symbol` names a row of the error table. */
  failed(symbol: ErrorSymbol): void;
}

interface Waiting<Result> {
  readonly call: PendingCall<Result>;
  readonly sinceMs: number;
}

/**
 * Calls by the sequence of their proposal. All wait equally long, so the map's insertion order is the order in which they time
 * out and one look at the oldest suffices a tick: no timer a call.
 */
export class WaitingCalls<Result> {
  private readonly calls = new Map<number, Waiting<Result>>();
  private readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.calls.size;
  }

  add(sequence: number, call: PendingCall<Result>, nowMs: number): void {
    this.calls.set(sequence, { call, sinceMs: nowMs });
  }

  /** Hands out the call behind a sequence, once. */
  take(sequence: number): PendingCall<Result> | undefined {
    const waiting = this.calls.get(sequence);
    if (!waiting) return undefined;
    this.calls.delete(sequence);
    return waiting.call;
  }

  /** Fails those that have waited too long. */
  expire(nowMs: number, symbol: ErrorSymbol): void {
    for (const [sequence, waiting] of this.calls) {
      if (nowMs - waiting.sinceMs < this.timeoutMs) return;
      this.calls.delete(sequence);
      waiting.call.failed(symbol);
    }
  }

  /** Fails all. */
  failAll(symbol: ErrorSymbol): void {
    for (const waiting of this.calls.values()) waiting.call.failed(symbol);
    this.calls.clear();
  }
}
