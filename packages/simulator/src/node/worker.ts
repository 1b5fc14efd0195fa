import { parentPort, workerData } from 'node:worker_threads';
import { drawScenario } from '../faults/draw-scenario.ts';
import type { Violation } from '../history/history.ts';
import { addRun, noTotals, type Totals } from '../totals.ts';
import { play } from './play.ts';

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
  void run(seed).then((report) => parentPort?.postMessage(report));
});

async function run(seed: number): Promise<WorkerReport> {
  const totals = noTotals();
  const { violations, result } = await play(drawScenario(seed, { operations }));
  if (result !== undefined) addRun(totals, result);
  return { seed, totals, violations };
}
