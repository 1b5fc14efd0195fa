import { confChangeHandler } from './confchange-suite.ts';
import { type CaseFailure, parseScenario, rewriteScenario, runScenario, type ScenarioCase } from './datadriven.ts';
import { interactionHandler } from './interaction/handler.ts';
import { quorumHandler } from './quorum-suite.ts';

type Handler = (scenario: ScenarioCase) => string;

/** A fresh handler for a scenario file; which one shows in its commands. */
function handlerFor(text: string): Handler {
  const command = parseScenario(text).cases[0]?.command;
  if (command === 'committed' || command === 'vote') return quorumHandler();
  if (command === 'simple' || command === 'enter-joint' || command === 'leave-joint') return confChangeHandler();
  return interactionHandler();
}

/** Runs one scenario file of any suite; returns the cases whose answer differs. */
export function runScenarioFile(text: string): CaseFailure[] {
  return runScenario(text, handlerFor(text));
}

/** The scenario file with today's answers. */
export function rewriteScenarioFile(text: string): string {
  return rewriteScenario(text, handlerFor(text));
}
