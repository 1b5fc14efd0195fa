// Runs seeds of the simulator with a mutation of the product until one is caught, or one scenario:
//
//     node find-violation.mjs NAME --seeds N --from S --operations N [--out FOLDER]
//     node find-violation.mjs NAME --scenario FILE [--out FOLDER]
//
// Used by mutations.mjs. Prints a line for each seed, and last what it found as JSON. With --out what fails is shrunk, and written
// to that folder as a scenario for the regression set.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { register } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mutations } from './mutation-table.mjs';

const {
  values: { seeds, from, operations, scenario: path, out },
  positionals: [name],
} = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '1' },
    from: { type: 'string', default: '1' },
    operations: { type: 'string', default: '400' },
    scenario: { type: 'string' },
    out: { type: 'string' },
  },
});
const mutation = mutations.find((one) => one.name === name);
if (mutation === undefined && name !== 'none') throw new Error(`no mutation is called ${name}`);
register('./mutation-hooks.mjs', import.meta.url, { data: { edits: mutation?.edits ?? [] } });

const { drawScenario, failureFile, readScenarioFile, runScenario, shrink, writeScenarioFile } = await import(
  '../dist/index.js'
);
const { nodeEdge } = await import('../dist/node/edge.js');
const { ignoreRejectionsOfTheDead } = await import('../dist/node/rejections.js');
ignoreRejectionsOfTheDead();

/** @param {import('../dist/index.js').Scenario} scenario */
async function play(scenario) {
  const { violations } = await runScenario(scenario, nodeEdge());
  process.stdout.write(`seed ${scenario.seed}\n`);
  return violations;
}

/** @returns {Generator<import('../dist/index.js').Scenario>} */
function* scenarios() {
  if (path !== undefined) yield readScenarioFile(readFileSync(path, 'utf8')).scenario;
  else
    for (let seed = Number(from); seed < Number(from) + Number(seeds); seed++)
      yield drawScenario(seed, { operations: Number(operations) });
}

/**
 * @param {import('../dist/index.js').Scenario} failing
 * @param {string} checker
 * @param {string} folder
 */
async function writeUp(failing, checker, folder) {
  const shrunk = await shrink(failing, checker, play);
  if (shrunk === undefined) throw new Error(`seed ${failing.seed} does not fail again`);
  const file = failureFile(failing, shrunk.violation, shrunk.scenario);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, `${name.replaceAll(' ', '-')}.json`),
    writeScenarioFile({ ...file, why: mutation?.why ?? '', mutation: name }),
  );
}

/** @type {{ seed: number, checker: string, text: string } | null} */
let found = null;
let runs = 0;
for (const scenario of scenarios()) {
  const [first] = await play(scenario);
  runs++;
  if (first === undefined) continue;
  found = { seed: scenario.seed, checker: first.checker, text: first.text };
  if (out !== undefined) await writeUp(scenario, first.checker, out);
  break;
}
process.stdout.write(`${JSON.stringify({ found, runs })}\n`);
