import type { Violation } from './history/history.ts';
import type { Scenario } from './scenario.ts';

/** A scenario that is written down, and what for. What failing runs write and what the regression set in `scenarios/` consists of. */
export interface ScenarioFile {
  /** What goes wrong in it, or went wrong. */
  readonly why: string;
  /** The mistake of the mutation table that brings it back. */
  readonly mutation?: string;
  /** The seed that it was drawn from, by hand at times, for so many operations; and what it violated when it was shrunk. */
  readonly found: Violation & { readonly seed: number; readonly operations: number };
  readonly scenario: Scenario;
}

const columnsMax = 260;

/**
 * What a scenario has that does not say otherwise: files that were written before the simulator learned something are as if it did not
 * happen. The compiler asks for a new field of {@link Scenario} here.
 */
function plainScenario(members: number): Omit<Scenario, 'seed' | 'members'> {
  const each = <Value>(value: Value): Value[] => Array.from({ length: members }, () => value);
  return {
    ...{ beginsInPeace: true, hasUsers: false, areHasty: false },
    ...{ clients: 2, watchers: 0, leaseholders: 0, mirrors: 0, lockers: 0 },
    ...{ operations: 400, taste: 'usual', thinkMs: 20 },
    network: { latencyMs: 0.5, jitterMs: 0.5, loss: 0, duplication: 0, reorders: false },
    disks: each({ syncMs: 1, otherMs: 0.05 }),
    clockRates: each(1),
    walSegmentBytes: each(65_536),
    compactEveryEntries: each(1_000),
    flags: each([]),
    faults: [],
  };
}

/** Reads what {@link writeScenarioFile} wrote, now or long ago. */
export function readScenarioFile(text: string): ScenarioFile {
  const file = JSON.parse(text) as Partial<ScenarioFile>;
  const { scenario } = file;
  if (typeof scenario?.seed !== 'number' || typeof scenario.members !== 'number')
    throw new Error('no scenario with a seed and a number of members');
  const { why = '', found = { seed: scenario.seed, operations: scenario.operations, checker: '', text: '' } } = file;
  const { seed, members } = scenario;
  return { ...file, why, found, scenario: { ...{ seed, members }, ...plainScenario(members), ...scenario } };
}

/** Of a scenario that failed and was shrunk to another that violates the same. */
export function failureFile(
  { seed, operations }: Scenario,
  { checker, text }: Violation,
  shrunk: Scenario,
): ScenarioFile {
  // Without the places in the program, which are others elsewhere.
  const [first = ''] = text.split(' | ');
  return { why: '', found: { seed, operations, checker, text: first }, scenario: shrunk };
}

/** The text of a file, as JSON with a fault a line. */
export function writeScenarioFile({ why, mutation, found, scenario }: ScenarioFile): string {
  return `${layOut({ why, mutation, found, scenario }, '')}\n`;
}

/** JSON in which whatever fits in a line is on one, but each object of a list on its own. */
function layOut(value: unknown, indent: string, taken = 0): string {
  const flat = JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return flat;
  const isList = Array.isArray(value);
  const isFlat = isList ? value.every((item) => typeof item !== 'object') : indent !== '';
  if (flat === '[]' || (isFlat && indent.length + taken + flat.length < columnsMax)) return flat;
  const inner = `${indent}  `;
  const lines = isList
    ? value.map((item) => inner + layOut(item, inner))
    : Object.entries(value)
        .filter(([, part]) => part !== undefined)
        .map(([name, part]) => `${inner}${JSON.stringify(name)}: ${layOut(part, inner, name.length + 4)}`);
  const [open, close] = isList ? '[]' : '{}';
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}
