import type { Violation } from '../history/history.ts';
import { type RunResult, runScenario } from '../run.ts';
import type { Scenario } from '../scenario.ts';
import { nodeEdge } from './edge.ts';

export interface Played {
  readonly violations: readonly Violation[];
  /** Undefined when the run itself has failed, which is a violation, too. */
  readonly result: RunResult | undefined;
}

/** Plays a scenario of which nobody knows whether it comes to its end. */
export async function play(scenario: Scenario): Promise<Played> {
  try {
    const result = await runScenario(scenario, nodeEdge());
    return { violations: result.violations, result };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { violations: [{ checker: 'simulator', text: text.replaceAll('\n', ' | ') }], result: undefined };
  }
}
