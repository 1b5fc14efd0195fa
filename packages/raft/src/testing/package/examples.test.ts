import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../', import.meta.url));

const examples = [
  {
    file: 'examples/three-nodes.mjs',
    output: 'node 1: hello\nnode 2: hello\nnode 3: hello\n',
    globals: ['TextDecoder', 'TextEncoder'],
  },
  {
    file: 'examples/key-value.mjs',
    output: 'all are there: blue\none is down: 30\nit is back: blue, 30\n',
    globals: ['TextDecoder', 'TextEncoder', 'clearInterval', 'crypto', 'queueMicrotask', 'setInterval', 'setTimeout'],
  },
];

function run(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('all examples are run here', () => {
  const files = readdirSync(join(folder, 'examples')).map((name) => `examples/${name}`);
  assert.deepEqual(files.sort(), examples.map(({ file }) => file).sort());
});

for (const { file, output, globals } of examples) {
  test(`${file} runs`, () => assert.equal(run(file), output));

  test(`${file} runs with what browsers have`, () => {
    const flags = ['--experimental-vm-modules', '--no-warnings'];
    assert.equal(run(...flags, 'scripts/browser.mjs', file, ...globals), output);
  });

  test(`${file} stands in the README as it is`, () => {
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    assert.ok(readme.includes(`\`\`\`js\n${readFileSync(join(folder, file), 'utf8')}\`\`\`\n`), file);
  });
}
