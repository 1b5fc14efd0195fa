import { BrokenRule, type Target } from '../target.ts';

/** A reader with a mistake behind three right bytes, which chance alone hardly finds. */
export const plantedTarget: Target = {
  name: 'planted',
  watches: ['/engine/testing/planted'],
  inputBytesMax: 8,
  testRuns: 15_000,
  async seeds() {
    return [new Uint8Array(4)];
  },
  run(input) {
    if (input[0] !== 0x3f) return 'first';
    if (input[1] !== 0x7f) return 'second';
    if (input[2] !== 0x1f) return 'third';
    throw new BrokenRule(`the planted mistake at ${input.length}`);
  },
};
