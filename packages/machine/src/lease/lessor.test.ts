import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexFromBytes } from '@quorate/base';
import { BucketId, createMemoryBackend } from '@quorate/storage';
import { ManualClock } from '../watch/testing/manual-clock.ts';
import { Lessor, leaseTtlSecondsMin } from './lessor.ts';

function start() {
  const backend = createMemoryBackend({ clock: new ManualClock() });
  return { backend, lessor: new Lessor({ backend }, { ttlSecondsMin: 2 }) };
}

function stored(backend: ReturnType<typeof start>['backend']): string[] {
  const pairs: string[] = [];
  backend.range(BucketId.lease, new Uint8Array(1), undefined, 100, (key, value) => {
    pairs.push(`${hexFromBytes(key)}=${hexFromBytes(value)}`);
    return true;
  });
  return pairs;
}

test('the minimum TTL is one and a half election timeouts in whole seconds', () => {
  assert.equal(leaseTtlSecondsMin(10, 100), 2);
  assert.equal(leaseTtlSecondsMin(11, 100), 2);
  assert.equal(leaseTtlSecondsMin(10, 1000), 15);
  assert.equal(leaseTtlSecondsMin(1, 1), 1);
});

// Rows 75 to 78 of the specification.
const grants = [
  { id: 1n, ttl: 0, result: { ok: true, ttlSeconds: 2 } },
  { id: 2n, ttl: -5, result: { ok: true, ttlSeconds: 2 } },
  { id: 3n, ttl: 1, result: { ok: true, ttlSeconds: 2 } },
  { id: 4n, ttl: 3, result: { ok: true, ttlSeconds: 3 } },
  { id: 7n, ttl: 60, result: { ok: false, code: 'lease/exists' } },
  { id: -5n, ttl: 60, result: { ok: true, ttlSeconds: 60 } },
  { id: 5n, ttl: 9_000_000_000, result: { ok: true, ttlSeconds: 9_000_000_000 } },
  { id: 5n, ttl: 9_000_000_001, result: { ok: false, code: 'lease/ttl-too-large' } },
  { id: 0n, ttl: 60, result: { ok: false, code: 'lease/not-found' } },
];
for (const { id, ttl, result } of grants) {
  test(`grant ${id} for ${ttl} s: ${JSON.stringify(result)}`, () => {
    const { lessor } = start();
    lessor.grant(7n, 10);
    assert.deepEqual(lessor.grant(id, ttl), result);
    assert.equal(lessor.has(id), result.ok || id === 7n);
  });
}

test('leases are stored as leasepb.Lease under their big-endian id', () => {
  const { backend, lessor } = start();
  lessor.grant(-5n, 300);
  lessor.grant(0x694d_7a1bn, 60);
  lessor.checkpoint(0x694d_7a1bn, 45);
  assert.deepEqual(stored(backend), [
    '00000000694d7a1b=089bf4b5ca0610 3c182d'.replace(' ', ''),
    'fffffffffffffffb=08fbffffffffffffffff0110ac02',
  ]);
  lessor.revoke(-5n, () => assert.fail('it has no keys'));
  assert.equal(stored(backend).length, 1);
});

test('a restart finds leases and checkpoints again', () => {
  const { backend, lessor } = start();
  lessor.grant(9n, 300);
  lessor.grant(-5n, 60);
  lessor.checkpoint(9n, 45);
  lessor.checkpoint(10n, 45);
  lessor.grant(11n, 60);
  lessor.revoke(11n, () => {});
  const again = new Lessor({ backend }, { ttlSecondsMin: 100 });
  assert.deepEqual(
    [...again.all()].map((lease) => [lease.id, lease.ttlSeconds, lease.remainingTtlSeconds]),
    [
      [9n, 300, 45],
      [-5n, 100, 0],
    ],
  );
});

test('checkpoints stay in memory where they are not to be stored', () => {
  const backend = createMemoryBackend({ clock: new ManualClock() });
  const lessor = new Lessor({ backend }, { ttlSecondsMin: 2, persistsCheckpoints: () => false });
  lessor.grant(9n, 300);
  lessor.checkpoint(9n, 45);
  assert.equal(lessor.get(9n)?.remainingTtlSeconds, 45);
  assert.equal(new Lessor({ backend }, { ttlSecondsMin: 2 }).get(9n)?.remainingTtlSeconds, 0);
});

test('a revoke deletes the keys in byte order, once, before the lease is gone', () => {
  const { lessor } = start();
  lessor.grant(1n, 60);
  lessor.grant(2n, 60);
  for (const key of ['b', 'a\xff', 'a', '\x80', 'moved', 'B']) lessor.attach(1n, key);
  // Row 83: the key hangs on the second lease when the first one ends.
  lessor.detach(1n, 'moved');
  lessor.attach(2n, 'moved');
  const deleted: (readonly string[])[] = [];
  const isRevoked = lessor.revoke(1n, (keys) => {
    deleted.push([...keys]);
    assert.equal(lessor.has(1n), true);
    for (const key of keys) lessor.detach(1n, key);
  });
  assert.equal(isRevoked, true);
  assert.deepEqual(deleted, [['B', 'a', 'a\xff', 'b', '\x80']]);
  assert.equal(lessor.has(1n), false);
  assert.deepEqual(lessor.keysOf(2n), ['moved']);
});

// Row 79.
for (const id of [0n, 12n]) {
  test(`revoke of unknown lease ${id} does nothing`, () => {
    const { lessor } = start();
    assert.equal(
      lessor.revoke(id, () => assert.fail('no keys')),
      false,
    );
  });
}

test('a leader snapshot replaces all leases', () => {
  const { lessor } = start();
  lessor.grant(1n, 60);
  const other = start();
  other.lessor.grant(2n, 70);
  lessor.restore(other.backend);
  assert.deepEqual([lessor.has(1n), lessor.has(2n), lessor.size], [false, true, 1]);
});
