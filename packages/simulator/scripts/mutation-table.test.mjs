import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { edited, mutations } from './mutation-table.mjs';

// Of the mutation check only what takes no time; `npm run sim:mutations` does the rest.

const packages = new URL('../../', import.meta.url);

/** Modules of the build, by path. */
const modules = readdirSync(packages).flatMap((name) => {
  const folder = new URL(`${name}/dist/`, packages);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js') && !file.endsWith('.test.js'))
    .map((file) => new URL(file.replaceAll('\\', '/'), folder));
});

test('every mutation still has its place in the build', () => {
  const stale = mutations.flatMap(({ name, edits }) =>
    edits.flatMap((edit) => {
      const found = modules.filter(({ pathname }) => pathname.endsWith(`/${edit.file}`));
      const fits = found.map((module) => edited(readFileSync(module, 'utf8'), edit) !== undefined);
      return fits.length > 0 && fits.every(Boolean)
        ? []
        : [`${name}: ${edit.file} does not have exactly once: ${edit.from}`];
    }),
  );
  assert.deepEqual(stale, []);
});

test('mutations have names of their own', () => {
  assert.equal(new Set(mutations.map(({ name }) => name)).size, mutations.length);
});

test('scenarios are for mutations that there are', () => {
  const folder = new URL('../scenarios/', import.meta.url);
  for (const file of readdirSync(folder)) {
    const { mutation } = JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
    if (mutation !== undefined)
      assert.ok(
        mutations.some(({ name }) => name === mutation),
        `${file}: ${mutation}`,
      );
  }
});
