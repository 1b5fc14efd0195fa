import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSteps, splitWords } from './parse.ts';

test('words: quotes, escapes, empty words', () => {
  assert.deepEqual(splitWords(`put 'a b' "c\\n\\x41\\"" "" d${'e'}`), ['put', 'a b', 'c\nA"', '', 'de']);
  assert.throws(() => splitWords("put 'a"), /unclosed/);
});

test('steps with details, formats and groups', () => {
  const file = parseSteps(
    'x.txt',
    [
      '# comment',
      '%clients 3.7',
      '%server --max-txn-ops=3',
      '== first group',
      '$ etcdctl get foo -w {json,fields}',
      '  mask a+ => b',
      '! etcdctl txn',
      '  | value("a") = "b"',
      '  |',
      '  only 3.7',
      '& w etcdctl watch foo',
      'wait w 3',
      '> w  two  blanks',
      'end w INT',
      '%fresh --x=1',
      '',
    ].join('\n'),
  );
  assert.deepEqual(file.clients, ['3.7']);
  assert.deepEqual(file.setup, { members: 1, serverArgs: ['--max-txn-ops=3'] });
  assert.deepEqual(
    file.steps.map((step) => [step.kind, step.line, step.group]),
    [
      ['run', 5, 'first group'],
      ['run', 5, 'first group'],
      ['run', 7, 'first group'],
      ['start', 11, 'first group'],
      ['wait', 12, 'first group'],
      ['input', 13, 'first group'],
      ['end', 14, 'first group'],
      ['fresh', 15, 'first group'],
    ],
  );
  const [json, fields, txn, , , input, end] = file.steps;
  assert.ok(json?.kind === 'run' && fields?.kind === 'run' && txn?.kind === 'run');
  assert.deepEqual(json.words, ['etcdctl', 'get', 'foo', '-w', 'json']);
  assert.deepEqual(fields.words, ['etcdctl', 'get', 'foo', '-w', 'fields']);
  assert.equal('aab'.replace(json.masks[0]?.pattern ?? '', 'b'), 'bb');
  assert.deepEqual([txn.mustFail, txn.stdin, txn.only], [true, 'value("a") = "b"\n\n', '3.7']);
  assert.ok(input?.kind === 'input' && end?.kind === 'end');
  assert.equal(input.input, ' two  blanks');
  assert.equal(end.signal, 'SIGINT');
});

test('what waits for later work: a group, or the whole file', () => {
  const laterOf = (text: string) => parseSteps('x.txt', text).steps.map((step) => step.later);
  const grouped = '== one\n$ a\n== two\n%later cluster\n$ b\n$ c -w {json,table}\n== three\n$ d\n';
  assert.deepEqual(laterOf(grouped), [undefined, 'cluster', 'cluster', 'cluster', undefined]);
  const security = 'api, security and operation';
  assert.deepEqual(laterOf(`%later ${security}\n${grouped}`), [security, 'cluster', 'cluster', 'cluster', security]);
  assert.throws(() => laterOf('%later\n'), /x\.txt:1: %later needs one of: cluster/);
});

test('clusters and their members', () => {
  const lines = [
    '%cluster 3 --x=1',
    '== one',
    'kill 2',
    'until 1 leaderless',
    '$ a',
    '  retry',
    '  sort',
    '%cluster 5',
  ];
  const { setup, steps } = parseSteps('x.txt', lines.join('\n'));
  assert.deepEqual(setup, { members: 3, serverArgs: ['--x=1'] });
  const [kill, until, run, fresh] = steps;
  assert.ok(kill?.kind === 'member' && until?.kind === 'member' && run?.kind === 'run' && fresh?.kind === 'fresh');
  assert.deepEqual([kill.action, kill.member, until.action, until.member], ['kill', 2, 'leaderless', 1]);
  assert.deepEqual([run.retry, run.sort], [true, true]);
  assert.deepEqual(fresh.setup, { members: 5, serverArgs: [] });
  assert.throws(() => parseSteps('x.txt', 'kill two\n'), /"two" is no number/);
});

test('what cannot be read is named with its line', () => {
  assert.throws(() => parseSteps('x.txt', '\netcdctl get foo\n'), /x\.txt:2: cannot read/);
  assert.throws(() => parseSteps('x.txt', '$ etcdctl get foo\n  nonsense 1\n'), /x\.txt:1: unknown detail/);
});
