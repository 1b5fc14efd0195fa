import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { concatBytes, equalBytes, nextBelow, SeededRandom } from '@quorate/base';
import { EncodedKeyValues } from './range-answer.ts';

/** Key-values of about these sizes; what is in them does not matter here. */
function keyValues(count: number, bytesMax: number): Uint8Array[] {
  const random = new SeededRandom(count + bytesMax);
  return Array.from({ length: count }, (_, i) => new Uint8Array(nextBelow(random, bytesMax + 1)).fill(i));
}

const shapes: { name: string; kvs: Uint8Array[]; chunkBytesMax: number }[] = [
  { name: 'none', kvs: [], chunkBytesMax: 0 },
  { name: 'a thousand small', kvs: keyValues(1000, 512), chunkBytesMax: 33 * 1024 },
  { name: 'empty ones', kvs: keyValues(300, 0), chunkBytesMax: 600 },
  { name: 'some that are larger than a chunk', kvs: keyValues(20, 100_000), chunkBytesMax: 133 * 1024 },
];
for (const { name, kvs, chunkBytesMax } of shapes) {
  test(`key-values of a long answer, ${name}: the bytes of the codec, in chunks that hold no more than they show`, () => {
    const encoded = new EncodedKeyValues();
    for (let start = 0; start < kvs.length; start += 256) encoded.add(kvs.slice(start, start + 256));
    const expected = etcdserverpb.RangeResponseRaw.encode({ header: undefined, kvs, more: false, count: 0 });
    assert.ok(equalBytes(concatBytes(encoded.chunks), expected));
    for (const chunk of encoded.chunks) {
      assert.equal(chunk.buffer.byteLength, chunk.length);
      assert.ok(chunk.length <= chunkBytesMax, `${chunk.length} bytes in one chunk`);
    }
  });
}
