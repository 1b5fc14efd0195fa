import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes, latin1ToBytes, nextBelow, SeededRandom } from '@quorate/base';
import type { Ranged } from './namespace.ts';
import { type PendingRange, RangeCache } from './range-cache.ts';

const limits = { entriesMax: 1000, bytesMax: 1_000_000, maxAgeMs: 1000 };

/** An answered question for the cache, or one on its way, as a list keeps them. */
interface Kept extends Ranged {
  readonly question: string;
  readonly pending: PendingRange;
}

function isBelowEnd(key: Uint8Array, { key: only, rangeEnd }: Ranged): boolean {
  if (rangeEnd.length === 0) return compareBytes(key, only) <= 0;
  return (rangeEnd.length === 1 && rangeEnd[0] === 0) || compareBytes(key, rangeEnd) < 0;
}

function randomRange(random: SeededRandom): Ranged {
  const key = () => latin1ToBytes('abcdef'.charAt(nextBelow(random, 6)) + 'ab'.slice(nextBelow(random, 3)));
  const [a, b] = [key(), key()].sort(compareBytes) as [Uint8Array, Uint8Array];
  const ends = [new Uint8Array(0), new Uint8Array(0), Uint8Array.of(0), b];
  const rangeEnd = ends[nextBelow(random, ends.length)] as Uint8Array;
  return rangeEnd === b && compareBytes(a, b) === 0
    ? { key: a, rangeEnd: ends[0] as Uint8Array }
    : { key: a, rangeEnd };
}

for (let seed = 1; seed <= 20; seed++) {
  test(`writes drop what a list says they may have changed, seed ${seed}`, () => {
    const random = new SeededRandom(seed);
    const cache = new RangeCache(limits);
    let answered: Kept[] = [];
    let asked: Kept[] = [];
    for (let step = 0; step < 500; step++) {
      const range = randomRange(random);
      const choice = nextBelow(random, 6);
      if (choice < 3) {
        const question = `${nextBelow(random, 3)} ${range.key} ${range.rangeEnd}`;
        asked.push({ ...range, question, pending: cache.begin(question, range) });
      } else if (choice < 5 && asked.length > 0) {
        const [kept] = asked.splice(nextBelow(random, asked.length), 1) as [Kept];
        if (nextBelow(random, 5) === 0) cache.forget(kept.pending);
        else {
          cache.store(kept.pending, new Uint8Array(3), 0);
          answered = [...answered.filter(({ question }) => question !== kept.question), kept];
        }
      } else {
        const untouched = (kept: Kept) => !(isBelowEnd(kept.key, range) && isBelowEnd(range.key, kept));
        cache.invalidate(range);
        answered = answered.filter(untouched);
        // What is spoilt is stored all the same, and must not be kept.
        for (const { pending } of asked.filter((kept) => !untouched(kept))) cache.store(pending, new Uint8Array(3), 0);
        asked = asked.filter(untouched);
      }
      assert.equal(cache.size, answered.length, `step ${step}`);
    }
    for (const { question } of answered) assert.ok(cache.get(question, 0) !== undefined, question);
    cache.clear();
    for (const { pending } of asked) cache.store(pending, new Uint8Array(3), 0);
    assert.equal(cache.size, 0, 'what was on its way when all was dropped is not kept');
  });
}

test('the least recently used goes first, by number and by bytes, and the old and the large are not kept', () => {
  const cache = new RangeCache({ entriesMax: 2, bytesMax: 2000, maxAgeMs: 10 });
  const store = (question: string, size: number, nowMs = 0) =>
    cache.store(
      cache.begin(question, { key: latin1ToBytes(question), rangeEnd: new Uint8Array(0) }),
      new Uint8Array(size),
      nowMs,
    );
  store('a', 1);
  store('b', 1);
  cache.get('a', 0);
  store('c', 1);
  assert.deepEqual(
    ['a', 'b', 'c'].map((question) => cache.get(question, 0)?.length),
    [1, undefined, 1],
  );
  store('large', 126);
  assert.equal(cache.get('large', 0), undefined);
  assert.equal(cache.get('a', 11), undefined);
  assert.equal(cache.size, 1);
});
