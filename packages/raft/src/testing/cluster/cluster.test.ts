import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCluster } from './simulated-cluster.ts';

// QUORATE_SEED=N runs that seed alone; QUORATE_ROUNDS=N runs N seeds.
const only = process.env.QUORATE_SEED;
const rounds = Number(process.env.QUORATE_ROUNDS ?? 600);
const steps = Number(process.env.QUORATE_STEPS ?? 3000);

function run(seed: number): { committed: number; proposed: number } {
  const cluster = new SimulatedCluster(seed);
  try {
    for (let i = 0; i < steps; i++) cluster.step();
    cluster.heal();
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}; again with QUORATE_SEED=${seed}`, { cause: error });
  }
  return cluster.stats;
}

test('random clusters stay safe and come back to life', () => {
  let committed = 0;
  const seeds = only === undefined ? Array.from({ length: rounds }, (_, i) => i) : [Number(only)];
  for (const seed of seeds) committed += run(seed).committed;
  // Most of the time most clusters are able to work.
  assert.ok(committed > seeds.length * 25, `only ${committed} entries were committed`);
});
