import { parseArgs } from 'node:util';

export const usage = `npm run sim -- [options]
  --seeds N      runs so many seeds (100)
  --from S       the first of them (1)
  --minutes M    goes on with further seeds for so long instead
  --seed S       one seed alone
  --scenario F   what is in a file that a failing run wrote, or in one of packages/simulator/scenarios
  --operations N operations of all clients together in a run (400)
  --jobs N       threads (2)
  --trace        with --seed or --scenario: prints all that happens
  --stop         ends with the first violation, without shrinking it
  --out FOLDER   where failing scenarios are written (simulator-failures)
Ends with 0 when nothing was violated, 1 when something was, 2 when it does not understand what it shall do.`;

/** What the command line asks for. */
export interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly minutes: number | undefined;
  readonly seed: number | undefined;
  readonly scenario: string | undefined;
  readonly operations: number;
  readonly jobs: number;
  readonly trace: boolean;
  readonly stop: boolean;
  readonly out: string;
  readonly help: boolean;
}

const options = {
  seeds: { type: 'string', default: '100' },
  from: { type: 'string', default: '1' },
  minutes: { type: 'string' },
  seed: { type: 'string' },
  scenario: { type: 'string' },
  operations: { type: 'string', default: '400' },
  jobs: { type: 'string', default: '2' },
  trace: { type: 'boolean', default: false },
  stop: { type: 'boolean', default: false },
  out: { type: 'string', default: 'simulator-failures' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** @throws an error whose message is for whoever typed it */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({ args: [...args], options });
  const { seed, minutes, scenario, trace } = values;
  if (seed !== undefined && scenario !== undefined) throw new Error('--seed and --scenario are two runs: give one');
  if (trace && seed === undefined && scenario === undefined) throw new Error('--trace goes with --seed or --scenario');
  return {
    ...values,
    ...{ scenario, seeds: count('seeds', values.seeds, 1), from: count('from', values.from, 0) },
    ...{ operations: count('operations', values.operations, 1), jobs: count('jobs', values.jobs, 1) },
    seed: seed === undefined ? undefined : count('seed', seed, 0),
    minutes: minutes === undefined ? undefined : duration(minutes),
  };
}

function count(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new Error(`--${name} takes a whole number from ${least} on, not '${text}'`);
  return value;
}

function duration(text: string): number {
  const value = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || !(value > 0)) throw new Error(`--minutes takes a number above 0, not '${text}'`);
  return value;
}
