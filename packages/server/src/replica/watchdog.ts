export interface WatchdogOptions {
  readonly heartbeatMs: number;
  /** What takes longer than an election timeout is a stall: the others may have gone on without this member. */
  readonly electionMs: number;
  readonly onStall: (what: 'disk' | 'loop', stalledMs: number) => void;
}

/** Notices at each tick when the event loop or the disk held this member up. */
export class Watchdog {
  private readonly options: WatchdogOptions;
  private lastTickMs: number;
  /** A sync is in flight for longer than an election timeout. */
  isDiskStalled = false;

  constructor(options: WatchdogOptions, nowMs: number) {
    this.options = options;
    this.lastTickMs = nowMs;
  }

  /**
   * @param syncSinceMs since when a sync is in flight; undefined when none is.
   * @returns heartbeat intervals that have passed: one, or after a stall of the loop as many as it took.
   */
  tick(nowMs: number, syncSinceMs: number | undefined): number {
    const { heartbeatMs, electionMs, onStall } = this.options;
    const elapsedMs = nowMs - this.lastTickMs;
    this.lastTickMs = nowMs;
    const syncMs = syncSinceMs === undefined ? 0 : nowMs - syncSinceMs;
    if (syncMs <= electionMs) this.isDiskStalled = false;
    else if (!this.isDiskStalled) {
      this.isDiskStalled = true;
      onStall('disk', syncMs);
    }
    if (elapsedMs - heartbeatMs <= electionMs) return 1;
    onStall('loop', elapsedMs);
    return Math.floor(elapsedMs / heartbeatMs);
  }
}
