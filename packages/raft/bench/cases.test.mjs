import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cases } from './cases.mjs';

// The cases check by themselves that what they measure happens.
for (const { name, make } of cases.filter((one) => one.make !== undefined)) {
  test(`${name} runs`, () => {
    const { prepare, run } = make();
    for (let i = 0; i < 2; i++) {
      prepare?.();
      run();
    }
  });
}

test('the Go program has the same cases', () => {
  const source = readFileSync(new URL('../../../conformance/go/raftbench/cases.go', import.meta.url), 'utf8');
  const theirs = [...source.matchAll(/^\t"([\w-]+)": /gm)].map(([, name]) => name);
  const ours = cases.filter(({ goTest, heap }) => goTest === undefined && heap === undefined).map(({ name }) => name);
  assert.deepEqual(theirs, ours);
});
