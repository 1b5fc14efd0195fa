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
    faults.push(drawRotDatabase(random, scenario, atMs));
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
