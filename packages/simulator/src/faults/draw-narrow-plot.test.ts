import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from '../scenario.ts';
import { drawScenario } from './draw-scenario.ts';

const scenarios = Array.from({ length: 300 }, (_, seed) => drawScenario(seed));

test('every narrow plot is played by some, and has the stage for itself', () => {
  const marks: ((fault: Fault) => boolean)[] = [
    (fault) => fault.kind === 'crash-all' && fault.when === 'vote',
    (fault) => fault.kind === 'replace' && fault.when === 'snapshot',
    (fault) => fault.kind === 'disk-slow' && fault.of === '.wal',
    (fault) => fault.kind === 'cut' && fault.lateMs !== undefined,
    (fault) => fault.kind === 'replace' && fault.isAddedInVain === true,
    (fault) => fault.kind === 'replace' && fault.staleMs !== undefined,
  ];
  for (const isMark of marks) {
    const played = scenarios.filter(({ faults }) => faults.some(isMark));
    assert.ok(played.length > 0);
    for (const { members, faults } of played) {
      assert.ok(members >= 3);
      assert.equal(marks.filter((other) => faults.some(other)).length, 1);
    }
  }
});
