import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

// Packs the library as `npm publish` does, and uses it as somebody does who has installed it. It is built anew, in a folder
// of its own: `dist` may hold what earlier sources left behind, and others are reading it.

const folder = fileURLToPath(new URL('../../../', import.meta.url));
const root = fileURLToPath(new URL('../../../../../', import.meta.url));
const tsc = join(root, 'node_modules/typescript/bin/tsc');

let temporary: string;
let project: string;
let packed: ReadonlySet<string>;

function run(cwd: string, command: string, ...args: string[]): string {
  const isWindowsShim = process.platform === 'win32' && command === 'npm';
  const { stdout, stderr, status } = spawnSync(command, args, { cwd, encoding: 'utf8', shell: isWindowsShim });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8'));
}

before(() => {
  temporary = mkdtempSync(join(tmpdir(), 'quorate-raft-pack-'));
  const clean = join(temporary, 'clean');
  for (const name of ['package.json', 'README.md', 'LICENSE', 'examples', 'src']) {
    cpSync(join(folder, name), join(clean, name), { recursive: true });
  }
  const compilerOptions = { rootDir: 'src', outDir: 'dist', tsBuildInfoFile: 'dist/.tsbuildinfo' };
  const config = {
    extends: join(root, 'tsconfig.base.json'),
    compilerOptions,
    include: ['src'],
    exclude: ['**/*.test.ts'],
  };
  writeFileSync(join(clean, 'tsconfig.json'), JSON.stringify(config));
  run(clean, process.execPath, tsc, '-p', clean);
  const [tarball] = JSON.parse(run(clean, 'npm', 'pack', '--json', '--ignore-scripts', '--offline'));
  packed = new Set((tarball.files as { path: string }[]).map(({ path }) => path));
  project = join(temporary, 'project');
  const installed = join(project, 'node_modules/@quorate/raft');
  mkdirSync(installed, { recursive: true });
  run(clean, 'tar', '-xzf', tarball.filename, '--strip-components=1', '-C', installed);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
});

after(() => rmSync(temporary, { recursive: true }));

test('the package holds what it should and nothing else', () => {
  const others = [...packed].filter((path) => !/^(?:dist|src)\//.test(path));
  assert.deepEqual(others.sort(), [
    'LICENSE',
    'README.md',
    'examples/key-value.mjs',
    'examples/three-nodes.mjs',
    'package.json',
  ]);
  const sources = [...packed].filter((path) => path.startsWith('src/'));
  assert.ok(sources.includes('src/index.ts'));
  assert.deepEqual(
    sources.filter((path) => /\/testing\/|\.test\./.test(path)),
    [],
  );
  const built = sources.flatMap((path) => {
    const base = path.replace(/^src/, 'dist').replace(/\.ts$/, '');
    return [`${base}.js`, `${base}.js.map`, `${base}.d.ts`, `${base}.d.ts.map`];
  });
  const dist = [...packed].filter((path) => path.startsWith('dist/'));
  assert.deepEqual(dist.sort(), built.sort());
});

test('every map points to a source in the package', () => {
  for (const path of packed) {
    if (!path.endsWith('.map')) continue;
    const { sources } = readJson(join(project, 'node_modules/@quorate/raft', path)) as { sources: string[] };
    for (const source of sources) assert.ok(packed.has(posix.join(posix.dirname(path), source)), `${path}: ${source}`);
  }
});

test('licence, engines and version are those of the repository', () => {
  assert.equal(readFileSync(join(folder, 'LICENSE'), 'utf8'), readFileSync(join(root, 'LICENSE'), 'utf8'));
  const [own, whole] = [readJson(join(folder, 'package.json')), readJson(join(root, 'package.json'))];
  for (const key of ['version', 'license', 'engines', 'author', 'contributors', 'repository', 'homepage']) {
    assert.deepEqual(own[key], whole[key], key);
  }
  assert.equal(own.dependencies, undefined);
});

/** Type-checks the consumer, with `more` at its end, as a program of its own. */
function check(name: string, compilerOptions: object, more = ''): void {
  const source = readFileSync(join(folder, 'src/testing/package/consumer.ts'), 'utf8');
  writeFileSync(join(project, `${name}.ts`), source + more);
  const common = { target: 'ES2023', strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, types: [] };
  const config = { compilerOptions: { ...common, ...compilerOptions }, files: [`${name}.ts`] };
  writeFileSync(join(project, `tsconfig.${name}.json`), JSON.stringify(config));
  run(project, process.execPath, tsc, '-p', `tsconfig.${name}.json`);
}

test('its types hold under nodenext, with the language alone, and it runs', () => {
  check('nodenext', { module: 'NodeNext', lib: ['ES2023'], outDir: 'out' });
  const output = run(project, process.execPath, 'out/nodenext.js');
  assert.deepEqual(JSON.parse(output), { applied: ['', 'hi'], code: 'raft/step-local-message', lastIndex: 2 });
});

test('its types hold for bundlers, with those of the browser', () => {
  const options = { module: 'ESNext', moduleResolution: 'bundler', lib: ['ES2023', 'DOM'], noEmit: true };
  check('bundler', options, 'node.propose(Uint8Array.of(3), new AbortController().signal);\n');
});

test('the examples run with the installed package', () => {
  cpSync(join(project, 'node_modules/@quorate/raft/examples/three-nodes.mjs'), join(project, 'three-nodes.mjs'));
  assert.equal(run(project, process.execPath, 'three-nodes.mjs'), 'node 1: hello\nnode 2: hello\nnode 3: hello\n');
});
