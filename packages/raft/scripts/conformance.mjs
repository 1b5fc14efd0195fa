// Runs every scenario file in a folder and below against the built library, and prints `N passed, M failed` (files), with a
// diff for each case that fails. With --rewrite the files get today's answers instead.
// Usage: node scripts/conformance.mjs FOLDER [--rewrite]
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describeFailures, isScenarioName, rewriteScenarioFile, runScenarioFile } from '../dist/testing/suites.js';

const args = process.argv.slice(2);
const rewrite = args.includes('--rewrite');
const [folder, ...more] = args.filter((arg) => arg !== '--rewrite');
if (folder === undefined || folder.startsWith('-') || more.length > 0)
  fail('usage: raft:conformance FOLDER [--rewrite]');

/** @type {(text: string) => never} */
function fail(text) {
  console.error(text);
  process.exit(2);
}

function scenarioFiles() {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) return fail(`${folder} does not exist`);
  if (stat.isFile()) return [folder];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return paths.filter((path) => isScenarioName(relative(folder, path))).sort();
}

/** Runs or rewrites one file; a text of what differs, and how many cases there are. */
function take(path) {
  try {
    const text = readFileSync(path, 'utf8');
    const { cases, failures } = runScenarioFile(text);
    if (cases === 0) throw new Error('there is no case in it');
    if (!rewrite) return { cases, failed: failures.length, report: describeFailures(path, failures) };
    if (failures.length > 0) writeFileSync(path, rewriteScenarioFile(text));
    return { cases, failed: 0, report: failures.length > 0 ? `${path}: ${failures.length} cases rewritten` : '' };
  } catch (error) {
    return { cases: 1, failed: 1, report: `${path}: ${error instanceof Error ? error.message : error}\n` };
  }
}

const results = scenarioFiles().map(take);
if (results.length === 0) fail(`no scenario files in ${folder}`);
for (const { report } of results) if (report !== '') console.log(report);
const total = (count) => results.reduce((sum, result) => sum + count(result), 0);
const failedFiles = total(({ failed }) => (failed > 0 ? 1 : 0));
const cases = total((result) => result.cases);
const failedCases = total(({ failed }) => failed);
console.log(
  `${results.length - failedFiles} passed, ${failedFiles} failed (files; ${cases - failedCases} of ${cases} cases pass)`,
);
process.exitCode = failedFiles === 0 ? 0 : 1;
