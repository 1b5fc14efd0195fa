import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes, latin1ToBytes, nextBelow, SeededRandom } from '@quorate/base';
import { KeyIndex, openEnd } from './key-index.ts';

interface Revision {
  main: number;
  sub: number;
  tombstone: boolean;
}

/** The dumb twin: every revision of every key in plain arrays. */
class Twin {
  readonly keys = new Map<string, Revision[]>();

  at(key: string, main: number): Revision | undefined {
    const found = (this.keys.get(key) ?? []).filter((revision) => revision.main <= main).at(-1);
    return found === undefined || found.tombstone ? undefined : found;
  }

  compact(atMain: number): Revision[] {
    const dropped: Revision[] = [];
    for (const [key, revisions] of this.keys) {
      const last = revisions.filter((revision) => revision.main <= atMain).at(-1);
      const kept = revisions.filter(
        (revision) =>
          revision.main > atMain ||
          (revision === last && (!revision.tombstone || revision.main === atMain)) ||
          (revision.tombstone && revision.main === atMain),
      );
      dropped.push(...revisions.filter((revision) => !kept.includes(revision)));
      if (kept.length === 0) this.keys.delete(key);
      else this.keys.set(key, kept);
    }
    return dropped;
  }
}

function randomKey(random: SeededRandom, space: number): string {
  const number = nextBelow(random, space);
  if (number % 17 === 0) return `long/${'x'.repeat(number % 300)}/${number}`;
  return number % 3 === 0 ? String.fromCharCode(number % 256, (number >> 2) % 256) : `key/${number}`;
}

function checkAll(index: KeyIndex, twin: Twin, random: SeededRandom, current: number, compacted: number): void {
  index.verify();
  const sorted = [...twin.keys.keys()].sort();
  assert.equal(index.keyCount, sorted.length);
  const scanned: string[] = [];
  index.scan(new Uint8Array(0), openEnd, (id) => {
    scanned.push(index.keyText(id));
    return true;
  });
  assert.deepEqual(scanned, sorted);
  const scannedBack: string[] = [];
  index.scanBack(new Uint8Array(0), openEnd, (id) => scannedBack.push(index.keyText(id)) > 0);
  assert.deepEqual(scannedBack.reverse(), sorted);
  for (let i = 0; i < 20; i++) {
    const start = randomKey(random, 500);
    const end = randomKey(random, 500);
    const inside = sorted.filter((key) => key >= start && key < end && twin.at(key, current) !== undefined);
    assert.equal(index.countLive(latin1ToBytes(start), latin1ToBytes(end)), inside.length);
    const from = sorted.filter((key) => key >= start);
    assert.equal(
      index.countLive(latin1ToBytes(start), openEnd),
      from.filter((key) => twin.at(key, current) !== undefined).length,
    );
    const visited: string[] = [];
    index.scan(latin1ToBytes(start), latin1ToBytes(end), (id) => {
      visited.push(index.keyText(id));
      return true;
    });
    assert.deepEqual(
      visited,
      sorted.filter((key) => key >= start && key < end),
    );
    const back: string[] = [];
    index.scanBack(latin1ToBytes(start), latin1ToBytes(end), (id) => back.push(index.keyText(id)) < visited.length);
    assert.deepEqual(back.reverse(), visited);
    const tail: string[] = [];
    index.scanBack(latin1ToBytes(start), openEnd, (id) => tail.push(index.keyText(id)) < 3);
    assert.deepEqual(tail.reverse(), from.slice(-3));
  }
  for (const key of sorted) {
    const id = index.find(latin1ToBytes(key));
    assert.notEqual(id, 0);
    const main = Math.max(compacted, 1) + nextBelow(random, current - Math.max(compacted, 1) + 1);
    const expected = twin.at(key, main);
    assert.equal(index.findAt(id, main), expected !== undefined);
    if (expected !== undefined) assert.deepEqual([index.foundMain, index.foundSub], [expected.main, expected.sub]);
    const kept: Revision[] = [];
    index.forEachRevision(id, (keptMain, sub, tombstone) => kept.push({ main: keptMain, sub, tombstone }) > 0);
    assert.deepEqual(kept.reverse(), twin.keys.get(key));
  }
}

function runRandom(seed: number, steps: number, space: number): void {
  const random = new SeededRandom(seed);
  const index = new KeyIndex(random.nextUint32());
  const twin = new Twin();
  let current = 1;
  let compacted = -1;
  for (let step = 0; step < steps; step++) {
    const kind = nextBelow(random, 1000);
    if (kind < 995) {
      current += 1;
      const changes = 1 + nextBelow(random, 3);
      const touched = new Set<string>();
      for (let sub = 0; sub < changes; sub++) {
        const key = randomKey(random, space);
        const bytes = latin1ToBytes(key);
        if (touched.has(key)) break;
        touched.add(key);
        const revisions = twin.keys.get(key) ?? [];
        const id = index.find(bytes);
        const exists = revisions.at(-1)?.tombstone === false;
        if (exists && kind % 2 === 0) {
          index.delete(id, current, sub);
          revisions.push({ main: current, sub, tombstone: true });
        } else {
          if (id === 0) index.putNew(bytes, 0, bytes.length, current, sub);
          else index.put(id, current, sub);
          revisions.push({ main: current, sub, tombstone: false });
        }
        twin.keys.set(key, revisions);
      }
    } else if (kind < 998) {
      compacted = Math.max(compacted, Math.max(1, current - nextBelow(random, 200)));
      const dropped: Revision[] = [];
      const sink = {
        drop(main: number, sub: number, tombstone: boolean) {
          dropped.push({ main, sub, tombstone });
        },
      };
      for (let from = 1; from !== 0; ) from = index.compactIds(from, 7, compacted, sink, () => {});
      while (!index.releaseDropped(3, sink));
      const order = (a: Revision, b: Revision) => a.main - b.main || a.sub - b.sub;
      assert.deepEqual(dropped.sort(order), twin.compact(compacted).sort(order));
    } else checkAll(index, twin, random, current, compacted);
  }
  checkAll(index, twin, random, current, compacted);
}

