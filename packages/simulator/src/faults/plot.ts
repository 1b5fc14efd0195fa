import { nextBelow, type Random } from '@quorate/base';
import type { Fault, Scenario } from '../scenario.ts';

/** What a plot is drawn for. */
export interface Stage {
  readonly random: Random;
  readonly scenario: Scenario;
  /** A moment while clients are at work. */
  readonly moment: () => number;
}

/** Faults that belong together, and what they need of a scenario. */
export interface Plot {
  readonly faults: readonly Fault[];
  readonly flags?: Readonly<Record<string, string | number>>;
  readonly rest?: Partial<Scenario>;
}

/** A scenario with the faults of plots besides, and with what they need. */
export function withFaults(scenario: Scenario, plots: readonly Plot[]): Scenario {
  const flags = Object.assign({}, ...plots.map((plot) => plot.flags ?? {})) as Record<string, string | number>;
  const faults = plots.flatMap((plot) => plot.faults.map((fault) => ({ ...fault, atMs: Math.max(0, fault.atMs) })));
  return {
    ...Object.assign({}, scenario, ...plots.map(({ rest }) => rest ?? {})),
    flags: scenario.flags.map((own) => withFlags(own, flags)),
    faults: [...scenario.faults, ...faults].sort((a, b) => a.atMs - b.atMs),
  };
}

function withFlags(own: readonly string[], flags: Readonly<Record<string, string | number>>): string[] {
  const kept = own.filter((flag) => !Object.keys(flags).some((name) => flag.startsWith(`--${name}=`)));
  return [...kept, ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)];
}

export function drawMachine({ random, scenario }: Stage): number {
  return nextBelow(random, scenario.members);
}

/** Whoever is behind a little needs a snapshot. */
export function snapshotsSoon({ members }: Scenario) {
  return {
    flags: { 'snapshot-count': 5, 'snapshot-catchup-entries': 1 },
    rest: { compactEveryEntries: Array.from({ length: members }, () => 5) },
  };
}
