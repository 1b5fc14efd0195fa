import type { ErrorSymbol } from '@quorate/api';

/** A linearizable read that waits for its index. Exactly one of the two is called, once. */
export interface PendingRead {
  readable(): void;
  /** `symbol` names a row of the error table. */
  failed(symbol: ErrorSymbol): void;
}

interface Batch {
  readonly reads: PendingRead[];
  /** When the first of them came. */
  readonly sinceMs: number;
  askedMs: number;
  /** What has to be applied first; known once the leader has answered. */
  index: number;
}

/** Reads that wait for an answer from the leader, then for that index to be applied. Reads of one turn share one question. */
export class PendingReads {
  private gathering: Batch | undefined;
  private readonly asked = new Map<number, Batch>();
  private indexed: Batch[] = [];
  private count = 0;
  private readonly timeoutMs: number;
  private readonly retryMs: number;
  private readonly nextContext: () => number;
  private readonly onFailed: (batches: number, symbol: ErrorSymbol) => void;

  /** @param options `nextContext` numbers the questions, ascending; `onFailed` hears of those that came to nothing. */
  constructor(options: {
    timeoutMs: number;
    retryMs: number;
    nextContext: () => number;
    onFailed?: (batches: number, symbol: ErrorSymbol) => void;
  }) {
    this.timeoutMs = options.timeoutMs;
    this.retryMs = options.retryMs;
    this.nextContext = options.nextContext;
    this.onFailed = options.onFailed ?? (() => {});
  }

  /** Reads that wait, wherever they are on their way. */
  get size(): number {
    return this.count;
  }

  add(read: PendingRead, nowMs: number): void {
    this.gathering ??= { reads: [], sinceMs: nowMs, askedMs: 0, index: 0 };
    this.gathering.reads.push(read);
    this.count++;
  }

  /** Takes what gathered under a new context, to be asked with; undefined when nothing did. */
  ask(nowMs: number): number | undefined {
    const batch = this.gathering;
    if (batch === undefined) return undefined;
    const context = this.nextContext();
    batch.askedMs = nowMs;
    this.asked.set(context, batch);
    this.gathering = undefined;
    return context;
  }

  /** Everything asked up to `context` is answered by the later answer too: its index is no lower. */
  answered(context: number, index: number): void {
    for (const [earlier, batch] of this.asked) {
      if (earlier > context) break;
      this.asked.delete(earlier);
      batch.index = index;
      this.indexed.push(batch);
    }
  }

  /** Lets through what waits for an index up to `appliedIndex`. */
  applied(appliedIndex: number): void {
    if (this.indexed.length === 0) return;
    const waiting = this.indexed;
    this.indexed = waiting.filter((batch) => batch.index > appliedIndex);
    for (const batch of waiting) {
      if (batch.index > appliedIndex) continue;
      this.count -= batch.reads.length;
      for (const read of batch.reads) read.readable();
    }
  }

  /** Fails what waited too long, wherever it is on its way; returns the contexts to ask again. */
  tick(nowMs: number): number[] {
    const isLate = (batch: Batch) => nowMs - batch.sinceMs >= this.timeoutMs;
    const late: Batch[] = [];
    const again: number[] = [];
    // Without a leader nothing is asked.
    if (this.gathering !== undefined && isLate(this.gathering)) {
      late.push(this.gathering);
      this.gathering = undefined;
    }
    for (const [context, batch] of this.asked) {
      if (isLate(batch)) {
        this.asked.delete(context);
        late.push(batch);
      } else if (nowMs - batch.askedMs >= this.retryMs) {
        batch.askedMs = nowMs;
        again.push(context);
      }
    }
    if (this.indexed.some(isLate)) {
      late.push(...this.indexed.filter(isLate));
      this.indexed = this.indexed.filter((batch) => !isLate(batch));
    }
    this.fail(late, 'ErrGRPCTimeout');
    return again;
  }

  failAll(symbol: ErrorSymbol): void {
    const all = [...this.asked.values(), ...this.indexed];
    if (this.gathering !== undefined) all.push(this.gathering);
    this.gathering = undefined;
    this.asked.clear();
    this.indexed = [];
    this.fail(all, symbol);
  }

  private fail(batches: readonly Batch[], symbol: ErrorSymbol): void {
    if (batches.length > 0) this.onFailed(batches.length, symbol);
    for (const { reads } of batches) {
      this.count -= reads.length;
      for (const read of reads) read.failed(symbol);
    }
  }
}
