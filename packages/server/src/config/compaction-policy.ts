import { durationProblem, parseDurationMs } from './duration.ts';

/** When the leader compacts by itself. */
export type CompactionPolicy =
  /** Forget what is older than that. */
  | { readonly mode: 'periodic'; readonly retentionMs: number }
  /** Keep so many revisions. */
  | { readonly mode: 'revision'; readonly retention: number };

const hourMs = 3_600_000;

/**
 * Reads `--auto-compaction-retention`: a bare number is hours, or revisions to keep; a duration in mode `revision` counts its nanoseconds, as
 * etcd has it.
 * @returns undefined when it is off.
 */
export function parseCompactionPolicy(
  mode: 'periodic' | 'revision',
  retention: string,
): CompactionPolicy | { readonly problem: string } | undefined {
  const isCount = /^\+?\d*$/.test(retention);
  const durationMs = isCount ? Number(retention) * hourMs : parseDurationMs(retention);
  if (durationMs === undefined) return { problem: durationProblem(retention) };
  if (durationMs === 0) return undefined;
  if (mode === 'periodic') return { mode, retentionMs: durationMs };
  return { mode, retention: isCount ? Number(retention) : durationMs * 1e6 };
}
