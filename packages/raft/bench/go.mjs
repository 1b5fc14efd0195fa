// The Go side: the program of conformance/go/raftbench and the Go library's own benchmarks.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const conformance = fileURLToPath(new URL('../../../conformance', import.meta.url));
const testBinaries = { 'go.etcd.io/raft/v3': 'raft.test', 'go.etcd.io/raft/v3/quorum': 'quorum.test' };

function libraryVersion() {
  const pinned = readFileSync(join(conformance, 'go', 'go.mod'), 'utf8');
  return /go\.etcd\.io\/raft\/v3 (v\S+)/.exec(pinned)?.[1];
}

/** Builds what is missing. `version` is undefined when that is not possible; the reason is printed. */
export function prepareGo() {
  const names = ['raftbench', ...Object.values(testBinaries)];
  const built = spawnSync(process.execPath, [join(conformance, 'scripts', 'build-go.mjs'), ...names], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return { version: built.status === 0 ? libraryVersion() : undefined };
}

function run(program, args) {
  const result = spawnSync(join(conformance, '.bin', program), args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.stderr || result.error}`);
  return result.stdout;
}

/** The same case, by the Go library. */
export function runGoCase(name, timeMs) {
  return JSON.parse(run('raftbench', ['-time', String(timeMs), name]));
}

/** A benchmark of the Go library: time on the clock alone. */
export function runGoTest({ module, benchmark }, timeMs) {
  const pattern = benchmark
    .split('/')
    .map((part) => `^${part}$`)
    .join('/');
  const output = run(testBinaries[module], [
    ...['-test.run', '^$', '-test.bench', pattern, '-test.benchmem'],
    ...['-test.benchtime', `${timeMs}ms`],
  ]);
  const [, clockNs] = /\s([\d.]+) ns\/op/.exec(output) ?? [];
  const [, bytes] = /\s([\d.]+) B\/op/.exec(output) ?? [];
  if (clockNs === undefined || bytes === undefined) throw new Error(`${benchmark} printed no figures:\n${output}`);
  return { clockNs: Number(clockNs), bytes: Number(bytes) };
}
