import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkOptions, flagOf, idFrom, listOf, numberFrom, optionOf, parseDirective, wordsOf } from './directive.ts';

const parse = (text: string) => parseDirective(text, 1);

test('reads every form of argument', () => {
  const { command, args } = parse('  cmd  "quoted a(b) k=v=w e= n=() l=( 1,2  3,(4, 5)) x');
  assert.equal(command, 'cmd');
  assert.deepEqual(args, [
    { key: '"quoted', values: undefined },
    { key: 'a(b)', values: undefined },
    { key: 'k', values: ['v=w'] },
    { key: 'e', values: [''] },
    { key: 'n', values: [] },
    { key: 'l', values: ['1', '2', '3', '(4, 5)'] },
    { key: 'x', values: undefined },
  ]);
  assert.throws(() => parse('cmd =x'), /column 5/);
});

test('repeated lists go on, of repeated values the last holds', () => {
  const directive = parse('cmd ids=(1,2) n=1 ids=3 n=2');
  assert.deepEqual(listOf(directive, 'ids'), ['1', '2', '3']);
  assert.equal(optionOf(directive, 'n'), '2');
  assert.equal(optionOf(directive, 'other'), undefined);
  assert.throws(() => optionOf(directive, 'ids'), /ids is no list/);
});

test('flags, numbers and ids are checked', () => {
  const directive = parse('cmd yes=true no=false also=T bad=maybe bare');
  assert.deepEqual(
    ['yes', 'no', 'also', 'missing'].map((key) => flagOf(directive, key)),
    [true, false, true, false],
  );
  assert.throws(() => flagOf(directive, 'bad'), /bad must be true or false, not maybe/);
  assert.throws(() => flagOf(directive, 'bare'), /bare needs a value/);
  assert.equal(numberFrom('9007199254740991', 'n'), Number.MAX_SAFE_INTEGER);
  for (const text of ['9007199254740992', '-1', '1.5', '', 'x', undefined]) {
    assert.throws(() => numberFrom(text, 'n'), /n must be a number/);
  }
  assert.equal(idFrom('18446744073709551615'), 0xffff_ffff_ffff_ffffn);
  assert.throws(() => idFrom('0x1'), /not a node: 0x1/);
});

test('options that a command does not have are refused, as are those without a value', () => {
  const directive = parse('cmd 1 a=1 b');
  assert.deepEqual(wordsOf(directive), ['1', 'b']);
  checkOptions(directive, ['a']);
  assert.throws(() => checkOptions(directive, []), /unknown option a/);
  assert.throws(() => checkOptions(directive, ['a', 'b']), /b needs a value/);
});
