import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { featureGates, flags } from './flag-table.ts';

const spec = process.env.QUORATE_SPEC;
const table = spec === undefined ? undefined : join(spec, 'server-flags.tsv');
const isThere = table !== undefined && existsSync(table);

test(isThere
  ? 'every flag and gate of the specification is known, and no other'
  : 'flags against the specification (skipped: QUORATE_SPEC names no folder with the table)', {
  skip: !isThere,
}, () => {
  const rows = readFileSync(table as string, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t')[0] as string);
  const gates = rows
    .filter((name) => name.startsWith('feature-gates='))
    .map((name) => name.slice('feature-gates='.length));
  const names = rows.filter((name) => name !== '(none)' && !name.startsWith('feature-gates='));
  const theirs = flags.filter((flag) => !flag.ours);
  assert.deepEqual(theirs.map((flag) => flag.name).sort(), names.sort());
  assert.deepEqual(featureGates.map((gate) => gate.name).sort(), gates.sort());
});

test('names are given once, and defaults are of their flag', () => {
  assert.equal(new Set(flags.map((flag) => flag.name)).size, flags.length);
  for (const flag of flags) {
    if (flag.kind === 'bool') assert.match(flag.default, /^(?:true|false)$/, flag.name);
    if (flag.kind === 'enum') assert.ok(flag.default === '' || flag.values?.includes(flag.default), flag.name);
    if (flag.kind === 'int' || flag.kind === 'uint') assert.match(flag.default, /^-?\d+$/, flag.name);
  }
});
