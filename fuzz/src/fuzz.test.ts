import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { attempt, Fuzzer, type FuzzOptions, type Totals } from './engine/fuzzer.ts';
import { minimize } from './engine/minimize.ts';
import { regressionsFolder, regressionsOf } from './engine/regressions.ts';
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
      assert.ok(outcomes.size > 1, `only ${[...outcomes.keys()].join()}`);
    });
  });
}

describe('the engine', () => {
  test('the coverage leads to a mistake that chance alone would hardly find', async () => {
    const { findings, corpus } = await fuzz(plantedTarget, { guided: true });
    assert.match(findings[0]?.message ?? '', /the planted mistake/);
    assert.ok(corpus >= 3, `${corpus}`);
  });

  test('equal seeds play equal inputs, others play others, each in a process of its own', () => {
    const main = fileURLToPath(new URL('./main.js', import.meta.url));
    const [first, again, other] = [1, 1, 2].map((seed) => {
      const args = [main, '--target', 'grpc', '--runs', '500', '--no-save', '--seed', String(seed)];
      const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      return /findings, ([0-9a-f]{16})\n/.exec(stdout)?.[1];
    });
    assert.ok(first !== undefined);
    assert.equal(first, again);
    assert.notEqual(first, other);
  });

  test('an input is made as small as it gets', async () => {
    const input = new Uint8Array(1000).fill(7);
    input[700] = 9;
    const small = await minimize(input, async (candidate) => candidate.includes(9));
    assert.deepEqual([...small], [9]);
  });

  test('an endless loop ends the process and leaves its input', () => {
    const watchdog = new URL('./engine/watchdog.js', import.meta.url).href;
    const script = `import(${JSON.stringify(watchdog)}).then(async ({ Watchdog }) => {
      const dog = new Watchdog('planted-hang', 8, 50);
      await dog.started();
      dog.begin(Uint8Array.of(1, 2, 3));
      for (;;);
    });`;
    const { signal, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    assert.equal(signal, 'SIGKILL');
    assert.match(stderr, /planted-hang: an input runs longer than 50 ms/);
    assert.deepEqual([...regressionsOf('planted-hang').values()], [Uint8Array.of(1, 2, 3)]);
    rmSync(join(regressionsFolder, 'planted-hang'), { recursive: true });
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
