import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeEdge } from '../node/edge.ts';
import { runScenario } from '../run.ts';
import type { Fault, Scenario } from '../scenario.ts';
import { drawScenario } from './draw-scenario.ts';

/** A quiet run of three members with these faults alone, and flags of all members. */
function quiet(seed: number, faults: readonly Fault[], flags: readonly string[]): Scenario {
  const three = (_: unknown, i: number) => i < 3;
  const { vigil, restore, ...drawn } = drawScenario(seed, { operations: 150 });
  return {
    ...drawn,
    ...{ members: 3, hasUsers: false, beginsInPeace: true, faults, thinkMs: 20, clients: 4 },
    network: { latencyMs: 0.5, jitterMs: 0.5, loss: 0, duplication: 0, reorders: false },
    disks: Array.from({ length: 3 }, () => ({ syncMs: 1, otherMs: 0.05 })),
    clockRates: [1, 1, 1],
    walSegmentBytes: [...drawn.walSegmentBytes, 65_536, 65_536].filter(three),
    compactEveryEntries: [...drawn.compactEveryEntries, 1_000, 1_000].filter(three),
    flags: Array.from({ length: 3 }, () => flags),
  };
}

async function traceOf(scenario: Scenario): Promise<string[]> {
  const lines: string[] = [];
  const { violations } = await runScenario(
    scenario,
    nodeEdge((line) => lines.push(line)),
  );
  assert.deepEqual(violations, [], `seed ${scenario.seed}`);
  return lines;
}

const count = (lines: readonly string[], what: RegExp) => lines.filter((line) => what.test(line)).length;

test('bits rot elsewhere in another run', async () => {
  const places = new Set<string>();
  for (let seed = 1; seed <= 3; seed++) {
    const lines = await traceOf(quiet(seed, [{ atMs: 300, kind: 'rot', machine: 1, bits: 1 }], []));
    for (const line of lines) if (line.includes('rot in')) places.add(line.slice(line.indexOf('rot in')));
  }
  assert.equal(places.size, 3);
});

test('a machine whose database rotted is found by a check, apart from clients until then, and replaced', async () => {
  const rotten: Fault = { atMs: 500, kind: 'rot-database', machine: 1, bits: 3, forMs: 6_000 };
  const found = { refused: 0, alarms: 0 };
  for (let seed = 1; seed <= 8; seed++) {
    const isInitial = seed > 6;
    const flags = ['--corrupt-check-time=500ms', `--feature-gates=InitialCorruptCheck=${isInitial}`];
    const lines = await traceOf(quiet(seed, [rotten], flags));
    found.refused += count(lines, /m1 down, fatal/);
    found.alarms += count(lines, /admin corrupt: /);
    const from = lines.findIndex((line) => line.includes('m1 is in doubt'));
    const to = lines.findIndex((line) => line.includes('m1 wipe'));
    assert.ok(from > 0 && to > from, `seed ${seed}: it is replaced`);
    // What was on its way still comes.
    const meanwhile = lines.slice(from, to).filter((line) => / c\d \d+ \w+ at m1: ok/.test(line));
    assert.ok(meanwhile.length <= 4, `seed ${seed}: it has answered ${meanwhile.length} clients`);
  }
  assert.ok(found.refused > 0, 'none refused to start');
  assert.ok(found.alarms > 0, 'no alarm was raised');
});

test('a machine in doubt that is to be replaced does not keep another from starting, which compares their hashes', async () => {
  const faults: Fault[] = [
    { atMs: 500, kind: 'rot-database', machine: 2, bits: 12, forMs: 6_000 },
    { atMs: 900, kind: 'crash', machine: 1, mode: 'synced', downMs: 300 },
    { atMs: 1_000, kind: 'replace', machine: 2, asLearner: false, isStale: false },
  ];
  // In these, keys or values have rotted, and no page.
  for (const seed of [16, 27, 41]) {
    const lines = await traceOf(quiet(seed, faults, ['--feature-gates=InitialCorruptCheck=true']));
    assert.equal(count(lines, /m2 wipe/), 1, `seed ${seed}`);
  }
});

test('a write that went elsewhere is noticed when the file is read again, or does not matter', async () => {
  const noticed = { log: 0, database: 0 };
  for (let seed = 1; seed <= 6; seed++) {
    const after = seed % 2 === 0 ? '.wal' : '/db';
    const misdirected: Fault = {
      ...{ atMs: 600, kind: 'misdirect', machine: 1, after, skip: 0, byBytes: seed % 2 === 0 ? -512 : 4096 },
      ...{ crashMs: 10, mode: 'process', downMs: 50, forMs: 3_000 },
    };
    const lines = await traceOf(quiet(seed, [misdirected], ['--backend-batch-interval=1ms']));
    assert.equal(count(lines, /m1 disk: misdirect/), 1);
    noticed.log += count(lines, /m1 down, fatal: CodedError: wal/);
    noticed.database += count(lines, /m1 down, fatal: CodedError: (page|checksum|invalid|a bucket)/);
    assert.equal(count(lines, /m1 wipe/), 1, `seed ${seed}: it is replaced`);
  }
  assert.ok(noticed.log > 0, 'no log was refused');
  assert.ok(noticed.database > 0, 'no database was refused');
});
