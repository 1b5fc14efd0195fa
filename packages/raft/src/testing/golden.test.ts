import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { describeFailures, isScenarioName, rewriteScenarioFile, runScenarioFile } from './suites.ts';

// The package's own scenarios, and those of the folder RAFT_TESTDATA. QUORATE_REWRITE=1 puts today's answers into the own.
const own = fileURLToPath(new URL('../../testdata', import.meta.url));
const foreign = process.env.RAFT_TESTDATA;

function scenarioFiles(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return paths
    .map((path) => path.slice(folder.length + 1))
    .filter(isScenarioName)
    .sort();
}

/** One test a file, and one that says how many there are: none is a wrong path, not a success. */
function testFolder(what: string, folder: string): void {
  const names = scenarioFiles(folder);
  let cases = 0;
  for (const name of names) {
    test(`${what} ${name}`, () => {
      const run = runScenarioFile(readFileSync(join(folder, name), 'utf8'));
      cases += run.cases;
      assert.equal(describeFailures(name, run.failures), '');
    });
  }
  test(`${what}: all files`, (context) => {
    context.diagnostic(`${what}: ${names.length} files, ${cases} cases in ${folder}`);
    assert.ok(names.length > 0, `no scenario files in ${folder}`);
  });
}

if (process.env.QUORATE_REWRITE === '1') {
  for (const path of scenarioFiles(own).map((name) => join(own, name))) {
    writeFileSync(path, rewriteScenarioFile(readFileSync(path, 'utf8')));
  }
}
testFolder('own scenario', own);
test('every own scenario is in the table of testdata/README.md', () => {
  const readme = readFileSync(join(own, 'README.md'), 'utf8');
  const missing = scenarioFiles(own).filter((name) => !readme.includes(basename(name, '.txt')));
  assert.deepEqual(missing, []);
});
if (foreign !== undefined && existsSync(foreign)) testFolder('scenario', foreign);
