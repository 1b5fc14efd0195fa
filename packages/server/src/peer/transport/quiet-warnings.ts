import type { Clock, LogFields, Logger } from '@quorate/base';

const repeatMs = 10_000;
/** Beyond it all is forgotten, and said once more. */
const keysMax = 256;

/** Warnings about what others do, who may do it ten times a second: the same one is said now and then. */
export class QuietWarnings {
  private readonly clock: Pick<Clock, 'nowMs'>;
  private readonly logger: Logger;
  private readonly saidAtMs = new Map<string, number>();

  constructor(clock: Pick<Clock, 'nowMs'>, logger: Logger) {
    this.clock = clock;
    this.logger = logger;
  }

  /** @param key what makes it the same, with the text */
  warn(key: string, text: string, fields: LogFields): void {
    const full = `${text} ${key}`;
    const nowMs = this.clock.nowMs();
    const saidAtMs = this.saidAtMs.get(full);
    if (saidAtMs !== undefined && nowMs - saidAtMs < repeatMs) return;
    if (this.saidAtMs.size >= keysMax) this.saidAtMs.clear();
    this.saidAtMs.set(full, nowMs);
    this.logger.warn(text, fields);
  }
}
