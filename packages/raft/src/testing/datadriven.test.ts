import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseScenario, rewriteScenario, runScenario } from './datadriven.ts';

const file = `# comment
echo one key=value list=(1, 2,3) \\
  more
input a
input b
----
out

blank
----
----
first

last
----
----

quiet
----
`;

test('reads commands, arguments, input and both forms of output', () => {
  const { cases } = parseScenario(file);
  assert.deepEqual(
    cases.map(({ command, line, input, expected }) => ({ command, line, input, expected })),
    [
      { command: 'echo', line: 2, input: 'input a\ninput b', expected: 'out\n' },
      { command: 'blank', line: 9, input: '', expected: 'first\n\nlast\n' },
      { command: 'quiet', line: 18, input: '', expected: '' },
    ],
  );
  assert.deepEqual(cases[0]?.args, [
    { key: 'one', values: [] },
    { key: 'key', values: ['value'] },
    { key: 'list', values: ['1', '2', '3'] },
    { key: 'more', values: [] },
  ]);
});

test('reports what differs, and rewrites it away', () => {
  const answers: Record<string, string> = { echo: 'a\n\nb', blank: 'c', quiet: '' };
  const handle = ({ command }: { command: string }) => answers[command] ?? '';
  assert.deepEqual(
    runScenario(file, handle).map(({ line, actual }) => ({ line, actual })),
    [
      { line: 2, actual: 'a\n\nb\n' },
      { line: 9, actual: 'c\n' },
    ],
  );
  const rewritten = rewriteScenario(file, handle);
  assert.deepEqual(runScenario(rewritten, handle), []);
  assert.equal(rewriteScenario(rewritten, handle), rewritten);
});

test('names the line of a malformed case', () => {
  assert.throws(() => parseScenario('\nbroken\n'), /line 2/);
});
