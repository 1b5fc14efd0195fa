import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocate as allocateWithBuffer } from './allocate.ts';
import { encodeBase64 as encodeWithBuffer } from './base64.ts';
import * as withBuffer from './utf8.ts';

// The modules that use what Node has, loaded once more in a world without it. They import nothing else of ours.
const keptBuffer = globalThis.Buffer;
Reflect.deleteProperty(globalThis, 'Buffer');
const utf8 = (await import(`./utf8.js${'?browser'}`)) as typeof import('./utf8.ts');
const base64 = (await import(`./base64.js${'?browser'}`)) as typeof import('./base64.ts');
const memory = (await import(`./allocate.js${'?browser'}`)) as typeof import('./allocate.ts');
globalThis.Buffer = keptBuffer;

test('text is the same without Buffer', () => {
  assert.notEqual(utf8.decodeUtf8, withBuffer.decodeUtf8);
  for (const text of [
    '',
    'a',
    'é',
    'x'.repeat(60),
    'é한😀'.repeat(20),
    '\ufeffbom',
    '\ufffd',
    'a\ud800b',
    '\ud800'.repeat(30),
  ]) {
    const expected = Buffer.from(text);
    assert.equal(utf8.utf8Length(text), expected.length);
    const target = new Uint8Array(expected.length + 1);
    assert.equal(utf8.writeUtf8(text, expected.length, target, 1), expected.length + 1);
    assert.deepEqual(Buffer.from(target.subarray(1)), expected);
    assert.equal(utf8.decodeUtf8(target, 1, target.length), expected.toString());
  }
  for (const broken of [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80]]) {
    assert.equal(utf8.decodeUtf8(Uint8Array.from(broken), 0, broken.length), undefined);
    assert.ok(utf8.decodeUtf8Lossy(Uint8Array.from(broken), 0, broken.length).includes('\ufffd'));
  }
});

test('base64 is the same without Buffer', () => {
  assert.notEqual(base64.encodeBase64, encodeWithBuffer);
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length: length + 1 }, (_, i) => i * 37 + length).subarray(1);
    assert.equal(base64.encodeBase64(bytes), Buffer.from(bytes).toString('base64'));
    assert.equal(encodeWithBuffer(bytes), Buffer.from(bytes).toString('base64'));
  }
});

test('memory is given out once', () => {
  for (const allocate of [memory.allocate, allocateWithBuffer]) {
    const parts = Array.from({ length: 300 }, (_, i) => allocate(i % 7 === 0 ? 1500 : i));
    for (const [i, part] of parts.entries()) part.fill(i);
    for (const [i, part] of parts.entries()) {
      assert.equal(part.length, i % 7 === 0 ? 1500 : i);
      assert.ok(part.every((byte) => byte === (i & 255)));
    }
  }
});
