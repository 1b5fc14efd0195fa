import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyChanges, type Change, changesAnything, type State, sameState } from './model.ts';

const put = (key: string, value: string, lease = '0'): Change => ({ kind: 'put', key, value, lease });

test('changes make states, revokes take the keys of their lease', () => {
  const state = applyChanges(new Map(), [put('a', '1'), put('b', '2', '9')], 5);
  const after = applyChanges(state, [{ kind: 'revoke', lease: '9' }], 6);
  assert.deepEqual([...after.keys()], ['a']);
  assert.equal(changesAnything(after, [{ kind: 'revoke', lease: '9' }]), false);
  assert.equal(changesAnything(after, [{ kind: 'delete', key: 'b' }]), false);
  assert.equal(changesAnything(after, [{ kind: 'delete', key: 'a' }]), true);
});

test('half of a group is neither the state before nor the one after', () => {
  const before: State = applyChanges(new Map(), [put('a', '1'), put('b', '1')], 2);
  const after = applyChanges(before, [put('a', '2'), put('b', '2')], undefined);
  const half = applyChanges(before, [put('a', '2')], 3);
  const whole = applyChanges(before, [put('a', '2'), put('b', '2')], 3);
  assert.equal(sameState(before, half) || sameState(after, half), false);
  assert.equal(sameState(after, whole), true);
  assert.equal(sameState(before, before), true);
});

test('an acknowledged write must be found at its revision', () => {
  const expected = applyChanges(new Map(), [put('a', '1')], 7);
  assert.equal(sameState(expected, applyChanges(new Map(), [put('a', '1')], 8)), false);
});
