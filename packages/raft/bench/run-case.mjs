// Measures one case in a process of its own, so that no case sees the heap or the compiled code of another, and prints one
// line of JSON: nanoseconds an operation as CPU time of all threads and as time on the clock, or bytes.
//   node --expose-gc run-case.mjs NAME [--time MS] [--allocations]
// To profile: node --cpu-prof run-case.mjs NAME --time 5000 (or --heap-prof).
import { parseArgs } from 'node:util';
import { cases } from './cases.mjs';

/** CPU time until the compiler has made up its mind about most of it. */
const warmUpMs = 1000;
const allocationRuns = 15;

function cpuNs() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/**
 * What a case makes; without `prepare` every run is like the first.
 * @typedef {{ operations: number, prepare?: () => void, run: () => void }} State
 */

/** Needs --expose-gc. */
const collect = () => globalThis.gc?.();

/** @param {State} state */
function warmUp({ prepare, run }) {
  const end = cpuNs() + warmUpMs * 1e6;
  while (cpuNs() < end) {
    prepare?.();
    run();
  }
}

/**
 * Runs until `budgetMs` of timed CPU time is spent, or five times as much on the clock.
 * @param {State} state
 * @param {number} budgetMs
 */
function measure({ operations, prepare, run }, budgetMs) {
  let cpu = 0;
  let clock = 0;
  let done = 0;
  const end = performance.now() + 5 * budgetMs;
  do {
    prepare?.();
    const cpuStart = cpuNs();
    const clockStart = performance.now();
    run();
    clock += performance.now() - clockStart;
    cpu += cpuNs() - cpuStart;
    done += operations;
  } while (cpu < budgetMs * 1e6 && performance.now() < end);
  return { cpuNs: cpu / done, clockNs: (clock * 1e6) / done };
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

/**
 * Growth of the heap by an operation. Not more than the new space holds may be allocated by a run.
 * @param {State} state
 */
function measureAllocations({ operations, prepare, run }) {
  const grown = [];
  for (let i = 0; i < allocationRuns; i++) {
    prepare?.();
    collect();
    const before = process.memoryUsage();
    const start = process.memoryUsage();
    run();
    const end = process.memoryUsage();
    // What the look itself takes is not the run's.
    grown.push(end.heapUsed - start.heapUsed - (start.heapUsed - before.heapUsed));
  }
  return { bytes: Math.max(0, median(grown)) / operations };
}

function liveBytes() {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function measureHeap({ count, make }) {
  make();
  const before = liveBytes();
  const made = make();
  const bytes = (liveBytes() - before) / count;
  return made.length === count ? { bytes } : undefined;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { time: { type: 'string', default: '300' }, allocations: { type: 'boolean', default: false } },
});
const chosen = cases.find(({ name }) => name === positionals[0]);

function result() {
  if (chosen?.heap !== undefined) return measureHeap(chosen.heap);
  const state = chosen?.make?.();
  if (state === undefined) throw new Error(`no such case; there are: ${cases.map(({ name }) => name).join(', ')}`);
  const budgetMs = Number(options.time);
  warmUp(state);
  return options.allocations ? measureAllocations(state) : measure(state, budgetMs);
}

console.log(JSON.stringify(result()));
