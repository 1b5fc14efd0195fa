import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { ValueSplitter } from './value-splitter.ts';

function split(chunks: readonly string[], valueBytesMax = 1000): { values: string[]; brokenAt: number } {
  const splitter = new ValueSplitter(valueBytesMax);
  const values: string[] = [];
  for (const [i, chunk] of chunks.entries()) {
    const taken = splitter.take(utf8ToBytes(chunk));
    values.push(...taken.values.map(utf8FromBytes));
    if (taken.isBroken) return { values, brokenAt: i };
  }
  return { values, brokenAt: -1 };
}

test('objects come out one by one, however they arrive', () => {
  const objects = ['{}', '{"a":{"b":[1,{}]}}', '{"s":"}\\"]{\\\\"}', '{"ü":"é"}'];
  for (const between of ['', ' ', '\r\n\t']) {
    const text = between + objects.join(between) + between;
    assert.deepEqual(split([text]), { values: objects, brokenAt: -1 });
    assert.deepEqual(split([...text].map((character) => character)), { values: objects, brokenAt: -1 });
    for (let at = 0; at < text.length; at++) {
      assert.deepEqual(split([text.slice(0, at), text.slice(at)]).values, objects);
    }
  }
});

test('an object is not handed out before its last brace', () => {
  const splitter = new ValueSplitter(1000);
  assert.deepEqual(splitter.take(utf8ToBytes('{"a":"}')).values, []);
  assert.deepEqual(splitter.take(utf8ToBytes('"}')).values.map(utf8FromBytes), ['{"a":"}"}']);
});

test('something else than an object ends it, behind what was whole', () => {
  for (const other of ['x', 'null', '[', '"a"', '1', '}']) {
    assert.deepEqual(split([`{}${other}{}`]), { values: ['{}'], brokenAt: 0 }, other);
  }
});

test('an object over the limit ends it', () => {
  assert.deepEqual(split(['{"a":', '"123456789"', '}'], 10), { values: [], brokenAt: 1 });
  assert.deepEqual(split(['{"a":', '"1"', '}', '{"a":1', '}'], 10).values, ['{"a":"1"}', '{"a":1}']);
});
