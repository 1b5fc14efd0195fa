import type { ErrorSymbol } from '@quorate/api';
import type { Clock, Logger } from '@quorate/base';

/** Open streams that must end when the member stops or loses its leader. */
export class OpenStreams {
  private readonly ends = new Set<(symbol: ErrorSymbol) => void>();

  /** @returns what takes the stream off the list again. */
  add(end: (symbol: ErrorSymbol) => void): () => void {
    this.ends.add(end);
    return () => {
      this.ends.delete(end);
    };
  }

  get size(): number {
    return this.ends.size;
  }

  endAll(symbol: ErrorSymbol): void {
    for (const end of [...this.ends]) end(symbol);
    this.ends.clear();
  }
}

/** What every service needs to know of the member it speaks for. */
export interface MemberContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly streams: OpenStreams;
  /** Raft id of the leader, 0 when none is known. */
  leader(): bigint;
  isLearner(): boolean;
  /** Term of the last applied entry. */
  appliedTerm(): number;
  /** Revision of the store. */
  revision(): number;
}

/** The replica's side of linearizable reads. */
export interface LinearizableReads {
  /** Whether a read may be answered at once. */
  isReadable(): boolean;
  linearizableRead(read: { readable(): void; failed(symbol: ErrorSymbol): void }): void;
}
