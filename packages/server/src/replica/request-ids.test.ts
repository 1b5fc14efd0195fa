import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EntryBuilder } from './entry-builder.ts';
import { RequestIds } from './request-ids.ts';

test('an id is member, time and count, and leads back to its sequence', () => {
  const ids = new RequestIds(0x1234_5678_9abc_def0n, 1_700_000_000_000);
  for (let i = 0; i < 1000; i++) {
    const sequence = ids.take();
    assert.equal(sequence, i);
    assert.equal(ids.high(sequence) >>> 16, 0xdef0);
    assert.equal(ids.sequenceOf(ids.high(sequence), ids.low(sequence)), sequence);
    assert.equal(ids.sequenceOfBytes(ids.toBytes(sequence)), sequence);
  }
  assert.equal(ids.sequenceOf(ids.high(1000), ids.low(1000)), -1, 'not given out yet');
  assert.equal(ids.sequenceOfBytes(ids.toBytes(0).subarray(1)), -1, 'cut short');
  assert.equal(new RequestIds(0x1111n, 1_700_000_000_000).sequenceOf(ids.high(1), ids.low(1)), -1, 'of another member');
});

test('a request is spliced unread between its tag and the header', () => {
  const id = 0xdef0_0000_0000_0081n;
  const entry = new EntryBuilder().build(
    4,
    Uint8Array.of(0x0a, 0x01, 0x6b),
    Number(id >> 32n),
    Number(id & 0xffff_ffffn),
  );
  const idBytes = varint(id);
  const expected = [0x22, 3, 0x0a, 0x01, 0x6b, 0xa2, 0x06, 1 + idBytes.length, 0x08, ...idBytes];
  assert.deepEqual([...entry], expected);
});

/** The same varint made of one bigint instead of two halves. */
function varint(value: bigint): number[] {
  return value < 0x80n ? [Number(value)] : [Number(value & 0x7fn) | 0x80, ...varint(value >> 7n)];
}

test('large requests get a slab of their own and small ones share', () => {
  const builder = new EntryBuilder();
  const small = builder.build(4, new Uint8Array(10), 1, 1);
  const large = builder.build(4, new Uint8Array(1 << 20).fill(7), 1, 2);
  const next = builder.build(4, new Uint8Array(10), 1, 3);
  assert.notEqual(small.buffer, large.buffer);
  assert.equal(large.length > 1 << 20, true);
  assert.equal(
    large.subarray(4, 4 + (1 << 20)).every((byte) => byte === 7),
    true,
  );
  assert.equal(next.length, small.length);
});
