import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextBelow, SeededRandom } from '@quorate/base';
import { createMemoryBackend } from '@quorate/storage';
import { ManualClock } from '../watch/testing/manual-clock.ts';
import { type LeaseCheckpoint, LeaseExpiry, renewal } from './lease-expiry.ts';
import { Lessor } from './lessor.ts';

interface Setup {
  /** Whether an asked-for revoke comes about at once. */
  revokes?: boolean;
  checkpoints?: boolean;
}

function start({ revokes = true, checkpoints = false }: Setup = {}) {
  const clock = new ManualClock();
  const lessor = new Lessor({ backend: createMemoryBackend({ clock }) }, { ttlSecondsMin: 2 });
  const asked: { atMs: number; ids: readonly bigint[] }[] = [];
  const saved: LeaseCheckpoint[] = [];
  const expiry = new LeaseExpiry({
    clock,
    lessor,
    revoke: (ids) => {
      asked.push({ atMs: clock.nowMs(), ids });
      if (revokes) for (const id of ids) lessor.revoke(id, () => {});
    },
    ...(checkpoints
      ? {
          checkpoint: async (list: readonly LeaseCheckpoint[]) => {
            for (const each of list) lessor.checkpoint(each.id, each.remainingTtl);
            saved.push(...list);
          },
        }
      : {}),
  });
  return { clock, lessor, expiry, asked, saved };
}

test('nothing expires and nothing renews where this member is not primary', () => {
  const { clock, lessor, expiry, asked } = start();
  lessor.grant(1n, 2);
  clock.advance(60_000);
  assert.equal(asked.length, 0);
  assert.equal(expiry.renew(1n), renewal.notPrimary);
  const lease = lessor.get(1n);
  assert.ok(lease);
  assert.equal(expiry.remainingSeconds(lease), undefined);
});

test('a lease is revoked within a scan of its expiry, never early', () => {
  const { clock, lessor, expiry, asked } = start();
  expiry.promote(1000);
  clock.advance(123);
  lessor.grant(1n, 3);
  clock.advance(2999);
  assert.equal(asked.length, 0);
  clock.advance(501);
  assert.deepEqual(
    asked.map((each) => each.ids),
    [[1n]],
  );
  assert.equal(lessor.has(1n), false);
});

test('a renewal puts the expiry off, and time to live tells how far', () => {
  const { clock, lessor, expiry, asked } = start();
  expiry.promote(0);
  lessor.grant(1n, 10);
  const lease = lessor.get(1n);
  assert.ok(lease);
  clock.advance(3500);
  assert.equal(expiry.remainingSeconds(lease), 6);
  assert.equal(expiry.renew(1n), 10);
  assert.equal(expiry.remainingSeconds(lease), 10);
  clock.advance(9999);
  assert.equal(expiry.remainingSeconds(lease), 0);
  assert.equal(asked.length, 0);
  clock.advance(1000);
  assert.equal(asked.length, 1);
  assert.equal(expiry.renew(1n), renewal.notFound);
  assert.equal(expiry.renew(99n), renewal.notFound);
});

test('a renewal of an expired lease waits for its revoke and does not revive it', async () => {
  const { clock, lessor, expiry, asked } = start({ revokes: false });
  expiry.promote(0);
  lessor.grant(1n, 2);
  clock.advance(4000);
  assert.equal(asked.length, 1);
  const lease = lessor.get(1n);
  assert.ok(lease);
  assert.equal(expiry.remainingSeconds(lease), -2);
  const answer = expiry.renew(1n);
  assert.ok(answer instanceof Promise);
  lessor.revoke(1n, () => {});
  assert.equal(await answer, renewal.notFound);
});

test('a renewal that waits is let go when leadership is lost', async () => {
  const { clock, lessor, expiry } = start({ revokes: false });
  expiry.promote(0);
  lessor.grant(1n, 2);
  clock.advance(4000);
  const answer = expiry.renew(1n);
  expiry.demote();
  assert.equal(await answer, renewal.notPrimary);
});

test('a revoke that does not come about is asked for again after the request timeout', () => {
  const { clock, lessor, expiry, asked } = start({ revokes: false });
  expiry.promote(0);
  lessor.grant(1n, 2);
  clock.advance(20_000);
  assert.deepEqual(
    asked.map((each) => each.atMs),
    [2000, 9000, 16_000],
  );
});

test('a scan asks for at most 500 revokes', () => {
  const { clock, lessor, expiry, asked } = start();
  expiry.promote(0);
  for (let i = 1n; i <= 1200n; i++) lessor.grant(i, 2);
  clock.advance(3100);
  assert.deepEqual(
    asked.map((each) => [each.atMs, each.ids.length]),
    [
      [2000, 500],
      [2500, 500],
      [3000, 200],
    ],
  );
});

