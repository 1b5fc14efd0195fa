import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@quorate/base';
import type { Page } from './page.ts';
import { PageCache } from './page-cache.ts';

/** The cache looks at nothing else of a page. */
const page = (id: number, size = 4096) =>
  ({ id, bytes: new Uint8Array(size), wasUsed: false, clockPlace: 0 }) as unknown as Page;

function missesOf(cache: PageCache, ids: Iterable<number>): number {
  let misses = 0;
  for (const id of ids) {
    if (cache.get(id) !== undefined) continue;
    misses++;
    cache.put(page(id));
  }
  return misses;
}

test('a few hot pages stay in a full cache', () => {
  const cache = new PageCache(100 * 4096);
  for (let id = 1000; id < 1100; id++) cache.put(page(id));
  const hot = Array.from({ length: 10_000 }, (_, i) => i % 10);
  assert.equal(missesOf(cache, hot), 10);
});

test('stays within its bytes and finds what it holds, whatever is put, asked and removed', () => {
  const random = new SeededRandom(5);
  const cache = new PageCache(64 * 4096);
  for (let step = 0; step < 20_000; step++) {
    const id = random.nextUint32() % 200;
    const kind = random.nextUint32() % 10;
    if (kind < 5) cache.put(page(id, kind === 0 ? 8192 : 4096));
    else if (kind < 9) assert.equal(cache.get(id)?.id ?? id, id);
    else cache.remove(id);
    assert.ok(cache.bytes <= 64 * 4096);
  }
  cache.clear();
  assert.equal(cache.bytes, 0);
  assert.equal(cache.get(1), undefined);
});

test('a page that would push out too much is not kept', () => {
  const cache = new PageCache(16 * 4096);
  cache.put(page(1, 4 * 4096));
  assert.equal(cache.get(1), undefined);
});
