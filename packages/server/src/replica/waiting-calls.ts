import type { ErrorSymbol } from '@quorate/api';
import { assert } from '@quorate/base';

/** A call that waits for its proposal to be applied. Exactly one of the two is called, once. */
export interface PendingCall<Result> {
  applied(result: Result): void;
  failed(symbol: ErrorSymbol): void;
}

const capacityMin = 1024;

/**
 * Calls by the sequence of their proposal, in a ring: sequences only grow and calls are answered almost in their order, so a slot's
 * place is the sequence's low bits and neither hashing nor an object a call is needed. All wait equally long, so one look at the
 * oldest suffices a tick: no timer a call.
 */
export class WaitingCalls<Result> {
  private calls: (PendingCall<Result> | undefined)[] = new Array(capacityMin).fill(undefined);
  private sinceMs = new Float64Array(capacityMin);
  private fields = new Uint16Array(capacityMin);
  private mask = capacityMin - 1;
  /** No sequence below it waits; none at or above {@link next} was added. */
  private oldest = 0;
  private next = 0;
  private count = 0;
  private readonly timeoutMs: number;
  private readonly onFailed: (field: number, sinceMs: number) => void;
  /** Of the call that was taken last: when it was added, and the field of its request. */
  takenSinceMs = 0;
  takenField = 0;

  /** @param onFailed hears of each call that failed, by the field of its request and when it was added */
  constructor(timeoutMs: number, onFailed: (field: number, sinceMs: number) => void = () => {}) {
    this.timeoutMs = timeoutMs;
    this.onFailed = onFailed;
  }

  get size(): number {
    return this.count;
  }

  /** Sequences must be added in ascending order; some may be left out. @param field which kind of request it is */
  add(sequence: number, call: PendingCall<Result>, nowMs: number, field = 0): void {
    assert(sequence >= this.next, 'sequences of waiting calls ascend');
    if (this.count === 0) this.oldest = sequence;
    while (sequence - this.oldest > this.mask) this.grow();
    const slot = sequence % (this.mask + 1);
    this.calls[slot] = call;
    this.sinceMs[slot] = nowMs;
    this.fields[slot] = field;
    this.next = sequence + 1;
    this.count++;
  }

  has(sequence: number): boolean {
    return sequence >= this.oldest && sequence < this.next && this.calls[sequence % (this.mask + 1)] !== undefined;
  }

  /** Hands out the call behind a sequence, once. */
  take(sequence: number): PendingCall<Result> | undefined {
    if (sequence < this.oldest || sequence >= this.next) return undefined;
    const slot = sequence % (this.mask + 1);
    const call = this.calls[slot];
    if (call === undefined) return undefined;
    this.calls[slot] = undefined;
    this.takenSinceMs = this.sinceMs[slot] as number;
    this.takenField = this.fields[slot] as number;
    this.count--;
    if (sequence === this.oldest) this.skipEmpty();
    return call;
  }

  /** Fails those that have waited too long, each with what `symbolOf` says. */
  expire(nowMs: number, symbolOf: (sequence: number, sinceMs: number) => ErrorSymbol): void {
    while (this.count > 0) {
      const sequence = this.oldest;
      const sinceMs = this.sinceMs[sequence % (this.mask + 1)] as number;
      if (nowMs - sinceMs < this.timeoutMs) return;
      this.fail(sequence, symbolOf(sequence, sinceMs));
    }
  }

  /** Fails all. */
  failAll(symbol: ErrorSymbol): void {
    while (this.count > 0) this.fail(this.oldest, symbol);
  }

  /** Fails the call behind a sequence, if it waits. */
  fail(sequence: number, symbol: ErrorSymbol): void {
    const call = this.take(sequence);
    if (call === undefined) return;
    this.onFailed(this.takenField, this.takenSinceMs);
    call.failed(symbol);
  }

  private skipEmpty(): void {
    if (this.count === 0) {
      this.oldest = this.next;
      return;
    }
    while (this.calls[this.oldest % (this.mask + 1)] === undefined) this.oldest++;
  }

  private grow(): void {
    const capacity = (this.mask + 1) * 2;
    const calls: (PendingCall<Result> | undefined)[] = new Array(capacity).fill(undefined);
    const sinceMs = new Float64Array(capacity);
    const fields = new Uint16Array(capacity);
    for (let sequence = this.oldest; sequence < this.next; sequence++) {
      const from = sequence % (this.mask + 1);
      calls[sequence % capacity] = this.calls[from];
      sinceMs[sequence % capacity] = this.sinceMs[from] as number;
      fields[sequence % capacity] = this.fields[from] as number;
    }
    this.calls = calls;
    this.sinceMs = sinceMs;
    this.fields = fields;
    this.mask = capacity - 1;
  }
}
