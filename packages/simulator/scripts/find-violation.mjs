// Runs seeds of the simulator with a mutation of the product until one is caught:
// `node find-violation.mjs NAME SEEDS FROM OPERATIONS`. Used by mutations.mjs. Prints a line for each
// seed, and last what it found as JSON.
import { register } from 'node:module';
import { mutations } from './mutation-table.mjs';

const [name, seeds, from, operations] = process.argv.slice(2);
const mutation = mutations.find((one) => one.name === name);
if (mutation === undefined && name !== 'none') throw new Error(`no mutation is called ${name}`);
register('./mutation-hooks.mjs', import.meta.url, { data: { edits: mutation?.edits ?? [] } });

const { drawScenario, runScenario } = await import('../dist/index.js');
const { nodeEdge } = await import('../dist/node/edge.js');
const { ignoreRejectionsOfTheDead } = await import('../dist/node/rejections.js');
ignoreRejectionsOfTheDead();

/** @type {{ seed: number, checker: string, text: string } | null} */
let found = null;
let seed = Number(from);
for (; seed < Number(from) + Number(seeds) && found === null; seed++) {
  const { violations } = await runScenario(drawScenario(seed, { operations: Number(operations) }), nodeEdge());
  const [first] = violations;
  process.stdout.write(`seed ${seed}\n`);
  if (first !== undefined) found = { seed, checker: first.checker, text: first.text };
}
process.stdout.write(`${JSON.stringify({ found, runs: seed - Number(from) })}\n`);
