import { parentPort } from 'node:worker_threads';
import type { Violation } from '../history/history.ts';
import type { Scenario } from '../scenario.ts';
import { addRun, noTotals, type Totals } from '../totals.ts';
import { play } from './play.ts';

/** What a thread answers to a scenario. */
export interface WorkerReport {
  readonly totals: Totals;
  readonly violations: readonly Violation[];
}

/** Plays the scenarios that come, one after the other. */
parentPort?.on('message', (scenario: Scenario) => {
  void run(scenario).then((report) => parentPort?.postMessage(report));
});

async function run(scenario: Scenario): Promise<WorkerReport> {
  const totals = noTotals();
  const { violations, result } = await play(scenario);
  if (result !== undefined) addRun(totals, result);
  return { totals, violations };
}
