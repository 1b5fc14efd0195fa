import type { Violation } from './history/history.ts';
import type { Fault, Scenario } from './scenario.ts';

export interface Shrunk {
  readonly scenario: Scenario;
  readonly violations: readonly Violation[];
  /** The one of them that was to stay. */
  readonly violation: Violation;
  /** Runs that it took. */
  readonly runs: number;
}

/** Runs that shrinking may take. */
const runsMax = 60;

/** Plays a scenario; what it violated. */
export type Play = (scenario: Scenario) => Promise<readonly Violation[]>;

/**
 * Makes a failing scenario smaller as long as the same checker complains: fewer operations, no faults that are not needed (halves first,
 * then one by one), nothing behind the work, fewer kinds of clients. Undefined when it does not fail again: then not everything is determined by the seed.
 */
export async function shrink(failing: Scenario, checker: string, play: Play): Promise<Shrunk | undefined> {
  let best: Shrunk | undefined;
  let runs = 0;
  const fails = async (scenario: Scenario): Promise<boolean> => {
    if (runs >= runsMax) return false;
    runs++;
    const violations = await play(scenario);
    const violation = violations.find((one) => one.checker === checker);
    if (violation === undefined) return false;
    best = { scenario, violations, violation, runs };
    return true;
  };
  if (!(await fails(failing))) return undefined;
  const now = () => (best as Shrunk).scenario;
  const halveOperations = async () => {
    for (let operations = now().operations >> 1; operations >= 5; operations >>= 1) {
      if (!(await fails({ ...now(), operations }))) break;
    }
  };
  await halveOperations();
  for (let size = Math.ceil(now().faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < now().faults.length; ) {
      if (!(await fails({ ...now(), faults: without(now().faults, from, size) }))) from += size;
    }
  }
  for (const part of ['vigil', 'restore'] as const) {
    const { [part]: left, ...rest } = now();
    if (left !== undefined) await fails(rest);
  }
  for (const kind of ['watchers', 'mirrors', 'lockers', 'leaseholders'] as const) {
    if (now()[kind] > 0) await fails({ ...now(), [kind]: 0 });
  }
  // Less may do now.
  await halveOperations();
  return { ...(best as Shrunk), runs };
}

function without(faults: readonly Fault[], from: number, count: number): Fault[] {
  return faults.filter((_, place) => place < from || place >= from + count);
}
