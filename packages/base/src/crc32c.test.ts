import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from './crc32c.ts';
import { SeededRandom } from './random.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('gives the check value of the CRC catalogue', () => {
  assert.equal(crc32c(0, bytes('123456789')), 0xe306_9283);
});

test('gives the values of RFC 3720 B.4', () => {
  assert.equal(crc32c(0, new Uint8Array(32)), 0x8a91_36aa);
  assert.equal(crc32c(0, new Uint8Array(32).fill(0xff)), 0x62a8_ab43);
  assert.equal(
    crc32c(
      0,
      Uint8Array.from({ length: 32 }, (_, i) => i),
    ),
    0x46dd_794e,
  );
});

test('continues over any split of the input', () => {
  const random = new SeededRandom(7);
  const data = Uint8Array.from({ length: 1000 }, () => random.nextUint32());
  const whole = crc32c(0, data);
  for (let split = 0; split <= data.length; split += 37) {
    assert.equal(crc32c(crc32c(0, data, 0, split), data, split), whole);
  }
});
