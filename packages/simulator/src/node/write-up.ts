import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeFaults } from '../describe-faults.ts';
import type { Violation } from '../history/history.ts';
import type { Fault, Scenario } from '../scenario.ts';
import { failureFile, type ScenarioFile, writeScenarioFile } from '../scenario-file.ts';
import { shrink } from '../shrink.ts';
import { play } from './play.ts';

/** Prints what was violated. */
export function report(violations: readonly Violation[]): void {
  for (const { checker, text } of violations) console.log(`  VIOLATION ${checker}: ${text}`);
}

/** Prints what goes wrong in a run on purpose. */
export function reportFaults(faults: readonly Fault[]): void {
  console.log(faults.length === 0 ? '  no faults' : `  faults: ${faults.length}, by the time since work began`);
  for (const line of describeFaults(faults)) console.log(`  ${line}`);
}

/** Prints a failing scenario, makes it smaller and writes it to a folder. */
export async function writeUp(scenario: Scenario, violations: readonly Violation[], folder: string): Promise<void> {
  const { seed } = scenario;
  console.log(`seed ${seed} fails`);
  report(violations);
  reportFaults(scenario.faults);
  const checker = violations[0]?.checker;
  if (checker === undefined) return;
  const shrunk = await shrink(scenario, checker, async (one) => (await play(one)).violations);
  if (shrunk === undefined) {
    console.log('  and does not fail again: something in it is not determined by the seed');
    return;
  }
  const path = writeScenario(folder, `seed-${seed}`, failureFile(scenario, shrunk.violation, shrunk.scenario));
  console.log(
    `  shrunk by ${shrunk.runs} runs to ${shrunk.scenario.operations} operations: npm run sim -- --scenario ${path}`,
  );
  report(shrunk.violations);
  reportFaults(shrunk.scenario.faults);
}

/** @returns the path of the file */
function writeScenario(folder: string, name: string, file: ScenarioFile): string {
  const path = join(folder, `${name}.json`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, writeScenarioFile(file));
  return path;
}
