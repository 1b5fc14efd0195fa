import { type Profiler, Session } from 'node:inspector';

/**
 * Which source characters have run, from V8's own counters. Blocks are told by their characters and not as V8 cuts them, for it
 * joins neighbours that ran as often. Reading the counters costs most of a millisecond, whatever ran.
 */
export class Coverage {
  private readonly session = new Session();
  private readonly watches: readonly string[];
  /** By file and place of a function: its characters that have run. */
  private readonly covered = new Map<string, Uint8Array>();

  constructor(watches: readonly string[]) {
    this.watches = watches;
    this.session.connect();
    this.session.post('Profiler.enable');
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    this.take();
  }

  close(): void {
    this.session.post('Profiler.stopPreciseCoverage');
    this.session.disconnect();
  }

  /** Forgets what ran since the last look. */
  skip(): void {
    this.take();
  }

  /** Whether something ran since the last look that never had; with `keep` it counts as known from now on. */
  isNew(keep: boolean): boolean {
    let found = false;
    for (const { url, functions } of this.take()) {
      if (!this.watches.some((part) => url.includes(part))) continue;
      for (const { ranges } of functions) found = this.look(url, ranges, keep) || found;
    }
    return found;
  }

  private look(url: string, ranges: readonly Profiler.CoverageRange[], keep: boolean): boolean {
    const whole = ranges[0] as Profiler.CoverageRange;
    if (whole.count === 0) return false;
    const ran = new Uint8Array(whole.endOffset - whole.startOffset);
    // Ranges inside others come behind them.
    for (const { startOffset, endOffset, count } of ranges) {
      ran.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
    }
    const key = `${url}:${whole.startOffset}`;
    const before = this.covered.get(key);
    let found = false;
    for (let i = 0; i < ran.length; i++) if (ran[i] === 1 && before?.[i] !== 1) found = true;
    if (found && keep) this.covered.set(key, before === undefined ? ran : ran.map((bit, i) => bit | (before[i] ?? 0)));
    return found;
  }

  private take(): readonly Profiler.ScriptCoverage[] {
    let result: readonly Profiler.ScriptCoverage[] = [];
    // Within one process the answer comes before `post` returns.
    this.session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error !== null) throw error;
      result = taken.result;
    });
    return result;
  }
}
