import assert from 'node:assert/strict';
import { test } from 'node:test';
import { showAnswer } from './show-answer.ts';

const answer = (body: string, headers: Record<string, string> = {}) => ({ status: 200, headers, body });

test('ids and blanks differ by right, revisions and types of values do not', () => {
  const one = showAnswer(answer('{"header":{"cluster_id":"1", "revision":"2"}}', { Date: 'a' }));
  assert.equal(one, showAnswer(answer('{"header":{"cluster_id":"7","revision":"2"}}', { Date: 'b' })));
  assert.notEqual(one, showAnswer(answer('{"header":{"cluster_id":"1","revision":"3"}}')));
  assert.notEqual(one, showAnswer(answer('{"header":{"cluster_id":1,"revision":"2"}}')));
  assert.notEqual(one, showAnswer(answer('{"header":{"cluster_id":"1","revision":"2"}}\n')));
  assert.notEqual(one, showAnswer(answer('{"header":{"cluster_id":"1","revision":"2"}}', { Allow: 'GET' })));
});

test('keys keep their order', () => {
  assert.notEqual(showAnswer(answer('{"a":1,"b":2}')), showAnswer(answer('{"b":2,"a":1}')));
});

test('texts of errors, where only the code counts', () => {
  const options = { anyMessage: true };
  assert.equal(
    showAnswer(answer('{"code":3,"message":"a"}'), options),
    showAnswer(answer('{"code":3,"message":"b"}'), options),
  );
});
