import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashPoints, withoutFaults } from './crash-points.ts';
import { drawScenario } from './faults/draw-scenario.ts';
import { nodeEdge } from './node/edge.ts';
import { runScenario } from './run.ts';

/** Three members; of some 1,400 places. */
const seed = 3;
const stride = 50;

test('a crash where a member waits for its disk, or has just said something, and another in recovery', {
  timeout: 300_000,
}, async () => {
  const scenario = withoutFaults(drawScenario(seed, { operations: 40 }));
  const { steps, violations } = await runScenario(scenario, nodeEdge());
  assert.deepEqual(violations, []);
  let runs = 0;
  let crashes = 0;
  for (const one of crashPoints(scenario, steps, stride)) {
    const result = await runScenario(one, nodeEdge());
    assert.deepEqual(result.violations, [], JSON.stringify(one.faults));
    runs++;
    crashes += result.downs.get('crash') ?? 0;
  }
  const places = steps.flatMap(({ diskOperations, messages }) => [diskOperations, messages]);
  assert.equal(
    runs,
    places.map((count) => Math.ceil(count / stride)).reduce((sum, count) => sum + count),
  );
  assert.ok(crashes > 1.5 * runs, `${crashes} crashes in ${runs} runs`);
});
