import { nextBelow, type Random, SeededRandom } from '@quorate/base';

/**
 * An independent source for one purpose of a world: what one part draws does not disturb what another does, so that a run with a
 * fault or an operation less is otherwise as much the same as can be.
 */
export function sourceOf(seed: number, purpose: string): SeededRandom {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x0100_0193) >>> 0;
  return new SeededRandom(hash * 0x10_0000 + (seed % 0x10_0000) + Math.floor(seed / 0x10_0000));
}

/** Uniform in [low, high). */
export function between(random: Random, low: number, high: number): number {
  return low + (random.nextUint32() / 0x1_0000_0000) * (high - low);
}

export function chance(random: Random, probability: number): boolean {
  return random.nextUint32() / 0x1_0000_0000 < probability;
}

/** Exponentially distributed, cut at twenty times its mean. */
export function exponential(random: Random, mean: number): number {
  return Math.min(20 * mean, -Math.log(1 - random.nextUint32() / 0x1_0000_0000) * mean);
}

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[nextBelow(random, items.length)] as Item;
}
