import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeEdge } from '../node/edge.ts';
import { runScenario } from '../run.ts';
import { drawScenario } from './draw-scenario.ts';
import { hasQuota } from './quota.ts';

const noSpace = /database space exceeded/;

test('a cluster runs out of space and gets room again, and clients go on to their end', async () => {
  const drawn = Array.from({ length: 300 }, (_, seed) => drawScenario(seed)).filter(hasQuota);
  assert.ok(drawn.length > 10 && drawn.length < 60, `${drawn.length} have a quota`);
  const counts = { refused: 0, lowered: 0 };
  for (const scenario of drawn.slice(0, 2)) {
    const lines: string[] = [];
    const run = { ...scenario, faults: [], operations: 600 };
    const { violations, history } = await runScenario(
      run,
      nodeEdge((line) => lines.push(line)),
    );
    assert.deepEqual(violations, [], `seed ${scenario.seed}`);
    assert.ok(history.operations.length >= 600);
    counts.refused += lines.filter((line) => noSpace.test(line)).length;
    counts.lowered += lines.filter((line) => /alarms lower alarm 1 .* ok/.test(line)).length;
  }
  assert.ok(counts.refused > 0, 'nobody was refused');
  assert.ok(counts.lowered > 0, 'no alarm was lowered');
});
