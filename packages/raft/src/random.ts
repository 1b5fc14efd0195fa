/**
 * Draws a uniform 32-bit unsigned integer a call, as a function or a method. Nodes of a cluster must not draw alike: their
 * elections would collide. `Math.random` will do, times 2 ** 32.
 */
export type RandomSource =
  | {
      /** A uniform integer in [0, 2 ** 32). */
      nextUint32(): number;
    }
  | (() => number);

/** Draws a uniform integer in [0, bound). */
export function drawBelow(random: RandomSource, bound: number): number {
  const drawn = typeof random === 'function' ? random() : random.nextUint32();
  return Math.floor(((drawn >>> 0) / 0x1_0000_0000) * bound);
}
