import { confChangeHandler } from './confchange-suite.ts';
import {
  type CaseFailure,
  parseScenario,
  rewriteScenario,
  runScenario,
  type ScenarioHandler,
  type ScenarioRun,
} from './datadriven.ts';
import { interactionHandler } from './interaction/handler.ts';
import { lineDiff } from './line-diff.ts';
import { quorumHandler } from './quorum-suite.ts';

const suiteOfCommand: Readonly<Record<string, () => ScenarioHandler>> = {
  committed: quorumHandler,
  vote: quorumHandler,
  simple: confChangeHandler,
  'enter-joint': confChangeHandler,
  'leave-joint': confChangeHandler,
};

/** A fresh handler for a scenario file; which one shows in its commands. */
function handlerFor(text: string): ScenarioHandler {
  for (const { command } of parseScenario(text).cases) {
    if (Object.hasOwn(suiteOfCommand, command)) return (suiteOfCommand[command] as () => ScenarioHandler)();
  }
  return interactionHandler();
}

/** Runs one scenario file of any suite. @throws {Error} naming the line that is malformed */
export function runScenarioFile(text: string): ScenarioRun {
  return runScenario(text, handlerFor(text));
}

/** The scenario file with today's answers. @throws {Error} naming the line that is malformed */
export function rewriteScenarioFile(text: string): string {
  return rewriteScenario(text, handlerFor(text));
}

/** Whether a file of a folder of scenarios is one, not a table, a description, or something hidden or left by an editor. */
export function isScenarioName(path: string): boolean {
  return !/(?:^|\/)\.|~$|(?:^|\/)#[^/]*#$|\.(?:md|tsv)$/.test(path.replaceAll('\\', '/'));
}

/** What differs in a file, case by case, each under `FILE:LINE: DIRECTIVE`. */
export function describeFailures(name: string, failures: readonly CaseFailure[]): string {
  return failures
    .map(({ line, directive, expected, actual }) => `${name}:${line}: ${directive}\n${lineDiff(expected, actual)}\n`)
    .join('\n');
}
