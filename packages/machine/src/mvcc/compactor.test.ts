import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { type Clock, latin1ToBytes, SeededRandom, silentLogger, type Timer } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { BucketId, createMemoryBackend, MetaKey } from '@quorate/storage';
import { PutCall } from './put-call.ts';
import { openStore } from './restore.ts';
import type { MvccStore } from './store.ts';

/** Real turns of the loop, but time goes on by one millisecond at each look, so that slices are short and their number is known. */
class CountingClock implements Clock {
  private readonly real = new NodeClock();
  private now = 0;
  turns = 0;
  nowMs(): number {
    return ++this.now;
  }
  wallMs(): number {
    return 0;
  }
  setTimer(_delayMs: number, callback: () => void): Timer {
    return this.real.setTimer(0, callback);
  }
  defer(callback: () => void): void {
    this.turns += 1;
    this.real.defer(callback);
  }
}

async function fill(clock: Clock, pinMsMax: number): Promise<MvccStore> {
  const backend = createMemoryBackend({ clock });
  const store = await openStore({ backend, clock, random: new SeededRandom(1), logger: silentLogger }, { pinMsMax });
  return store;
}

function put(store: MvccStore, key: string): void {
  const call = new PutCall().set(etcdserverpb.PutRequest.create({ key: latin1ToBytes(key) }));
  store.begin();
  store.put(call);
  store.end();
}

const all = etcdserverpb.RangeRequest.create({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) });

test('a key with very many revisions is compacted in slices', async () => {
  const clock = new CountingClock();
  const store = await fill(clock, 1000);
  for (let i = 0; i < 200_000; i++) put(store, 'hot');
  clock.turns = 0;
  await store.compact(150_000).physical;
  // 149,998 revisions in blocks of 512, 64 blocks between two looks at the clock, two looks a slice.
  assert.ok(clock.turns >= 2, `${clock.turns} turns`);
  let kept = 0;
  store.backend.rangeRevisions(0, 0, Number.MAX_SAFE_INTEGER, () => ++kept > 0);
  assert.equal(kept, 50_002);
  assert.equal(store.keyValueAt('hot', 149_999), undefined);
  assert.notEqual(store.keyValueAt('hot', 150_000), undefined);
});

test('a compaction waits for a reader below it, and the reader sees all of its revision', async () => {
  const store = await fill(new NodeClock(), 60_000);
  for (let i = 0; i < 100; i++) put(store, `key ${i}`);
  const reader = store.openRange(all);
  assert.ok(typeof reader !== 'string');
  assert.equal(reader.step(10), false);
  for (let i = 0; i < 100; i++) put(store, `key ${i}`);
  const { physical } = store.compact(store.currentRevision);
  assert.equal(await reader.finish(), undefined);
  assert.equal(reader.result.kvs.length, 100);
  await physical;
  assert.equal(store.openRange({ ...all, revision: 101 }), 'ErrGRPCCompacted');
});

test('a reader that is too slow fails rather than hold compaction back for ever', async () => {
  const store = await fill(new NodeClock(), 1);
  for (let i = 0; i < 100; i++) put(store, `key ${i}`);
  const reader = store.openRange(all);
  assert.ok(typeof reader !== 'string');
  reader.step(10);
  put(store, 'key 50');
  await store.compact(store.currentRevision).physical;
  assert.equal(reader.step(10), true);
  assert.equal(reader.error, 'ErrGRPCCompacted');
});

test('a reader that is closed does not hold compaction back', async () => {
  const store = await fill(new NodeClock(), 60_000);
  for (let i = 0; i < 100; i++) put(store, `key ${i}`);
  const reader = store.openRange(all);
  assert.ok(typeof reader !== 'string');
  reader.step(10);
  reader.close();
  put(store, 'key 50');
  await store.compact(store.currentRevision).physical;
});

test('a compaction cut short by the end of the process is taken up again', async () => {
  const clock = new NodeClock();
  const backend = createMemoryBackend({ clock });
  const deps = { backend, clock, random: new SeededRandom(1), logger: silentLogger };
  const store = await openStore(deps);
  for (let i = 0; i < 5000; i++) put(store, `key ${i % 7}`);
  void store.compact(4000);
  store.close();
  assert.equal(backend.get(BucketId.meta, latin1ToBytes(MetaKey.finishedCompactRevision)), undefined);
  const again = await openStore(deps);
  assert.equal(again.compactRevision, 4000);
  assert.equal(again.compact(4000).error, 'ErrGRPCCompacted');
  await again.whenCompacted();
  assert.equal(backend.get(BucketId.meta, latin1ToBytes(MetaKey.finishedCompactRevision))?.length, 17);
  let kept = 0;
  backend.rangeRevisions(0, 0, Number.MAX_SAFE_INTEGER, () => ++kept > 0);
  assert.equal(kept, 7 + 1001);
});

test('an answer in pieces is the whole one', async () => {
  const store = await fill(new NodeClock(), 1000);
  for (let i = 0; i < 100; i++) put(store, `key ${i}`);
  for (const limit of [0, 30, 100, 200]) {
    const reader = store.openRange({ ...all, limit });
    assert.ok(typeof reader !== 'string');
    let pieces = 0;
    let taken = 0;
    while (!reader.isDone) {
      reader.step(7);
      taken += reader.takeKeyValues().length;
      pieces += 1;
    }
    assert.ok(pieces > 3);
    assert.equal(taken, limit === 0 ? 100 : Math.min(limit, 100));
    assert.deepEqual([reader.result.count, reader.result.more], [100, limit === 30]);
  }
});
