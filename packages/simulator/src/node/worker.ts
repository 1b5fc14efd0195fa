import { parentPort, workerData } from 'node:worker_threads';
import { drawScenario } from '../faults/draw-scenario.ts';
import type { Violation } from '../history/history.ts';
import { runScenario } from '../run.ts';
import { addRun, noTotals, type Totals } from '../totals.ts';
import { nodeEdge } from './edge.ts';

/** What a thread answers to a seed. */
export interface WorkerReport {
  readonly seed: number;
  readonly totals: Totals;
  readonly violations: readonly Violation[];
}

/** One with violations. */
export type FailedSeed = WorkerReport;

const { operations } = workerData as { readonly operations: number };

/** Runs the seeds that come, one after the other. */
parentPort?.on('message', (seed: number) => {
  run(seed).then(
    (report) => parentPort?.postMessage(report),
    (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const violations = [{ checker: 'simulator', text: text.replaceAll('\n', ' | ') }];
      parentPort?.postMessage({ seed, totals: noTotals(), violations } satisfies WorkerReport);
    },
  );
});

async function run(seed: number): Promise<WorkerReport> {
  const totals = noTotals();
  const result = await runScenario(drawScenario(seed, { operations }), nodeEdge());
  addRun(totals, result);
  return { seed, totals, violations: result.violations };
}
