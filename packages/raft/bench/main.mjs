// Speed of the Raft library beside that of the Go library, on this machine and in the same run:
//   npm run bench:raft [-- --case NAME]... [--rounds N] [--time MS] [--json FILE] [--no-go]
// Each case runs in processes of its own, ours and Go's by turns; the figures are medians of the rounds.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cases } from './cases.mjs';
import { prepareGo, runGoCase, runGoTest } from './go.mjs';

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '5' },
    time: { type: 'string', default: '200' },
    json: { type: 'string' },
    'no-go': { type: 'boolean', default: false },
  },
});

const runner = fileURLToPath(new URL('run-case.mjs', import.meta.url));

function runOwnCase(name, ...args) {
  // A new space larger than what a run allocates, so that nothing is collected while allocations are counted.
  const heap = args.includes('--allocations') ? ['--min-semi-space-size=64', '--max-semi-space-size=64'] : [];
  const command = ['--expose-gc', ...heap, runner, name, '--time', options.time, ...args];
  const result = spawnSync(process.execPath, command, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (result.status !== 0) throw new Error(`case ${name} failed`);
  return JSON.parse(result.stdout);
}

function medians(samples) {
  const result = {};
  for (const key of Object.keys(samples[0])) {
    result[key] = samples.map((sample) => sample[key]).sort((a, b) => a - b)[samples.length >> 1];
  }
  return result;
}

/** Which of the figures the two sides share is compared. */
function measureOf({ heap, goTest }) {
  if (heap !== undefined) return 'bytes';
  return goTest === undefined ? 'cpuNs' : 'clockNs';
}

function runCase(one, withGo) {
  const ours = [];
  const theirs = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    ours.push(runOwnCase(one.name));
    if (withGo) theirs.push(one.goTest ? runGoTest(one.goTest, options.time) : runGoCase(one.name, options.time));
  }
  const own = medians(ours);
  if (one.heap === undefined) own.bytes = runOwnCase(one.name, '--allocations').bytes;
  const go = withGo ? medians(theirs) : undefined;
  const measure = measureOf(one);
  return { name: one.name, meaning: one.meaning, measure, ours: own, go, ratio: go && go[measure] / own[measure] };
}

function showTime(ns) {
  if (ns === undefined) return '-';
  return ns < 1000 ? `${ns.toPrecision(3)} ns` : `${(ns / 1000).toPrecision(3)} µs`;
}

const showCount = (count) => (count === undefined ? '-' : Math.round(count).toLocaleString('en'));

function line(cells) {
  const [name, meaning, ...figures] = cells;
  return `${name.padEnd(16)} ${meaning.padEnd(47)} ${figures.map((figure) => figure.padStart(11)).join(' ')}`;
}

function print({ name, meaning, measure, ours, go, ratio }) {
  const timeOf = (figures) => (measure === 'bytes' ? undefined : figures?.[measure]);
  const time = timeOf(ours);
  console.log(
    line([
      ...[name, meaning, showTime(time), showCount(time && 1e9 / time), showCount(ours.bytes)],
      ...[showTime(timeOf(go)), showCount(go?.bytes), ratio === undefined ? '-' : `${ratio.toFixed(2)}x`],
    ]),
  );
}

function main() {
  const chosen = options.case.length === 0 ? cases : cases.filter(({ name }) => options.case.includes(name));
  if (chosen.length === 0) throw new Error(`no such case; there are: ${cases.map(({ name }) => name).join(', ')}`);
  const { version } = options['no-go'] ? {} : prepareGo();
  if (version === undefined) console.log('bench: without Go only our own figures are shown');
  console.log(
    `node ${process.version} · go.etcd.io/raft ${version ?? '-'} · ${cpus().length} cores · medians of ${options.rounds} rounds\n` +
      'Times are CPU time of all threads; those of the benchmarks of the Go library are on the clock. Ratio: how many times better ours is.',
  );
  console.log(line(['case', 'one operation', 'ours', 'per second', 'bytes', 'Go', 'bytes', 'ratio']));
  const rows = [];
  for (const one of chosen) {
    const row = runCase(one, version !== undefined);
    rows.push(row);
    print(row);
  }
  if (options.json === undefined) return;
  const head = { date: new Date().toISOString(), node: process.version, goLibrary: version, cores: cpus().length };
  writeFileSync(options.json, `${JSON.stringify({ ...head, rounds: Number(options.rounds), rows }, null, 2)}\n`);
}

main();
