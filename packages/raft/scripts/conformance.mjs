// Runs every scenario file (*.txt) below a folder against the built library and prints `N passed, M failed`, with a
// diff for each case that fails. With --rewrite the files get today's answers instead.
// Usage: node scripts/conformance.mjs [--rewrite] FOLDER
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lineDiff } from '../dist/testing/line-diff.js';
import { rewriteScenarioFile, runScenarioFile } from '../dist/testing/suites.js';

const args = process.argv.slice(2);
const rewrite = args.includes('--rewrite');
const [folder] = args.filter((arg) => arg !== '--rewrite');
if (folder === undefined) {
  console.error('usage: conformance.mjs [--rewrite] FOLDER');
  process.exit(2);
}

let passed = 0;
let failed = 0;
for (const name of readdirSync(folder, { recursive: true }).sort()) {
  if (!name.endsWith('.txt')) continue;
  const path = join(folder, name);
  const text = readFileSync(path, 'utf8');
  try {
    if (rewrite) writeFileSync(path, rewriteScenarioFile(text));
    const failures = rewrite ? [] : runScenarioFile(text);
    if (failures.length === 0) {
      passed++;
      continue;
    }
    failed++;
    for (const { line, directive, expected, actual } of failures) {
      console.log(`${name}:${line}: ${directive}\n${lineDiff(expected, actual)}\n`);
    }
  } catch (error) {
    failed++;
    console.log(`${name}: ${error instanceof Error ? error.stack : error}\n`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