test('a new primary gives each lease its full or checkpointed TTL and the extension', () => {
  const { clock, lessor, expiry } = start();
  lessor.grant(1n, 10);
  lessor.grant(2n, 1000);
  lessor.checkpoint(2n, 5);
  clock.advance(50_000);
  expiry.promote(1000);
  const seconds = () => [1n, 2n].map((id) => expiry.remainingSeconds(lessor.get(id) as never));
  assert.deepEqual(seconds(), [11, 6]);
  clock.advance(3000);
  expiry.demote();
  expiry.promote(1000);
  assert.deepEqual(seconds(), [11, 6]);
});

test('a pile of leases is spread to at most 750 a second, none of them early', () => {
  const { clock, lessor, expiry, asked } = start();
  for (let i = 1n; i <= 5000n; i++) lessor.grant(i, i % 2n === 0n ? 10 : 11);
  expiry.promote(1000);
  const expiries = [...lessor.all()].map((lease) => lease.expiryMs).sort((a, b) => a - b);
  for (let i = 750; i < expiries.length; i++) {
    assert.ok((expiries[i] as number) >= (expiries[i - 750] as number) + 1000, `lease ${i}`);
  }
  for (const lease of lessor.all()) assert.ok(lease.expiryMs >= (lease.ttlSeconds + 1) * 1000);
  assert.ok((expiries.at(-1) as number) < 19_000);
  clock.advance(20_000);
  assert.equal(
    asked.reduce((sum, each) => sum + each.ids.length, 0),
    5000,
  );
});

test('leases are listed by remaining time, equal ones in order of grant', () => {
  const { clock, lessor, expiry } = start();
  expiry.promote(0);
  for (const [id, ttl] of [
    [5n, 60],
    [3n, 10],
    [4n, 10],
    [1n, 10],
  ] as const)
    lessor.grant(id, ttl);
  assert.deepEqual(expiry.list(), [3n, 4n, 1n, 5n]);
  clock.advance(1000);
  expiry.renew(3n);
  assert.deepEqual(expiry.list(), [4n, 1n, 3n, 5n]);
});

test('long leases are checkpointed every five minutes and cleared by a renewal', async () => {
  const { clock, lessor, expiry, saved } = start({ checkpoints: true });
  expiry.promote(0);
  lessor.grant(1n, 1000);
  lessor.grant(2n, 300);
  lessor.grant(3n, 301);
  clock.advance(301_000);
  assert.deepEqual(saved.splice(0), [
    { id: 1n, remainingTtl: 700 },
    { id: 3n, remainingTtl: 1 },
  ]);
  clock.advance(299_500);
  assert.deepEqual(saved.splice(0), [{ id: 1n, remainingTtl: 400 }]);
  const answer = expiry.renew(1n);
  assert.ok(answer instanceof Promise);
  assert.equal(await answer, 1000);
  assert.deepEqual(saved.splice(0), [{ id: 1n, remainingTtl: 0 }]);
  assert.equal(expiry.renew(1n), 1000);
});

test('the heap forgets revoked leases long before their time', () => {
  const { lessor, expiry } = start();
  expiry.promote(0);
  for (let i = 1n; i <= 10_000n; i++) {
    lessor.grant(i, 1_000_000);
    lessor.revoke(i, () => {});
  }
  const heap = (expiry as unknown as { expiries: { size: number } }).expiries;
  assert.ok(heap.size < 3000, `${heap.size} entries for no lease`);
});

test('random grants, renewals, revokes and leader changes: each lease ends within a scan of its time', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed);
    const { clock, lessor, expiry } = start();
    expiry.promote(1000);
    const due = new Map<bigint, number>();
    let nextId = 1n;
    for (let step = 0; step < 400; step++) {
      const ids = [...due.keys()];
      const id = ids[nextBelow(random, Math.max(1, ids.length))];
      const dice = nextBelow(random, 10);
      const now = clock.nowMs();
      if (dice < 3) {
        const ttl = 2 + nextBelow(random, 20);
        lessor.grant(nextId, ttl);
        due.set(nextId++, now + ttl * 1000);
      } else if (dice < 6 && id !== undefined) {
        const ttl = expiry.renew(id);
        if (typeof ttl === 'number') {
          assert.ok(ttl > 0, `seed ${seed}: lease ${id} is gone too early`);
          due.set(id, Math.max(due.get(id) ?? 0, now + ttl * 1000));
        }
      } else if (dice === 6 && id !== undefined) {
        lessor.revoke(id, () => {});
        due.delete(id);
      } else if (dice === 7 && nextBelow(random, 10) === 0) {
        expiry.demote();
        clock.advance(nextBelow(random, 10_000));
        expiry.promote(1000);
        for (const each of due.keys()) {
          due.set(each, clock.nowMs() + 1000 + (lessor.get(each)?.ttlSeconds ?? Number.NaN) * 1000);
        }
      } else clock.advance(nextBelow(random, 3000));
      for (const [each, dueMs] of due) {
        if (clock.nowMs() < dueMs) assert.ok(lessor.has(each), `seed ${seed}: lease ${each} ended early`);
        else if (clock.nowMs() >= dueMs + 500) assert.ok(!lessor.has(each), `seed ${seed}: lease ${each} lives on`);
        if (!lessor.has(each)) due.delete(each);
      }
    }
  }
});
