import type { ErrorSymbol } from '@quorate/api';
/** A linearizable read that waits for its index. Exactly one of the two is called, once. */
export interface PendingRead {
  readable(): void;
  /** `symbol` names a row of the error table. */
  failed(symbol: ErrorSymbol): void;
}

interface Batch {
  readonly reads: PendingRead[];
  readonly sinceMs: number;
  askedMs: number;
}

/** Reads that wait for an answer from the leader, then for that index to be applied. Reads of one turn share one question. */
export class PendingReads {
  private gathering: PendingRead[] = [];
  private readonly asked = new Map<number, Batch>();
  private indexed: { readonly index: number; readonly reads: readonly PendingRead[] }[] = [];
  private nextContext = 1;
  private readonly timeoutMs: number;
  private readonly retryMs: number;

  constructor(options: { timeoutMs: number; retryMs: number }) {
    this.timeoutMs = options.timeoutMs;
    this.retryMs = options.retryMs;
  }

  add(read: PendingRead): void {
    this.gathering.push(read);
  }

  /** Takes what gathered under a new context, to be asked with; undefined when nothing did. */
  ask(nowMs: number): number | undefined {
    if (this.gathering.length === 0) return undefined;
    const context = this.nextContext++;
    this.asked.set(context, { reads: this.gathering, sinceMs: nowMs, askedMs: nowMs });
    this.gathering = [];
    return context;
  }

  /** Everything asked up to `context` is answered by the later answer too: its index is no lower. */
  answered(context: number, index: number): void {
    for (const [earlier, batch] of this.asked) {
      if (earlier > context) break;
      this.asked.delete(earlier);
      this.indexed.push({ index, reads: batch.reads });
    }
  }

  /** Lets through what waits for an index up to `appliedIndex`. */
  applied(appliedIndex: number): void {
    if (this.indexed.length === 0) return;
    const waiting = this.indexed;
    this.indexed = waiting.filter((batch) => batch.index > appliedIndex);
    for (const batch of waiting) {
      if (batch.index > appliedIndex) continue;
      for (const read of batch.reads) read.readable();
    }
  }

  /** Fails what waited too long; returns the contexts to ask again. */
  tick(nowMs: number): number[] {
    const again: number[] = [];
    for (const [context, batch] of this.asked) {
      if (nowMs - batch.sinceMs >= this.timeoutMs) {
        this.asked.delete(context);
        for (const read of batch.reads) read.failed('ErrGRPCTimeout');
      } else if (nowMs - batch.askedMs >= this.retryMs) {
        batch.askedMs = nowMs;
        again.push(context);
      }
    }
    return again;
  }

  failAll(symbol: ErrorSymbol): void {
    const all = [
      this.gathering,
      ...[...this.asked.values()].map((batch) => batch.reads),
      ...this.indexed.map((batch) => batch.reads),
    ];
    this.gathering = [];
    this.asked.clear();
    this.indexed = [];
    for (const reads of all) for (const read of reads) read.failed(symbol);
  }
}
