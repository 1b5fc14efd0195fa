import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawScenario } from './faults/draw-scenario.ts';
import type { Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';

/** One that has many faults. */
function bigScenario(): Scenario {
  for (let seed = 1; ; seed++) {
    const scenario = drawScenario(seed, { operations: 400 });
    if (scenario.faults.length >= 20 && scenario.watchers > 0) return scenario;
  }
}

test('a failing scenario is left with what it needs to fail', async () => {
  const scenario = bigScenario();
  const needed = [scenario.faults[3], scenario.faults[17]];
  const shrunk = await shrink(scenario, 'watch', async ({ faults, operations, watchers }) =>
    operations >= 50 && watchers > 0 && needed.every((fault) => faults.some((one) => one === fault))
      ? [{ checker: 'watch', text: 'an event is missing' }]
      : [{ checker: 'liveness', text: 'something else' }],
  );
  assert.ok(shrunk !== undefined);
  assert.deepEqual(shrunk.scenario.faults, needed);
  assert.equal(shrunk.scenario.operations, 50);
  assert.equal(shrunk.scenario.watchers, scenario.watchers);
  assert.deepEqual([shrunk.scenario.mirrors, shrunk.scenario.lockers, shrunk.scenario.leaseholders], [0, 0, 0]);
  assert.deepEqual(shrunk.violations, [{ checker: 'watch', text: 'an event is missing' }]);
});

test('fewer operations are tried again when faults are gone', async () => {
  const smaller = await shrink(bigScenario(), 'watch', async ({ faults, operations }) =>
    operations >= 400 || faults.length === 0 ? [{ checker: 'watch', text: 'an event is missing' }] : [],
  );
  assert.equal(smaller?.scenario.operations, 6);
});

test('one that does not fail again is not shrunk', async () => {
  assert.equal(await shrink(bigScenario(), 'watch', async () => []), undefined);
});
