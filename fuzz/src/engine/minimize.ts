import { concatBytes, copyBytes } from '@quorate/base';

/** For each of the two passes. */
const runsMax = 3000;

/** The smallest input found that still `fails` in the same way: pieces are left out, then bytes set to zero, as long as something helps. */
export async function minimize(
  input: Uint8Array,
  fails: (candidate: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let best = input;
  let runs = 0;
  const take = async (candidate: Uint8Array): Promise<boolean> => {
    runs++;
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let size = best.length >>> 1; size >= 1 && runs < runsMax; size >>>= 1) {
    for (let at = 0; at < best.length && runs < runsMax; ) {
      const without = concatBytes([best.subarray(0, at), best.subarray(at + size)]);
      if (!(await take(without))) at += size;
    }
  }
  for (let size = best.length >>> 1; size >= 1 && runs < 2 * runsMax; size >>>= 1) {
    for (let at = 0; at < best.length && runs < 2 * runsMax; at += size) {
      if (best.subarray(at, at + size).every((byte) => byte === 0)) continue;
      await take(copyBytes(best).fill(0, at, at + size));
    }
  }
  return best;
}
