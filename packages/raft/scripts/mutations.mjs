// The mutation check: whether the tests of this package would notice the classic mistakes in Raft of mutation-table.mjs.
//
//     npm run raft:mutations                    each mutation against each kind of tests, some minutes
//     npm run raft:mutations -- --fast          each until some tests catch it, under a minute on a quiet machine
//     npm run raft:mutations -- read lease      only those with such a word in their name
//
// Each is made in a copy of the built library and its tests in a temporary folder; the sources have no hooks for it. The kinds
// are: the random clusters of src/testing/cluster, with the seeds of an ordinary test run; the scenario files (with
// RAFT_TESTDATA those of that folder too); the tests after the paper in src/testing/paper; all other tests. It fails when a
// mutation is caught by none, when random clusters do not catch one that they should, and when the text that one replaces is
// no longer there exactly once.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROUNDS, STEPS } from '../dist/testing/cluster/seeds.js';
import { edited, mutations } from './mutation-table.mjs';

const scripts = dirname(fileURLToPath(import.meta.url));
const packageFolder = dirname(scripts);
/** Without any output for so long a mutant is taken to hang. */
const SILENCE_MS = 60_000;
const BASELINE_SEEDS = 100;

const isFast = process.argv.includes('--fast');
const words = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const chosen = mutations.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));

/** Runs node; `seen` gets all output so far and stops the process when it returns true. Answers what became of it. */
function runNode(args, seen) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let isHung = false;
    let timer;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        isHung = true;
        child.kill('SIGKILL');
      }, SILENCE_MS);
    };
    const take = (chunk) => {
      output += chunk;
      watch();
      if (seen(output)) child.kill('SIGKILL');
    };
    watch();
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ output, isHung, code });
    });
  });
}

/** The first seed that fails, as text; undefined when none does. */
async function runClusters(folder, seeds) {
  const args = [join(scripts, 'find-seed.mjs'), join(folder, 'dist'), String(seeds), String(STEPS)];
  const { output, isHung, code } = await runNode(args, () => false);
  if (isHung) return 'hangs';
  const last = output.trim().split('\n').at(-1);
  if (code !== 0) return `crashes: ${last}`;
  const found = JSON.parse(last);
  return found === null ? undefined : `seed ${found.seed}, event ${found.events}: ${found.text}`;
}

/** The name of the first test that fails; undefined when none does. */
async function runTests(folder, files) {
  if (files.length === 0) return undefined;
  const firstFailed = (output) => /^\s*not ok \d+ - (.*)\n/m.exec(output)?.[1];
  const args = ['--test', '--test-reporter=tap', ...files.map((file) => join(folder, 'dist', file))];
  const { output, isHung, code } = await runNode(args, (text) => firstFailed(text) !== undefined);
  if (isHung) return 'hangs';
  return firstFailed(output) ?? (code === 0 ? undefined : 'crashes');
}

function testFiles(folder, pattern) {
  const names = readdirSync(join(folder, 'dist'), { recursive: true }).map((name) => name.replaceAll('\\', '/'));
  return names.filter((name) => name.endsWith('.test.js') && pattern.test(name)).sort();
}

/** By name: runs the tests of that kind on a copy of the package. What checks documents and packaging is left out. */
const kinds = {
  clusters: (folder) => runClusters(folder, ROUNDS),
  scenarios: (folder) => runTests(folder, testFiles(folder, /^testing\/golden/)),
  paper: (folder) => runTests(folder, testFiles(folder, /^testing\/paper\/(?!claims)/)),
  others: (folder) => runTests(folder, testFiles(folder, /^(?!testing\/(?:golden|paper\/|cluster\/|package\/))/)),
};

/** A copy of what was built and what the tests read, with the edits made; undefined when they are stale. */
function copyOf(edits) {
  const folder = mkdtempSync(join(tmpdir(), 'raft-mutant-'));
  const isWanted = (path) => !/\.(map|ts)$|tsbuildinfo/.test(path);
  for (const name of ['dist', 'testdata', 'package.json']) {
    cpSync(join(packageFolder, name), join(folder, name), { recursive: true, filter: isWanted });
  }
  for (const edit of edits) {
    const path = join(folder, 'dist', edit.file);
    const text = edited(readFileSync(path, 'utf8'), edit);
    if (text === undefined) {
      rmSync(folder, { recursive: true });
      return undefined;
    }
    writeFileSync(path, text);
  }
  return folder;
}

/**
 * By kind: what caught it.
 * @param {import('./mutation-table.mjs').Mutation} mutation
 */
async function check({ edits, clustersMayMiss }) {
  const folder = copyOf(edits);
  if (folder === undefined) return undefined;
  const caught = {};
  try {
    for (const [kind, run] of Object.entries(kinds)) {
      if (isFast && kind === 'clusters' && clustersMayMiss !== undefined) continue;
      const by = await run(folder);
      if (by !== undefined) caught[kind] = by;
      if (isFast && by !== undefined) break;
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return caught;
}

/** Without any mutation nothing may fail, or what is found says nothing. */
async function checkBaseline() {
  const folder = /** @type {string} */ (copyOf([]));
  for (const [kind, run] of Object.entries(kinds)) {
    const failed = await (kind === 'clusters' ? runClusters(folder, BASELINE_SEEDS) : run(folder));
    if (failed === undefined) continue;
    console.error(`raft:mutations: ${kind} fail without any mutation: ${failed}`);
    process.exit(1);
  }
  rmSync(folder, { recursive: true });
}

/** A line a mutation: seeds until a random cluster caught it, and which of the other kinds did. */
function tableOf(results) {
  const cell = (caught, kind) => {
    const by = caught[kind];
    if (by === undefined) return '-';
    const seed = /^seed (\d+)/.exec(by)?.[1];
    return seed === undefined ? 'yes' : `after ${Number(seed) + 1}`;
  };
  const names = Object.keys(kinds);
  const rows = results.map(({ name, caught }) => [name, ...names.map((kind) => cell(caught, kind))]);
  const counts = names.map((kind) => results.filter(({ caught }) => caught[kind] !== undefined).length);
  const table = [['', ...names], ...rows, ['caught by', ...counts.map(String)]];
  return table.map(
    ([name, ...cells]) =>
      name.padEnd(48) +
      cells
        .map((text) => text.padEnd(16))
        .join('')
        .trimEnd(),
  );
}

await checkBaseline();
const results = [];
const problems = [];
for (const mutation of chosen) {
  const { name, why, clustersMayMiss } = mutation;
  const caught = await check(mutation);
  console.log(`${name}\n    ${why}`);
  if (caught === undefined) {
    problems.push(`${name}: stale, what it replaces is not there exactly once`);
    continue;
  }
  results.push({ name, caught });
  for (const [kind, by] of Object.entries(caught)) console.log(`    ${kind.padEnd(9)} ${by}`);
  if (clustersMayMiss !== undefined) console.log(`    clusters may miss it: ${clustersMayMiss}`);
  if (Object.keys(caught).length === 0) problems.push(`${name}: survives`);
  else if (caught.clusters === undefined && clustersMayMiss === undefined)
    problems.push(`${name}: survives the clusters`);
}
console.log(`\n${tableOf(results).join('\n')}\n`);
for (const problem of problems) console.error(problem);
const outcome = problems.length === 0 ? 'all are caught' : `${problems.length} problems`;
console.log(`${chosen.length} mutations, ${outcome}${isFast ? ' (each only until something did)' : ''}`);
process.exit(problems.length === 0 ? 0 : 1);
