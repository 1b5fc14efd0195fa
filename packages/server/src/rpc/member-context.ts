import type { ErrorSymbol } from '@quorate/api';
import type { Clock, Logger } from '@quorate/base';
import type { Access } from './access.ts';
import type { RequestSpans } from './request-spans.ts';

interface OpenStream {
  readonly end: (symbol: ErrorSymbol) => void;
  readonly needsLeader: boolean;
}

/** Open streams that must end when the member stops or loses its leader. */
export class OpenStreams {
  private readonly open = new Set<OpenStream>();
  private closed = false;

  /**
   * @param needsLeader the client asked for a member that knows its leader (`hasleader`).
   * @returns what takes the stream off the list again.
   */
  add(end: (symbol: ErrorSymbol) => void, needsLeader: boolean): () => void {
    const stream = { end, needsLeader };
    this.open.add(stream);
    return () => {
      this.open.delete(stream);
    };
  }

  get size(): number {
    return this.open.size;
  }

  /** The member stops: no stream is to be added any more. */
  get isClosed(): boolean {
    return this.closed;
  }

  /** Ends all, and takes no more: a client that opens its watch again at once would hold the stop up. */
  close(symbol: ErrorSymbol): void {
    this.closed = true;
    this.endWhere(symbol, () => true);
  }

  /** Ends the streams of clients that asked for a leader. */
  leaderLost(): void {
    this.endWhere('ErrGRPCNoLeader', (stream) => stream.needsLeader);
  }

  private endWhere(symbol: ErrorSymbol, isMeant: (stream: OpenStream) => boolean): void {
    for (const stream of [...this.open]) {
      if (!isMeant(stream)) continue;
      this.open.delete(stream);
      stream.end(symbol);
    }
  }
}

/** What every service needs to know of the member it speaks for. */
export interface MemberContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly streams: OpenStreams;
  readonly access: Access;
  /** Undefined unless tracing is on. */
  readonly spans: RequestSpans | undefined;
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
