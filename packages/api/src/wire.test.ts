import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, type DecodeErrorCode } from './decode-error.ts';
import { referenceVarint } from './testing/reference-encoder.ts';
import { decodeUtf8, utf8Length, writeUtf8 } from './utf8.ts';
import {
  cursor,
  nestingMax,
  readBool,
  readEnum,
  readInt,
  readInt64,
  readIntSaturated,
  readLength,
  readString,
  readTag,
  readUint,
  readUint32,
  readUint64,
  skipField,
  tagLength,
  varintLength,
  varintLength64,
  writeTag,
  writeVarint,
  writeVarint64,
} from './wire.ts';

/** Around every power of two up to 2^64, and their negatives. */
const interesting: bigint[] = [];
for (let bit = 0n; bit <= 64n; bit++) {
  for (const near of [-1n, 0n, 1n]) {
    const value = (1n << bit) + near;
    if (value < 1n << 64n) interesting.push(value);
    if (value <= 1n << 63n) interesting.push(-value);
  }
}

function fails(code: DecodeErrorCode, body: () => unknown): void {
  assert.throws(body, (error) => error instanceof DecodeError && error.code === code);
}

test('bigint varints have the length and the bytes of the reference, and come back', () => {
  for (const value of interesting) {
    const expected = referenceVarint(value);
    assert.equal(varintLength64(value), expected.length, String(value));
    const target = new Uint8Array(12);
    assert.equal(writeVarint64(value, target, 1), 1 + expected.length);
    assert.deepEqual([...target.subarray(1, 1 + expected.length)], expected, String(value));
    const unsigned = readUint64(target, 1, 1 + expected.length);
    assert.equal(unsigned, BigInt.asUintN(64, value));
    assert.equal(readInt64(target, 1, 1 + expected.length), BigInt.asIntN(64, value));
    assert.equal(cursor.position, 1 + expected.length);
  }
});

test('number varints are exact as far as numbers are, and refuse the rest', () => {
  for (const value of interesting) {
    const bytes = Uint8Array.from(referenceVarint(value));
    const signed = BigInt.asIntN(64, value);
    const unsigned = BigInt.asUintN(64, value);
    const safe = (big: bigint): boolean => Number.isSafeInteger(Number(big)) && BigInt(Number(big)) === big;
    if (safe(signed)) {
      assert.equal(readInt(bytes, 0, bytes.length), Number(signed));
      const target = new Uint8Array(10);
      assert.equal(writeVarint(Number(signed), target, 0), bytes.length, String(signed));
      assert.deepEqual(target.subarray(0, bytes.length), bytes);
      assert.equal(varintLength(Number(signed)), bytes.length);
      assert.equal(readIntSaturated(bytes, 0, bytes.length), Number(signed));
    } else {
      fails('out-of-range', () => readInt(bytes, 0, bytes.length));
      const nearest = signed > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
      assert.equal(readIntSaturated(bytes, 0, bytes.length), nearest, String(signed));
      assert.equal(cursor.position, bytes.length);
    }
    if (safe(unsigned)) assert.equal(readUint(bytes, 0, bytes.length), Number(unsigned));
    else fails('out-of-range', () => readUint(bytes, 0, bytes.length));
    assert.equal(readUint32(bytes, 0, bytes.length), Number(BigInt.asUintN(32, value)));
    assert.equal(readEnum(bytes, 0, bytes.length), Number(BigInt.asIntN(32, value)));
    assert.equal(readBool(bytes, 0, bytes.length), unsigned !== 0n);
  }
});

test('a varint ends within the bytes and within 64 bits', () => {
  const readers = [
    readUint,
    readInt,
    readIntSaturated,
    readUint32,
    readEnum,
    readBool,
    readUint64,
    readInt64,
    readLength,
  ];
  for (const read of readers) {
    for (let length = 0; length < 10; length++) {
      fails('truncated', () => read(new Uint8Array(20).fill(0x80), 3, 3 + length));
    }
    fails('varint-overflow', () => read(new Uint8Array(20).fill(0x80), 0, 20));
    fails('varint-overflow', () => read(Uint8Array.of(...new Array(9).fill(0xff), 2), 0, 10));
  }
  // Longer than need be is allowed.
  assert.equal(readUint(Uint8Array.of(0x81, 0x80, 0x00), 0, 3), 1);
  assert.equal(readUint64(Uint8Array.of(0x80, 0x00), 0, 2), 0n);
});

