import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Violation } from '../history/history.ts';
import type { Scenario } from '../scenario.ts';
import { addTotals, noTotals, type Totals } from '../totals.ts';
import type { WorkerReport } from './worker.ts';

export interface FailedRun {
  readonly scenario: Scenario;
  readonly violations: readonly Violation[];
  /** Of its scenario among all. */
  readonly place: number;
}

export interface ManyRuns {
  readonly totals: Totals;
  /** In the order of their scenarios. */
  readonly failed: readonly FailedRun[];
  readonly tookMs: number;
}

/**
 * Plays scenarios in several threads.
 *
 * @param mayGoOn is asked before each, with what has failed so far.
 */
export async function runMany(
  scenarios: Iterator<Scenario>,
  jobs: number,
  mayGoOn: (failed: number) => boolean,
): Promise<ManyRuns> {
  const startedMs = performance.now();
  const totals = noTotals();
  const failed: FailedRun[] = [];
  let places = 0;
  const feed = async () => {
    const worker = new Worker(new URL('./worker.js', import.meta.url));
    while (mayGoOn(failed.length)) {
      const next = scenarios.next();
      if (next.done === true) break;
      const place = places++;
      worker.postMessage(next.value);
      const [{ totals: own, violations }] = (await once(worker, 'message')) as [WorkerReport];
      addTotals(totals, own);
      if (violations.length > 0) failed.push({ scenario: next.value, violations, place });
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: jobs }, feed));
  failed.sort((a, b) => a.place - b.place);
  return { totals, failed, tookMs: performance.now() - startedMs };
}
