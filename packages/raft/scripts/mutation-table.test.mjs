import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { edited, mutations } from './mutation-table.mjs';

// Of the mutation check only what takes no time; `npm run raft:mutations` does the rest.

test('every mutation still has its place in the built library', () => {
  const stale = mutations.flatMap(({ name, edits }) => {
    const misses = edits.filter((edit) => {
      const text = readFileSync(new URL(`../dist/${edit.file}`, import.meta.url), 'utf8');
      return edited(text, edit) === undefined;
    });
    return misses.map(({ file, from }) => `${name}: ${file} does not have exactly once: ${from}`);
  });
  assert.deepEqual(stale, []);
});

test('mutations have names of their own', () => {
  assert.equal(new Set(mutations.map(({ name }) => name)).size, mutations.length);
});
