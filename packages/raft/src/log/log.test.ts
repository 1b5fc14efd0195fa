import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEntry, type Entry, EntryType, emptyBytes, entrySize } from '../entry.ts';
import { RaftError } from '../errors.ts';
import { emptyConfState } from '../state.ts';
import { SeededRandom } from '../testing/cluster/seeded-random.ts';
import { MemoryStorage } from './memory-storage.ts';
import { RaftLog, TERM_COMPACTED, TERM_UNAVAILABLE } from './raft-log.ts';

const entry = (index: number, term: number, size = 0): Entry =>
  createEntry(term, index, EntryType.Normal, size === 0 ? emptyBytes : new Uint8Array(size));
const hasCode = (code: string) => (error: unknown) => error instanceof RaftError && error.code === code;

test('counts entries as protobuf does', () => {
  assert.equal(entrySize(entry(1, 1)), 4);
  assert.equal(entrySize(entry(127, 128)), 5);
  assert.equal(entrySize(entry(2 ** 35, 2 ** 28 - 1)), 1 + 6 + 1 + 4);
  assert.equal(entrySize(entry(1, 1, 127)), 4 + 2 + 127);
  assert.equal(entrySize(entry(1, 1, 128)), 4 + 3 + 128);
  assert.equal(entrySize(createEntry(1, 1, EntryType.ConfChangeV2, emptyBytes)), 6);
  assert.equal(entrySize(entry(Number.MAX_SAFE_INTEGER, 1)), 1 + 8 + 2);
});

test('memory storage agrees with a plain array under random appends and compactions', () => {
  const random = new SeededRandom(3);
  const storage = new MemoryStorage();
  let twin: Entry[] = [];
  let offset = 0;
  for (let i = 0; i < 3000; i++) {
    const last = offset + twin.length;
    if (random.chance(0.7)) {
      const from = last + 1 - random.below(Math.min(twin.length + 1, 10));
      const added = Array.from({ length: random.below(40) }, (_, n) => entry(from + n, i + 1, random.below(30)));
      storage.append(added);
      if (added.length > 0) twin = [...twin.slice(0, from - offset - 1), ...added];
    } else if (twin.length > 0) {
      const index = offset + 1 + random.below(twin.length);
      storage.compact(index);
      twin = twin.slice(index - offset);
      offset = index;
    }
    assert.equal(storage.firstIndex(), offset + 1);
    assert.equal(storage.lastIndex(), offset + twin.length);
    if (twin.length === 0) continue;
    const lo = offset + 1 + random.below(twin.length);
    const hi = lo + 1 + random.below(offset + twin.length - lo + 1);
    assert.deepEqual(storage.entries(lo, hi, Number.POSITIVE_INFINITY), twin.slice(lo - offset - 1, hi - offset - 1));
    assert.equal(storage.term(lo), twin[lo - offset - 1]?.term);
  }
});

test('memory storage names what it does not have', () => {
  const storage = new MemoryStorage();
  storage.append([1, 2, 3, 4].map((index) => entry(index, 1, 10)));
  assert.equal(storage.entries(1, 5, entrySize(entry(1, 1, 10)) * 2).length, 2);
  assert.equal(storage.entries(1, 5, 0).length, 1);
  storage.compact(2);
  assert.equal(storage.term(2), 1);
  assert.throws(() => storage.term(1), hasCode('raft/compacted'));
  assert.throws(() => storage.entries(2, 3, 100), hasCode('raft/compacted'));
  assert.throws(() => storage.compact(2), hasCode('raft/compacted'));
  assert.throws(() => storage.term(5), hasCode('raft/unavailable'));
  assert.throws(() => storage.append([entry(9, 1)]), /missing log entry \[last: 4, append at: 9\]/);
  storage.createSnapshot(3, emptyConfState, emptyBytes);
  assert.throws(() => storage.createSnapshot(3, undefined, emptyBytes), hasCode('raft/snapshot-out-of-date'));
  storage.append([entry(1, 1), entry(2, 1), entry(3, 2)]);
  assert.equal(storage.lastIndex(), 3, 'what is compacted is skipped');
});

test('a new storage takes a snapshot of index 0 for its ConfState, one with a snapshot takes newer ones only', () => {
  const storage = new MemoryStorage();
  const snapshot = (index: number, voter: bigint) => ({
    data: emptyBytes,
    metadata: { index, term: 1, confState: { ...emptyConfState, voters: [voter] } },
  });
  storage.applySnapshot(snapshot(0, 1n));
  assert.deepEqual(storage.initialState().confState.voters, [1n]);
  assert.equal(storage.firstIndex(), 1);
  storage.applySnapshot(snapshot(4, 2n));
  for (const index of [0, 3, 4]) {
    assert.throws(() => storage.applySnapshot(snapshot(index, 3n)), hasCode('raft/snapshot-out-of-date'));
  }
  assert.deepEqual(storage.initialState().confState.voters, [2n]);
});

