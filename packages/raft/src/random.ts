/** A uniform 32-bit unsigned integer a call. */
export type RandomSource = { nextUint32(): number } | (() => number);

/** Draws a uniform integer in [0, bound). */
export function drawBelow(random: RandomSource, bound: number): number {
  const drawn = typeof random === 'function' ? random() : random.nextUint32();
  return Math.floor(((drawn >>> 0) / 0x1_0000_0000) * bound);
}
