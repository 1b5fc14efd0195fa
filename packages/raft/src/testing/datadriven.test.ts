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

  # indented comment
blank
----
----
first
----
last

----
----

subtest group
quiet
----

subtest end
`;

test('reads commands, arguments, input and both forms of output', () => {
  const { cases } = parseScenario(file);
  assert.deepEqual(
    cases.map(({ command, line, input, expected }) => ({ command, line, input, expected })),
    [
      { command: 'echo', line: 2, input: 'input a\ninput b', expected: 'out\n' },
      { command: 'blank', line: 10, input: '', expected: 'first\n----\nlast\n\n' },
      { command: 'quiet', line: 21, input: '', expected: '' },
    ],
  );
  assert.deepEqual(cases[0]?.args, [
    { key: 'one', values: undefined },
    { key: 'key', values: ['value'] },
    { key: 'list', values: ['1', '2', '3'] },
    { key: 'more', values: undefined },
  ]);
});

test('a file reads the same with CRLF, without its last newline, with blank input lines, with cases back to back', () => {
  assert.deepEqual(parseScenario(file.replaceAll('\n', '\r\n')), parseScenario(file));
  const dense = 'a\n\n  x\n\n----\n----\n1\n\n2\n----\n----\nb  \\\n c\n----\n3';
  const { cases } = parseScenario(dense);
  assert.deepEqual(
    cases.map(({ command, line, input, expected }) => ({ command, line, input, expected })),
    [
      { command: 'a', line: 1, input: 'x', expected: '1\n\n2\n' },
      { command: 'b', line: 12, input: '', expected: '3\n' },
    ],
  );
  assert.deepEqual(cases[1]?.args, [{ key: 'c', values: undefined }]);
});

test('reports what differs, and rewrites it away', () => {
  const answers: Record<string, string> = { echo: 'a\n\nb', blank: 'c', quiet: '' };
  const handle = ({ command }: { command: string }) => answers[command] ?? '';
  const { cases, failures } = runScenario(file, handle);
  assert.equal(cases, 3);
  assert.deepEqual(
    failures.map(({ line, actual }) => ({ line, actual })),
    [
      { line: 2, actual: 'a\n\nb\n' },
      { line: 10, actual: 'c\n' },
    ],
  );
  for (const text of [file, file.replaceAll('\n', '\r\n')]) {
    const rewritten = rewriteScenario(text, handle);
    assert.deepEqual(runScenario(rewritten, handle), { cases: 3, failures: [] });
    assert.equal(rewriteScenario(rewritten, handle), rewritten);
  }
});

test('a rewritten output stays apart from the case behind it', () => {
  const dense = 'a\n----\n----\n\n----\n----\nb\n----\n';
  const rewritten = rewriteScenario(dense, ({ command }) => command);
  assert.equal(rewritten, 'a\n----\na\n\nb\n----\nb\n');
});

test('what a handler throws is the answer of its case, and the next ones run', () => {
  const handle = ({ command }: { command: string }) => {
    if (command === 'echo') throw new Error('broken');
    return command;
  };
  const { failures } = runScenario(file, handle);
  assert.deepEqual(
    failures.map(({ actual }) => actual),
    ['error: broken\n', 'blank\n', 'quiet\n'],
  );
});

test('names the line of a malformed case', () => {
  assert.throws(() => parseScenario('\nbroken\n'), /line 2: no ----/);
  assert.throws(() => parseScenario('a\n----\n\n\nb\n----\n----\nnever closed\n----\n'), /line 5: .* not closed/);
  assert.throws(() => parseScenario('a k=(1,2\n----\n'), /line 1: cannot parse directive at column 5: a k=\(1,2/);
});
