import type { Clock } from '@quorate/base';
import type { ServerKeepalive } from './server-options.ts';

/** Between pings of a client without calls, unless it is permitted to ping (gRPC proposal A8). */
const withoutStreamMs = 7_200_000;

/** Pings too early before the connection is ended. */
const strikesMax = 2;

/** Enforces keepalive on pinging clients as grpc-go does: too early is a strike, something sent in between forgives. */
export class PingPolicy {
  private readonly clock: Clock;
  private readonly keepalive: ServerKeepalive;
  private lastPingMs = Number.NEGATIVE_INFINITY;
  private strikes = 0;
  private forgive = false;

  constructor(clock: Clock, keepalive: ServerKeepalive) {
    this.clock = clock;
    this.keepalive = keepalive;
  }

  /** Headers or data were sent. */
  onSent(): void {
    this.forgive = true;
  }

  /** Counts a ping; true when the connection must end. */
  isTooMany(activeStreams: number): boolean {
    const nowMs = this.clock.nowMs();
    const sinceMs = nowMs - this.lastPingMs;
    this.lastPingMs = nowMs;
    if (this.forgive || this.keepalive.minTimeMs === 0) {
      this.forgive = false;
      this.strikes = 0;
      return false;
    }
    const idle = activeStreams === 0 && !this.keepalive.permitWithoutStream;
    if (sinceMs < (idle ? withoutStreamMs : this.keepalive.minTimeMs)) this.strikes++;
    return this.strikes > strikesMax;
  }
}
