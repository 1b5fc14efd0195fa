import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WatchTwin } from './testing/watch-twin.ts';

const rounds = Number(process.env.QUORATE_ROUNDS ?? 150);
const onlySeed = process.env.QUORATE_SEED;

for (const isReal of [false, true])
  test(`random watchers get the filtered history exactly once, in order, over the ${isReal ? 'real' : 'naive'} store`, async () => {
    const totals = { events: 0, progress: 0, compacted: 0, fragments: 0, batches: 0 };
    const seeds =
      onlySeed === undefined
        ? Array.from({ length: isReal ? Math.ceil(rounds / 3) : rounds }, (_, i) => i + 1)
        : [Number(onlySeed)];
    for (const seed of seeds) {
      const twin = new WatchTwin(seed, isReal);
      try {
        await twin.run(400);
      } catch (error) {
        throw new Error(`seed ${seed} (replay with QUORATE_SEED=${seed})`, { cause: error });
      }
      for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += twin.counts[name];
    }
    // The run means something only if all of it happened.
    if (onlySeed === undefined)
      for (const [name, count] of Object.entries(totals)) assert.ok(count > seeds.length / 4, `${name}: ${count}`);
  });
