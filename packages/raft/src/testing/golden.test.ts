import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lineDiff } from './line-diff.ts';
import { rewriteScenarioFile, runScenarioFile } from './suites.ts';

// The package's own scenarios, and those of the folder RAFT_TESTDATA. QUORATE_REWRITE=1 puts today's answers into the own.
const own = fileURLToPath(new URL('../../testdata', import.meta.url));
const foreign = process.env.RAFT_TESTDATA;

function scenarioFiles(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return names.filter((name) => name.endsWith('.txt')).sort();
}

function check(folder: string, name: string): void {
  const failures = runScenarioFile(readFileSync(join(folder, name), 'utf8'));
  const text = failures.map(
    ({ line, directive, expected, actual }) => `${name}:${line}: ${directive}\n${lineDiff(expected, actual)}`,
  );
  assert.equal(text.join('\n\n'), '');
}

for (const name of scenarioFiles(own)) {
  test(`own scenario ${name}`, () => {
    const path = join(own, name);
    if (process.env.QUORATE_REWRITE === '1') writeFileSync(path, rewriteScenarioFile(readFileSync(path, 'utf8')));
    check(own, name);
  });
}

if (foreign !== undefined && existsSync(foreign)) {
  for (const name of scenarioFiles(foreign)) test(`scenario ${name}`, () => check(foreign, name));
}
