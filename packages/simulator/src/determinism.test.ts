import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawScenario } from './faults/draw-scenario.ts';
import { nodeEdge } from './node/edge.ts';
import { runScenario } from './run.ts';

test('the same seed gives the same trace, byte for byte, and another seed another', { timeout: 300_000 }, async () => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const scenario = drawScenario(seed, { operations: 150 });
    const first = await runScenario(scenario, nodeEdge());
    const second = await runScenario(drawScenario(seed, { operations: 150 }), nodeEdge());
    assert.ok(first.traceLines > 200, `seed ${seed} has a trace of ${first.traceLines} lines`);
    assert.deepEqual(
      [second.traceHash, second.traceLines, second.events],
      [first.traceHash, first.traceLines, first.events],
      `seed ${seed}`,
    );
    hashes.add(first.traceHash);
  }
  assert.equal(hashes.size, 20);
});
