import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { nodeEdge } from './node/edge.ts';
import { runScenario } from './run.ts';
import { readScenarioFile } from './scenario-file.ts';

const folder = new URL('../scenarios/', import.meta.url);

// What the simulator has found stays mended. Whether each scenario would still find it: `npm run sim:mutations -- --scenarios`.
for (const name of readdirSync(folder)) {
  test(`scenario ${name}`, { timeout: 60_000 }, async () => {
    const { why, scenario } = readScenarioFile(readFileSync(new URL(name, folder), 'utf8'));
    assert.notEqual(why, '', 'says what it is for');
    const { violations } = await runScenario(scenario, nodeEdge());
    assert.deepEqual(violations, []);
  });
}
