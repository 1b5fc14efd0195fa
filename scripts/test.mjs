// Runs every built test file (`*.test.js`) of the workspace and the checks of the house (`scripts/*.test.mjs`).
// `npm test -- packages/raft` runs one folder; further arguments go to node --test.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Built from a source that has moved or gone since. */
function isLeftover(path) {
  const source = path.replace(/\/dist\//, '/src/').replace(/\.js$/, '.ts');
  return source !== path && path.includes('/dist/') && !existsSync(source);
}

function testFiles(folder) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...testFiles(path));
    else if (/\.test\.m?js$/.test(entry.name) && !isLeftover(path)) found.push(path);
  }
  return found;
}

const folders = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const options = process.argv.slice(2).filter((argument) => argument.startsWith('-'));
const files = (
  folders.length > 0 ? folders : ['packages', 'examples', 'bench', 'conformance', 'fuzz', 'scripts']
).flatMap((folder) => testFiles(join(root, folder)));
if (files.length === 0) {
  console.error('test: no test files found');
  process.exit(1);
}
const reporter = options.some((option) => option.startsWith('--test-reporter')) ? [] : ['--test-reporter=dot'];
const result = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...reporter, ...options, ...files], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(result.status ?? 1);
