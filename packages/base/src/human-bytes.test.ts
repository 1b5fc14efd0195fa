import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanBytes } from './human-bytes.ts';

for (const [bytes, text] of [
  [0, '0 B'],
  [9, '9 B'],
  [10, '10 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [20_480, '20 kB'],
  [21_500, '22 kB'],
  [24_576, '25 kB'],
  [1_054_720, '1.1 MB'],
  [2_147_483_648, '2.1 GB'],
] as const) {
  test(`${bytes} bytes are ${text}`, () => assert.equal(humanBytes(bytes), text));
}
