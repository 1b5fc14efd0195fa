import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFaults } from './describe-faults.ts';

test('faults are a line each, with what they need', () => {
  assert.deepEqual(
    describeFaults([
      { atMs: 12.4, kind: 'partition', machines: [0, 2], how: 'drop', forMs: 100.04 },
      { atMs: 1234.5, kind: 'compare-hashes' },
      { atMs: 2000, kind: 'replace', machine: 1, asLearner: true, isStale: false },
    ]),
    [
      '     12 ms  partition      machines 0 2, how drop, forMs 100',
      '   1235 ms  compare-hashes',
      '   2000 ms  replace        machine 1, asLearner true, isStale false',
    ],
  );
});
