import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Register } from './registers.ts';

test('a read sees at least what was acknowledged before it began', () => {
  const register = new Register('r');
  register.sent = 2;
  register.acknowledged = 2;
  const floor = register.floor();
  register.sent = 3;
  assert.equal(register.judge(floor, 2), undefined);
  assert.match(register.judge(floor, 1) ?? '', /stale, 2 was there/);
  assert.match(register.judge(floor, 4) ?? '', /is 4, and only 3 were written/);
});

test('what one read saw of a write nobody acknowledged, later reads see too', () => {
  const register = new Register('r');
  register.sent = 1;
  const early = register.floor();
  assert.equal(register.judge(register.floor(), 1), undefined);
  assert.match(register.judge(register.floor(), 0) ?? '', /stale/);
  // It began before the other ended.
  assert.equal(register.judge(early, 0), undefined);
});
