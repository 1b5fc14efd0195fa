// All that CI does: types (the build of setup.mjs), lint and format, dead code, the rooms, the size report, tests.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** @param {string} name */
const bin = (name) => join(root, 'node_modules', '.bin', name);

const skipTests = process.argv.includes('--no-tests');
/** @type {[name: string, command: string, args: string[]][]} */
const steps = [
  ['types of scripts', bin('tsc'), ['--project', 'tsconfig.scripts.json']],
  ['lint and format', bin('biome'), ['ci', '--error-on-warnings', '.']],
  ['dead code', bin('knip'), ['--no-progress', '--no-config-hints']],
  ['size report', process.execPath, ['scripts/size-report.mjs']],
];
if (!skipTests) steps.push(['tests', process.execPath, ['scripts/test.mjs']]);

let failed = 0;
for (const [name, command, args] of steps) {
  console.log(`== ${name}`);
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) {
    failed++;
    console.error(`== ${name}: failed`);
  }
}
console.log(failed === 0 ? 'check: all passed' : `check: ${failed} of ${steps.length} failed`);
process.exit(failed === 0 ? 0 : 1);
