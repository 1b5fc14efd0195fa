/** Of lines with one text, each second, these are all written; of the rest every hundredth. */
const linesAtFirst = 100;
const thereafterEvery = 100;
const periodMs = 1_000;
/** Different texts counted at once; with more, counting begins anew. */
const textsMax = 4_096;

/** Decides which of many equal lines are written. */
export class LogSampler {
  private readonly counts = new Map<string, { untilMs: number; count: number }>();

  takes(level: string, message: string, nowMs: number): boolean {
    const key = `${level} ${message}`;
    const seen = this.counts.get(key);
    if (seen === undefined || nowMs >= seen.untilMs) {
      if (seen === undefined && this.counts.size >= textsMax) this.counts.clear();
      this.counts.set(key, { untilMs: nowMs + periodMs, count: 1 });
      return true;
    }
    seen.count++;
    return seen.count <= linesAtFirst || (seen.count - linesAtFirst) % thereafterEvery === 0;
  }
}
