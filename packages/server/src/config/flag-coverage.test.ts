import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeConfig } from './config.ts';
import { flags } from './flag-table.ts';
import { impossibleFlags } from './impossible.ts';
import { parseArguments } from './parse.ts';

/** Flags that change nothing here, and why that is right. */
const withoutConsequence: ReadonlyMap<string, string> = new Map([
  ['backend-bbolt-freelist-type', 'the form of the free list in memory is our own; on disk there is one'],
  ['socket-reuse-address', 'Node.js sets SO_REUSEADDR on every listener'],
]);

const packages = join(import.meta.dirname, '../../..');

/** All code that may read a flag, tests and the table itself left out. */
function sources(): string {
  const texts: string[] = [];
  for (const root of ['server/src', 'cli/src']) {
    for (const name of readdirSync(join(packages, root), { recursive: true }) as string[]) {
      if (!name.endsWith('.ts') || name.endsWith('.test.ts') || name.endsWith('flag-table.ts')) continue;
      texts.push(readFileSync(join(packages, root, name), 'utf8'));
    }
  }
  return texts.join('\n');
}

test('each flag works, is refused with a reason, or changes nothing with a reason: none is dropped', () => {
  const code = sources();
  const silent = flags
    .filter(({ status }) => status !== 'hidden' && status !== 'removed')
    .map(({ name }) => name)
    .filter((name) => !code.includes(`'${name}'`) && !withoutConsequence.has(name));
  assert.deepEqual(silent, []);
  for (const name of withoutConsequence.keys()) assert.ok(!code.includes(`'${name}'`), `${name} is read`);
});

test('what cannot be served is refused when it is on, and only then', () => {
  for (const [name, reason] of impossibleFlags) {
    const expected = `--${name} is not supported: ${reason}`;
    assert.throws(
      () => makeConfig(parseArguments([`--${name}`])),
      (error: Error) => error.message === expected,
    );
    makeConfig(parseArguments([`--${name}=false`]));
  }
});
