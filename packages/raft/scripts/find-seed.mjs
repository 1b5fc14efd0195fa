// Runs random clusters of a build of the package until one fails: `node find-seed.mjs DIST SEEDS STEPS`. Used by
// mutations.mjs, each time on another build. Prints a dot now and then as a sign of life, and what it found as JSON.
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [dist, seeds, steps] = process.argv.slice(2);
const { runSeed } = await import(pathToFileURL(join(resolve(dist), 'testing/cluster/run.js')).href);

/** @type {{ seed: number, events: number, text: string } | null} */
let found = null;
for (let seed = 0; seed < Number(seeds) && found === null; seed++) {
  const { failure, scenario } = runSeed(seed, Number(steps));
  if (failure !== undefined) found = { seed, events: scenario.events.length, text: failure.message.split('\n')[0] };
  if (seed % 10 === 0) process.stdout.write('.');
}
process.stdout.write(`\n${JSON.stringify(found)}\n`);
