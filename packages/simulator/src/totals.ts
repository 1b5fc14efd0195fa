import type { RunResult } from './run.ts';

/** What many runs came to. */
export interface Totals {
  runs: number;
  acknowledged: number;
  unknown: number;
  /** Of simulated time. */
  durationMs: number;
  events: number;
  entries: number;
  /** By kind: faults of the scenarios, and what brought machines down. */
  readonly faults: Record<string, number>;
  readonly downs: Record<string, number>;
}

export function noTotals(): Totals {
  return { runs: 0, acknowledged: 0, unknown: 0, durationMs: 0, events: 0, entries: 0, faults: {}, downs: {} };
}

export function addRun(totals: Totals, result: RunResult): void {
  totals.runs++;
  totals.acknowledged += result.acknowledged;
  totals.unknown += result.unknown;
  totals.durationMs += result.durationMs;
  totals.events += result.events;
  totals.entries += result.history.log.length;
  for (const [kind, count] of result.faults) totals.faults[kind] = (totals.faults[kind] ?? 0) + count;
  for (const [kind, count] of result.downs) totals.downs[kind] = (totals.downs[kind] ?? 0) + count;
}

/** Adds what another process counted. */
export function addTotals(totals: Totals, other: Totals): void {
  totals.runs += other.runs;
  totals.acknowledged += other.acknowledged;
  totals.unknown += other.unknown;
  totals.durationMs += other.durationMs;
  totals.events += other.events;
  totals.entries += other.entries;
  for (const [kind, count] of Object.entries(other.faults)) totals.faults[kind] = (totals.faults[kind] ?? 0) + count;
  for (const [kind, count] of Object.entries(other.downs)) totals.downs[kind] = (totals.downs[kind] ?? 0) + count;
}

/** A few lines. */
export function describeTotals(totals: Totals): string {
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([kind, count]) => `${kind} ${count}`)
      .join(', ');
  const hours = (totals.durationMs / 3_600_000).toFixed(1);
  return [
    `${totals.runs} runs, ${hours} simulated hours, ${totals.events} events, ${totals.entries} log entries`,
    `operations: ${totals.acknowledged} acknowledged, ${totals.unknown} of unknown outcome`,
    `faults: ${list(totals.faults)}`,
    `machines down: ${list(totals.downs)}`,
  ].join('\n');
}
