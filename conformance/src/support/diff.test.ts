import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unifiedDiff } from './diff.ts';

test('equal texts have no diff', () => {
  assert.equal(unifiedDiff('a\nb\n', 'a\nb\n'), '');
});

test('changes are shown with three lines around them', () => {
  const reference = `${['1', '2', '3', '4', '5', 'old', '6', '7', '8', '9'].join('\n')}\n`;
  const underTest = reference.replace('old', 'new');
  assert.equal(
    unifiedDiff(reference, underTest),
    ['@@', ' 3', ' 4', ' 5', '-old', '+new', ' 6', ' 7', ' 8'].join('\n'),
  );
});

test('a missing newline at the end is a difference', () => {
  assert.equal(unifiedDiff('a\n', 'a'), '-a\n+a (no newline at end)');
});
