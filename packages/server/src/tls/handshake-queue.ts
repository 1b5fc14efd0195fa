import type { Socket } from 'node:net';

export interface HandshakeLimits {
  /** Handshakes at a time: in one turn of the event loop each may cost about two milliseconds. */
  readonly activeMax: number;
  /** After which a handshake that waits for its client does not count as active any more, or slow clients would hold up the others. */
  readonly stallMs: number;
  /** Connections that wait for their turn or are in a handshake; more are cut. */
  readonly pendingMax: number;
  /** After which a handshake is over in any case. */
  readonly timeoutMs: number;
}

export interface HandshakeQueueDeps {
  /** Runs before handshakes begin; files that were renewed are read in it. */
  readonly prepare: () => Promise<void>;
  readonly begin: (socket: Socket) => void;
  /** A connection is cut because too many are pending. */
  readonly overflow: (socket: Socket) => void;
  /** A moment in which the event loop gets to other things. */
  readonly pause: () => Promise<void>;
  readonly nowMs: () => number;
}

/** Has TLS handshakes begin a few at a time, so that a thousand clients who come back at once do not hold the event loop. */
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
      const room = this.limits.activeMax - this.active();
      for (const socket of this.waiting.splice(0, Math.max(0, room))) this.begin(socket);
      if (this.waiting.length > 0) await this.deps.pause();
    }
    this.isRunning = false;
  }

  private active(): number {
    const stalled = this.deps.nowMs() - this.limits.stallMs;
    return this.begun.length - this.begun.findLastIndex((ms) => ms <= stalled) - 1;
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
