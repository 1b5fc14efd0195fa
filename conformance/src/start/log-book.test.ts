import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addLines, differences, type Explanations, type LogBook } from './log-book.ts';

function bookOf(...entries: readonly object[]): LogBook {
  const book: LogBook = new Map();
  addLines(book, `plain text\n${entries.map((entry) => JSON.stringify(entry)).join('\n')}\n`);
  return book;
}

const none: Explanations = { ofReference: [], ofUnderTest: [], fields: [] };

test('lines and fields that only one has are differences unless they are explained', () => {
  const reference = bookOf(
    { level: 'info', ts: 1, msg: 'both', a: 1, b: 2 },
    { level: 'info', msg: 'opening /tmp/a/db' },
    { level: 'warn', msg: 'theirs' },
    { level: 'info', msg: 'became leader', logger: 'raft' },
  );
  const underTest = bookOf(
    { level: 'info', msg: 'both', b: 3, c: 4 },
    { level: 'info', msg: 'opening /tmp/b/db' },
    { level: 'info', msg: 'theirs' },
  );
  assert.deepEqual(differences(reference, underTest, none), [
    'missing: info both: a',
    'missing: warn theirs',
    'more: info theirs',
  ]);
  const explained: Explanations = {
    ofReference: [[/^warn theirs$/, '']],
    ofUnderTest: [[/^info theirs$/, '']],
    fields: [[/both/, /^a$/, '']],
  };
  assert.deepEqual(differences(reference, underTest, explained), []);
  assert.deepEqual(differences(reference, reference, none), []);
});