function logWith(stored: number, unstable: number): RaftLog {
  const storage = new MemoryStorage();
  storage.append(Array.from({ length: stored }, (_, i) => entry(i + 1, 1, 10)));
  const log = new RaftLog(storage, {}, Number.POSITIVE_INFINITY);
  log.append(Array.from({ length: unstable }, (_, i) => entry(stored + i + 1, 1, 10)));
  return log;
}

test('slices over stored and unstable entries keep to the size', () => {
  const log = logWith(5, 5);
  const one = entrySize(entry(1, 1, 10));
  for (let count = 1; count <= 10; count++) {
    assert.equal(log.entriesFrom(1, one * count)?.length, count);
    assert.equal(log.entriesFrom(1, one * count + one - 1)?.length, count);
  }
  assert.equal(log.entriesFrom(1, 0)?.length, 1);
  assert.deepEqual(
    log.slice(4, 8, Number.POSITIVE_INFINITY)?.map(({ index }) => index),
    [4, 5, 6, 7],
  );
  assert.throws(() => log.slice(4, 12, 1), /slice\[4,12\) out of bound \[1,10\]/);
  assert.equal(log.term(11), TERM_UNAVAILABLE);
});

test('appends of the leader replace what conflicts, and commit no further than they reach', () => {
  const log = logWith(3, 2);
  assert.equal(log.maybeAppend(2, 5, [], 0), undefined);
  assert.equal(log.maybeAppend(1, 2, [entry(3, 1)], 5), 3);
  assert.equal(log.committed, 3, 'entries 4 and 5 may not be those of the leader');
  assert.equal(log.lastIndex(), 5);
  assert.equal(log.maybeAppend(1, 3, [entry(4, 2), entry(5, 2)], 4), 5);
  assert.equal(log.term(4), 2);
  assert.equal(log.committed, 4);
  assert.throws(
    () => log.maybeAppend(1, 3, [entry(4, 3)], 4),
    /entry 4 conflict with committed entry \[committed\(4\)\]/,
  );
  assert.throws(() => log.commitTo(9), /tocommit\(9\) is out of range \[lastIndex\(5\)\]/);
});

test('an entry of an older term is not committed by counting', () => {
  // Figure 8 of the paper: it may be on a majority and yet be overwritten.
  const log = logWith(3, 0);
  log.append([entry(4, 2), entry(5, 3)]);
  assert.equal(log.maybeCommit(3, 4), false);
  assert.equal(log.committed, 0);
  assert.equal(log.maybeCommit(3, 5), true);
  assert.equal(log.committed, 5);
});

test('arrays that were handed out do not change with the log', () => {
  const log = logWith(0, 4);
  const handed = log.unstable.nextEntries();
  log.unstable.acceptInProgress();
  log.unstable.truncateAndAppend([entry(2, 7)], 0);
  log.unstable.truncateAndAppend([entry(3, 7)], 0);
  assert.deepEqual(
    handed.map(({ term }) => term),
    [1, 1, 1, 1],
  );
  assert.equal(log.unstable.offsetInProgress, 2);
  log.unstable.stableTo(4, 1);
  log.unstable.stableTo(3, 1);
  assert.equal(log.unstable.count, 3, 'what was stored is another entry');
  log.unstable.stableTo(2, 7);
  assert.equal(log.unstable.count, 1);
  assert.equal(log.term(3), 7);
});

test('bounds outside of the unstable log are fatal, and logged', () => {
  const lines: string[] = [];
  const storage = new MemoryStorage();
  storage.append([entry(1, 1), entry(2, 1)]);
  const log = new RaftLog(storage, { fatal: (text) => lines.push(text) }, Number.POSITIVE_INFINITY);
  log.append([entry(3, 1)]);
  assert.throws(() => log.unstable.slice(4, 3), /invalid unstable\.slice 4 > 3/);
  assert.throws(() => log.unstable.slice(2, 3), /unstable\.slice\[2,3\) out of bound \[3,4\]/);
  assert.equal(lines.length, 2);
});

test('a restored snapshot hides what was before', () => {
  const log = logWith(3, 2);
  log.restore({ data: emptyBytes, metadata: { confState: emptyConfState, index: 9, term: 4 } });
  assert.equal(log.firstIndex(), 10);
  assert.equal(log.lastIndex(), 9);
  assert.equal(log.term(9), 4);
  assert.equal(log.term(4), TERM_COMPACTED);
  assert.equal(log.hasNextCommitted(true), false);
  log.unstable.stableSnapshotTo(8);
  assert.equal(log.hasPendingSnapshot(), true);
  log.unstable.stableSnapshotTo(9);
  assert.equal(log.hasPendingSnapshot(), false);
});
