import type { Socket } from 'node:net';

export interface HandshakeLimits {
  /** Handshakes begun in one turn of the event loop: each costs about a millisecond of it. */
  readonly perTurnMax: number;
  /** Connections that wait for their turn or are in a handshake; more are cut. */
  readonly pendingMax: number;
  /** After which a handshake is over in any case. */
  readonly timeoutMs: number;
}

export interface HandshakeQueueDeps {
  /** Runs before the handshakes of a turn; files that were renewed are read in it. */
  readonly prepare: () => Promise<void>;
  readonly begin: (socket: Socket) => void;
  /** A connection is cut because too many are pending. */
  readonly overflow: (socket: Socket) => void;
  readonly nowMs: () => number;
}

/** Spreads TLS handshakes over turns of the event loop, so that a thousand clients who come back at once do not hold it. */
export class HandshakeQueue {
  private readonly deps: HandshakeQueueDeps;
  private readonly limits: HandshakeLimits;
  private readonly waiting: Socket[] = [];
  /** When those under way began, oldest first. Which is which does not matter for their number. */
  private readonly begun: number[] = [];
  private isRunning = false;

  constructor(deps: HandshakeQueueDeps, limits: HandshakeLimits) {
    this.deps = deps;
    this.limits = limits;
  }

  get pending(): number {
    return this.waiting.length + this.begun.length;
  }

  add(socket: Socket): void {
    this.forgetOverdue();
    if (this.pending >= this.limits.pendingMax) {
      this.deps.overflow(socket);
      socket.destroy();
      return;
    }
    // Until TLS has the socket nobody else would hear of its errors.
    socket.on('error', ignore);
    this.waiting.push(socket);
    if (!this.isRunning) void this.run();
  }

  /** A handshake ended, well or not. */
  ended(): void {
    this.begun.shift();
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    while (this.waiting.length > 0) {
      await this.deps.prepare();
      for (const socket of this.waiting.splice(0, this.limits.perTurnMax)) this.begin(socket);
      if (this.waiting.length > 0) await nextTurn();
    }
    this.isRunning = false;
  }

  private begin(socket: Socket): void {
    if (socket.destroyed) return;
    socket.off('error', ignore);
    this.begun.push(this.deps.nowMs());
    this.deps.begin(socket);
  }

  /** Should an end ever go unheard, it must not count for ever. */
  private forgetOverdue(): void {
    const oldest = this.deps.nowMs() - this.limits.timeoutMs;
    while (this.begun.length > 0 && (this.begun[0] as number) < oldest) this.begun.shift();
  }
}

function ignore(): void {}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
