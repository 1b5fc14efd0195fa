import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArguments } from 'quorate/parts';
import type { Fault } from '../scenario.ts';
import { drawScenario } from './draw-scenario.ts';

const scenarios = Array.from({ length: 300 }, (_, seed) => drawScenario(seed));

test('a scenario with a plot is plain data, its faults in the order of their times', () => {
  for (const scenario of scenarios) {
    assert.deepEqual(JSON.parse(JSON.stringify(scenario)), scenario);
    let lastMs = 0;
    for (const { atMs } of scenario.faults) {
      assert.ok(atMs >= lastMs);
      lastMs = atMs;
    }
  }
});

test('flags that a plot needs are given once, and are flags', () => {
  for (const { flags } of scenarios) {
    for (const own of flags) {
      const names = own.map((flag) => flag.slice(0, flag.indexOf('=')));
      assert.equal(new Set(names).size, names.length);
      parseArguments(own);
    }
  }
});

test('every plot is played by some', () => {
  const has = (test: (fault: Fault) => boolean) => scenarios.some(({ faults }) => faults.some(test));
  for (const after of ['.tmp.defragment', '/db', '.wal', '.snap.db']) {
    assert.ok(has((fault) => fault.kind === 'crash-at' && fault.after === after));
  }
  assert.ok(has((fault) => fault.kind === 'partition' && fault.how === 'delay'));
  assert.ok(has((fault) => fault.kind === 'isolate-leader' && (fault.deafMs ?? 0) > 0));
  for (const kind of ['compact', 'hold-leader']) assert.ok(has((fault) => fault.kind === kind));
});