test('a length reaches to the end at most', () => {
  const bytes = new Uint8Array(300);
  bytes.set([0xa9, 0x02]); // 297 after two bytes: one short of the end
  assert.equal(readLength(bytes, 0, 300), 297);
  fails('truncated', () => readLength(bytes, 0, 298));
  bytes.set([0xff, 0xff, 0xff, 0xff, 0x0f]);
  fails('truncated', () => readLength(bytes, 0, 300));
  bytes.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
  fails('truncated', () => readLength(bytes, 0, 300));
});

test('tags up to the largest field number', () => {
  for (const fieldNumber of [1, 15, 16, 2047, 2048, 9900, 2 ** 29 - 1]) {
    for (const wireType of [0, 1, 2, 5]) {
      const target = new Uint8Array(6);
      const end = writeTag(fieldNumber, wireType, target, 0);
      assert.equal(end, tagLength(fieldNumber));
      assert.equal(readTag(target, 0, end), fieldNumber * 8 + wireType);
    }
  }
  fails('invalid-tag', () => readTag(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x10), 0, 5));
});

test('values of every wire type are skipped', () => {
  const skip = (tag: number, ...bytes: number[]): number => skipField(Uint8Array.from(bytes), 0, bytes.length, tag);
  assert.equal(skip(8, 0x96, 0x01, 0xff), 2);
  assert.equal(skip(9, 1, 2, 3, 4, 5, 6, 7, 8, 9), 8);
  assert.equal(skip(10, 3, 1, 2, 3, 9), 4);
  assert.equal(skip(13, 1, 2, 3, 4), 4);
  assert.equal(skip(11, 0x08, 0x01, 0x1b, 0x1c, 0x0c, 0x77), 5);
  fails('truncated', () => skip(9, 1, 2, 3, 4, 5, 6, 7));
  fails('truncated', () => skip(13, 1, 2, 3));
  fails('truncated', () => skip(10, 3, 1, 2));
  fails('truncated', () => skip(11, 0x08, 0x01));
  fails('invalid-tag', () => skip(11, 0x14));
  fails('invalid-tag', () => skip(12));
  fails('invalid-tag', () => skip(14));
  fails('invalid-tag', () => skip(15));
  fails('invalid-tag', () => skip(2, 0));
  const groups = (depth: number): number[] => [...new Array(depth).fill(0x0b), ...new Array(depth + 1).fill(0x0c)];
  assert.equal(skip(11, ...groups(nestingMax - 1)), 2 * nestingMax - 1);
  fails('too-deep', () => skip(11, ...groups(nestingMax)));
});

test('strings are UTF-8 or nothing', () => {
  const texts = [
    '',
    'a',
    'é',
    'x'.repeat(24),
    'x'.repeat(25),
    'é'.repeat(30),
    '한😀'.repeat(9),
    '\ufeffbom',
    '\ufffd',
    '\0',
  ];
  for (const text of texts) {
    const expected = Buffer.from(text);
    assert.equal(utf8Length(text), expected.length);
    const target = new Uint8Array(expected.length + 2);
    assert.equal(writeUtf8(text, expected.length, target, 1), expected.length + 1);
    assert.deepEqual(Buffer.from(target.subarray(1, expected.length + 1)), expected);
    assert.equal(decodeUtf8(target, 1, expected.length + 1), text);
  }
  const broken = [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80]];
  for (const bytes of broken) {
    for (const padding of [0, 40]) {
      const text = [...new Array(padding).fill(0x61), ...bytes];
      fails('invalid-utf8', () => readString(Uint8Array.of(text.length, ...text), 0, text.length + 1));
    }
  }
});

test('a lone surrogate is written as U+FFFD', () => {
  for (const text of ['\ud800', 'a\udc00', `${'x'.repeat(40)}\ud800`, '\ud800\ud800']) {
    const length = utf8Length(text);
    assert.equal(length, Buffer.byteLength(text));
    const target = new Uint8Array(length);
    writeUtf8(text, length, target, 0);
    assert.deepEqual(Buffer.from(target), Buffer.from(text));
  }
});