test('the index agrees with a list of all revisions under random changes', () => {
  const rounds = Number(process.env.QUORATE_ROUNDS ?? 6);
  for (let round = 0; round < rounds; round++) {
    const seed = Number(process.env.QUORATE_SEED ?? round + 1);
    try {
      runRandom(seed, 3000, [30, 500, 20000][round % 3] as number);
    } catch (error) {
      console.error(`seed ${seed}`);
      throw error;
    }
  }
});

test('keys stay ordered through growth in any order and removal of all', () => {
  for (const order of ['ascending', 'descending', 'mixed'] as const) {
    const index = new KeyIndex(1);
    const count = 30_000;
    for (let i = 0; i < count; i++) {
      const number = order === 'ascending' ? i : order === 'descending' ? count - i : (i * 7919) % count;
      const key = latin1ToBytes(String(number).padStart(8, '0'));
      index.putNew(key, 0, key.length, i + 2, 0);
    }
    index.verify();
    assert.equal(index.liveCount, count);
    let main = count + 2;
    for (let id = 1; id <= count; id++) if (id % 10 !== 0) index.delete(id, main++, 0);
    assert.equal(index.liveCount, count / 10);
    const drop = { drop() {} };
    for (let from = 1; from !== 0; ) {
      from = index.compactIds(from, 1000, main, drop, () => {});
      index.verify();
    }
    assert.equal(index.keyCount, count / 10);
    for (let id = 1; id <= count; id++) if (id % 10 === 0) index.delete(id, main++, 0);
    for (let from = 1; from !== 0; ) from = index.compactIds(from, 1000, main + 1, drop, () => {});
    index.verify();
    assert.equal(index.keyCount, 0);
  }
});

test('a key of any length, the empty one too', () => {
  const index = new KeyIndex(7);
  const lengths = [0, 1, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 1_500_000];
  const keys = lengths.map((length) => new Uint8Array(length).fill(length % 251));
  for (const [i, key] of keys.entries()) index.putNew(key, 0, key.length, i + 2, 0);
  index.verify();
  for (const key of keys) assert.equal(compareBytes(index.keyBytes(index.find(key)), key), 0);
  for (const [i, key] of keys.entries()) index.delete(index.find(key), 100 + i, 0);
  index.compactIds(1, 1000, 1000, { drop() {} }, () => {});
  assert.equal(index.keyCount, 0);
  for (const [i, key] of keys.entries()) index.putNew(key, 0, key.length, 2000 + i, 0);
  index.verify();
});

test('a key overwritten very often is found at any revision', () => {
  const index = new KeyIndex(7);
  const key = latin1ToBytes('hot');
  const id = index.putNew(key, 0, 3, 2, 0);
  for (let main = 3; main <= 200_000; main++) index.put(id, main, main % 5);
  for (let main = 2; main <= 200_000; main += 997) {
    assert.equal(index.findAt(id, main), true);
    assert.deepEqual([index.foundMain, index.foundSub], [main, main === 2 ? 0 : main % 5]);
  }
  let dropped = 0;
  index.compactIds(1, 10, 150_000, { drop: () => dropped++ }, () => {});
  while (!index.releaseDropped(10, { drop: () => dropped++ }));
  assert.equal(dropped, 149_998);
  assert.equal(index.findAt(id, 150_000), true);
  assert.equal(index.findAt(id, 149_999), false);
});

test('restored keys come into order, whatever they look like', () => {
  const random = new SeededRandom(5);
  const endings = ['', '\0', '\0\0', '\0\0\0\0\0', 'a', '\xff', 'a\0'];
  const keys = new Set<string>();
  for (let i = 0; i < 40_000; i++)
    keys.add(`/registry/${'x'.repeat(nextBelow(random, 3) * 9)}${nextBelow(random, 9000)}`);
  for (const key of [...keys].slice(0, 3000)) for (const ending of endings) keys.add(key + ending);
  for (const ending of endings) keys.add(ending);
  for (let i = 1; i < 60; i++) keys.add('z'.repeat(i)).add('\0'.repeat(i));
  const index = new KeyIndex(3);
  let main = 2;
  const live = new Set<string>();
  for (const key of keys) {
    const bytes = latin1ToBytes(key);
    index.restorePut(bytes, 0, bytes.length, main, 0, main, 1);
    main += 1;
    live.add(key);
    if (nextBelow(random, 5) > 0) continue;
    index.restoreTombstone(bytes, 0, bytes.length, main++, 0);
    live.delete(key);
    if (nextBelow(random, 2) > 0) continue;
    index.restorePut(bytes, 0, bytes.length, main, 0, main, 1);
    main += 1;
    live.add(key);
  }
  for (const _ of index.restoreOrder());
  index.verify();
  assert.equal(index.liveCount, live.size);
  const scanned: string[] = [];
  index.scan(new Uint8Array(0), openEnd, (id) => scanned.push(index.keyText(id)) > 0);
  assert.deepEqual(scanned, [...keys].sort());
});
