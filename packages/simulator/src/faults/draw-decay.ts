import { nextBelow, type Random } from '@quorate/base';
import type { Fault, Scenario } from '../scenario.ts';
import { between, chance, pick } from '../world/random-sources.ts';

/** Of scenarios; what decays of the others stays as it is. */
const decayRate = 0.15;
const timesMax = 2;

/** Some scenarios of three members and more have a disk besides that does not keep what it was given. */
export function withDecay(random: Random, scenario: Scenario, durationMs: number): Scenario {
  if (!chance(random, decayRate) || scenario.members < 3) return scenario;
  const faults: Fault[] = [];
  for (let left = 1 + nextBelow(random, timesMax); left > 0; left--) {
    const atMs = between(random, durationMs * 0.1, durationMs * 0.8);
    faults.push((chance(random, 0.5) ? drawRotDatabase : drawMisdirection)(random, scenario, atMs));
  }
  return { ...scenario, faults: [...scenario.faults, ...faults].sort((a, b) => a.atMs - b.atMs) };
}

function drawRotDatabase(random: Random, { members }: Scenario, atMs: number): Fault {
  const forMs = between(random, 500, 8_000);
  return {
    atMs,
    kind: 'rot-database',
    machine: nextBelow(random, members),
    bits: pick(random, [1, 5, 50, 500]),
    forMs,
  };
}

const sectorBytes = 512;

function drawMisdirection(random: Random, { members }: Scenario, atMs: number): Fault {
  const sectors = pick(random, [1, 8, 8, 16, 64]) * (chance(random, 0.5) ? 1 : -1);
  return {
    ...{ atMs, kind: 'misdirect', machine: nextBelow(random, members), byBytes: sectors * sectorBytes },
    after: pick(random, ['.wal', '.wal', '/db', '/db', '.snap']),
    skip: pick(random, [0, 0, 1, 5]),
    ...(chance(random, 0.3) ? { into: pick(random, ['database', 'log'] as const) } : {}),
    crashMs: chance(random, 0.5) ? 0 : between(random, 0, 100),
    mode: pick(random, ['process', 'process', 'synced', 'torn'] as const),
    downMs: between(random, 20, 300),
    forMs: between(random, 500, 8_000),
  };
}
