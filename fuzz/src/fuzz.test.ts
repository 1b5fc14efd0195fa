import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { attempt, Fuzzer, type FuzzOptions, type Totals } from './engine/fuzzer.ts';
import { minimize } from './engine/minimize.ts';
import { regressionsOf } from './engine/regressions.ts';
import type { Target } from './engine/target.ts';
import { plantedTarget } from './engine/testing/planted.ts';
import { targets } from './targets/index.ts';

function fuzz(target: Target, options: Partial<FuzzOptions> = {}): Promise<Totals> {
  const durationMs = Number.POSITIVE_INFINITY;
  return new Fuzzer(target, {
    seed: 1,
    runs: target.testRuns,
    durationMs,
    guided: false,
    saves: false,
    ...options,
  }).run();
}

for (const target of targets) {
  describe(target.name, { skip: target.missing?.() ?? false }, () => {
    test('inputs that once broke something break nothing', async () => {
      for (const [name, input] of regressionsOf(target.name)) {
        const outcome = await attempt(target, input);
        assert.equal(typeof outcome, 'string', `${name}: ${String(outcome)}`);
      }
    });

    test(`${target.testRuns} inputs break nothing`, async () => {
      const { inputs, outcomes, findings } = await fuzz(target);
      const shown = findings.map(({ stack, input }) => `${stack}\n${Buffer.from(input).toString('base64')}`);
      assert.deepEqual(shown, [], `again by: npm run fuzz -- --target ${target.name} --runs ${inputs} --unguided`);
      assert.ok(outcomes.size > 2, `only ${[...outcomes.keys()].join()}`);
    });
  });
}

describe('the engine', () => {
  test('the coverage leads to a mistake that chance alone would hardly find', async () => {
    const { findings, corpus } = await fuzz(plantedTarget, { guided: true });
    assert.match(findings[0]?.message ?? '', /the planted mistake/);
    assert.ok(corpus >= 3, `${corpus}`);
  });

  test('equal seeds play equal inputs, others play others', async () => {
    const target = targets.find(({ name }) => name === 'wal') as Target;
    const digests: string[] = [];
    for (const seed of [1, 1, 2]) digests.push((await fuzz(target, { runs: 300, seed, guided: true })).digest);
    assert.equal(digests[0], digests[1]);
    assert.notEqual(digests[0], digests[2]);
  });

  test('an input is made as small as it gets', async () => {
    const input = new Uint8Array(1000).fill(7);
    input[700] = 9;
    const small = await minimize(input, async (candidate) => candidate.includes(9));
    assert.deepEqual([...small], [9]);
  });

  test('memory beyond the bound is a finding', async () => {
    const hungry: Target = {
      ...plantedTarget,
      memoryBytesMax: 1_000_000,
      run: () => `${new Uint8Array(4_000_000).length}`,
    };
    assert.match(String(await attempt(hungry, new Uint8Array(1))), /more memory than 1000000/);
  });
});
