// The mutation check of the simulator: whether it would notice the mistakes of mutation-table.mjs.
//
//     npm run sim:mutations                  each with seeds from 1 on, until one fails
//     npm run sim:mutations -- lease watch   only those with such a word in their name
//     npm run sim:mutations -- --from 1000   with other seeds
//     npm run sim:mutations -- --open        those that no seed is known to catch
//     npm run sim:mutations -- --scenarios   with the scenarios of ../scenarios, each for the mutation that it names
//     npm run sim:mutations -- --out FOLDER  writes what caught each there, shrunk, as such a scenario
//     npm run sim:mutations -- --markdown    a table of them, with what caught each
//
// Each is made while the built product is loaded, in a process of its own; the sources have no hooks for it. It fails when one
// is not caught within its number of seeds, when its text is stale, and when seeds fail without any mutation.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutations } from './mutation-table.mjs';

const scripts = dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: 'string', default: '1' },
    operations: { type: 'string', default: '400' },
    jobs: { type: 'string', default: '2' },
    open: { type: 'boolean', default: false },
    scenarios: { type: 'boolean', default: false },
    out: { type: 'string' },
    markdown: { type: 'boolean', default: false },
  },
});
/** A mutation, and what is to catch it: seeds, or the scenario of a file.
 * @typedef {{ mutation: import('./mutations/edit.mjs').Mutation, scenario?: string }} Task */

/** @returns {Task[]} the scenarios that are for a mutation */
function scenarioTasks() {
  const folder = join(dirname(scripts), 'scenarios');
  return readdirSync(folder).flatMap((file) => {
    const scenario = join(folder, file);
    const { mutation: name } = JSON.parse(readFileSync(scenario, 'utf8'));
    const mutation = mutations.find((one) => one.name === name);
    if (name !== undefined && mutation === undefined) throw new Error(`${file} is for '${name}', which is no mutation`);
    return mutation === undefined ? [] : [{ mutation, scenario }];
  });
}

const tasks = values.scenarios
  ? scenarioTasks()
  : mutations.filter(({ isOpen = false }) => isOpen === values.open).map((mutation) => ({ mutation }));
const chosen = tasks.filter(
  ({ mutation: { name } }) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
);
/** A mutant that makes no end of one seed for so long hangs, which is a catch, too. */
const hangMs = 120_000;
const baselineSeeds = 20;

/** @typedef {{ found: { seed: number, checker: string, text: string } | null, runs: number, error?: string }} Result */

/**
 * @param {string} name of a mutation, or `none`
 * @param {string[]} what is to catch it: options of find-violation.mjs
 * @returns {Promise<Result>}
 */
function find(name, what) {
  return new Promise((resolve, reject) => {
    const args = [join(scripts, 'find-violation.mjs'), name, ...what];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    let isHung = false;
    const hangs = () => {
      isHung = true;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(hangs, hangMs);
    child.stdout.on('data', (chunk) => {
      output += chunk;
      clearTimeout(timer);
      timer = setTimeout(hangs, hangMs);
    });
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      const done = output.split('\n').filter((line) => line !== '');
      const seed = Number(values.from) + done.length;
      const died = (text) => resolve({ found: { seed, checker: 'process', text }, runs: done.length });
      if (isHung) died('hangs');
      else if (errors.includes('stale mutation')) reject(new Error(/stale mutation.*/.exec(errors)?.[0]));
      // Nothing was run, so nothing was caught.
      else if (errors.includes('ERR_MODULE_NOT_FOUND')) reject(new Error('a module is missing: is all built?'));
      else if (code !== 0) died(`crashes: ${errors.trim().split('\n')[0]}`);
      else resolve(JSON.parse(done.at(-1) ?? 'null'));
    });
  });
}

/** Lines of progress; a table on standard output is to be nothing but the table. */
const say = values.markdown ? console.error : console.log;

/** @param {number} count */
const seeds = (count) => ['--seeds', String(count), '--from', values.from, '--operations', values.operations];

/**
 * What became of a mutation. A scenario must do nothing without it.
 *
 * @param {Task} task
 * @returns {Promise<Result>}
 */
async function attempt({ mutation, scenario }) {
  const out = values.out === undefined ? [] : ['--out', values.out];
  if (scenario === undefined) return find(mutation.name, [...seeds(mutation.seeds), ...out]);
  const { found } = await find('none', ['--scenario', scenario]);
  if (found !== null) throw new Error(`${scenario} fails without any mutation: ${found.checker}: ${found.text}`);
  return find(mutation.name, ['--scenario', scenario, ...out]);
}

/**
 * @param {Result} result
 * @returns {string} what became of a mutation, for people
 */
function describe({ found, runs, error }) {
  if (error !== undefined) return error;
  if (found === null) return `NOT CAUGHT in ${runs} runs`;
  return `seed ${found.seed}, ${found.checker}: ${found.text.slice(0, 160)}`;
}

/**
 * @param {import('./mutations/edit.mjs').Mutation} mutation
 * @param {Result} result
 * @returns {string} a row of the table
 */
function rowOf({ name, why, seeds }, { found, error }) {
  const caught = found?.seed ?? (error === undefined ? 'not caught' : 'stale');
  return `| ${name} | ${why} | ${seeds} | ${caught} | ${found?.checker ?? ''} |`;
}

const startedMs = Date.now();
const waiting = [...chosen];
/** @type {Map<Task, Result>} */
const results = new Map();
if (!values.scenarios) {
  const { found } = await find('none', seeds(baselineSeeds));
  if (found !== null) {
    console.error(`sim:mutations: seed ${found.seed} fails without any mutation: ${found.checker}: ${found.text}`);
    process.exit(1);
  }
}
await Promise.all(
  Array.from({ length: Number(values.jobs) }, async () => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
      const result = await attempt(task).catch((error) => ({ found: null, runs: 0, error: String(error) }));
      results.set(task, result);
      say(`${task.mutation.name.padEnd(60)} ${describe(result)}`);
    }
  }),
);
if (values.markdown) {
  console.log('| Mistake | Why it is one | Within seeds | Caught at seed | By |\n| --- | --- | --: | --: | --- |');
  for (const task of chosen) {
    const result = results.get(task);
    if (result !== undefined) console.log(rowOf(task.mutation, result));
  }
}
const caught = [...results.values()].filter(({ found }) => found !== null).length;
const seedsRun = [...results.values()].reduce((sum, { runs }) => sum + runs, 0);
const tookSeconds = Math.round((Date.now() - startedMs) / 1000);
say(`${caught} of ${chosen.length} mutations caught, in ${seedsRun} seeds and ${tookSeconds} s`);
if (caught < chosen.length) process.exitCode = 1;
