// Builds the reference programs (etcd, etcdctl, etcdutl, bbolt, filecheck, h2spec) from the versions pinned in conformance/go/go.mod
// into conformance/.bin/. Names as arguments choose among all there are. A binary is fresh when it is newer than go.mod,
// go.sum and, if its sources are here, these; --force builds again.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const programs = [
  { name: 'etcd37', package: 'go.etcd.io/etcd/server/v3' },
  { name: 'etcdctl37', package: 'go.etcd.io/etcd/etcdctl/v3' },
  { name: 'etcdutl37', package: 'go.etcd.io/etcd/etcdutl/v3' },
  { name: 'bbolt', package: 'go.etcd.io/bbolt/cmd/bbolt' },
  { name: 'filecheck', package: './filecheck' },
  { name: 'h2spec', package: 'github.com/summerwind/h2spec/cmd/h2spec' },
];

/** Built when they are named, for the suite over clients and for `npm run bench:raft`. `test` marks a package's own benchmarks. */
const others = [
  { name: 'clientcheck', package: './clientcheck' },
  { name: 'raftbench', package: './raftbench' },
  { name: 'raft.test', package: 'go.etcd.io/raft/v3', test: true },
  { name: 'quorum.test', package: 'go.etcd.io/raft/v3/quorum', test: true },
];

const root = fileURLToPath(new URL('..', import.meta.url));
const moduleDir = join(root, 'go');
const binDir = join(root, '.bin');

function modifiedAt(path) {
  return statSync(path).mtimeMs;
}

function sourcesOf(program) {
  const own = program.package.startsWith('./') ? join(moduleDir, program.package) : undefined;
  const files = own === undefined ? [] : readdirSync(own).map((name) => join(own, name));
  return [join(moduleDir, 'go.mod'), join(moduleDir, 'go.sum'), ...files];
}

function isFresh(program) {
  const path = join(binDir, program.name);
  if (!existsSync(path)) return false;
  const built = modifiedAt(path);
  return sourcesOf(program).every((source) => built >= modifiedAt(source));
}

function build(program) {
  const target = join(binDir, program.name);
  // Built beside the target and renamed, so that an interrupted build never looks fresh.
  const partial = `${target}.part`;
  const command = program.test ? ['test', '-c'] : ['build'];
  const run = spawnSync('go', [...command, '-trimpath', '-o', partial, program.package], {
    cwd: moduleDir,
    stdio: 'inherit',
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false' },
  });
  if (run.status !== 0) return false;
  renameSync(partial, target);
  return true;
}

function main() {
  const force = process.argv.includes('--force');
  const names = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
  const wanted = names.length === 0 ? programs : [...programs, ...others].filter(({ name }) => names.includes(name));
  const stale = wanted.filter((program) => force || !isFresh(program));
  if (stale.length === 0) {
    console.log('conformance/.bin is fresh');
    return 0;
  }
  const version = spawnSync('go', ['version'], { encoding: 'utf8' });
  if (version.status !== 0) {
    console.error(
      `Go is missing: install Go 1.26 or later (https://go.dev/dl/) to build ${stale.map((p) => p.name).join(', ')}. ` +
        'Suites that need them are skipped until then.',
    );
    return 1;
  }
  mkdirSync(binDir, { recursive: true });
  let failed = 0;
  for (const program of stale) {
    const began = Date.now();
    if (build(program)) console.log(`built ${program.name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    else failed++;
  }
  return failed === 0 ? 0 : 1;
}

process.exitCode = main();
