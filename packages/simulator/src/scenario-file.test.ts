import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawScenario } from './faults/draw-scenario.ts';
import { readScenarioFile, type ScenarioFile, writeScenarioFile } from './scenario-file.ts';

function fileOf(seed: number): ScenarioFile {
  const found = { seed, operations: 400, checker: 'watch', text: 'an event is missing' };
  return { why: 'a watch skips an event', found, scenario: drawScenario(seed) };
}

test('a scenario is read as it was written, with a fault a line', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const file = fileOf(seed);
    const text = writeScenarioFile(file);
    assert.deepEqual(readScenarioFile(text), file);
    assert.equal(text.match(/^ {6}\{.*"atMs":.*\},?$/gm)?.length ?? 0, file.scenario.faults.length);
  }
});

test('what an old file does not have does not happen', () => {
  const { scenario } = readScenarioFile('{ "scenario": { "seed": 7, "members": 3, "watchers": 2 } }');
  assert.deepEqual(Object.keys(scenario).sort(), Object.keys(drawScenario(7)).sort());
  assert.deepEqual([scenario.watchers, scenario.mirrors, scenario.faults], [2, 0, []]);
  for (const perMachine of ['disks', 'clockRates', 'walSegmentBytes', 'compactEveryEntries', 'flags'] as const)
    assert.equal(scenario[perMachine].length, 3, perMachine);
});

test('what is no scenario is refused', () => {
  assert.throws(() => readScenarioFile('{ "seed": 7 }'), /no scenario with a seed/);
});
