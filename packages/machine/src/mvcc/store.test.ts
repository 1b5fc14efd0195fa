import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, mvccpb } from '@quorate/api';
import { crc32c, latin1FromBytes, latin1ToBytes, nextBelow, SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createMemoryBackend, encodeRevisionKey } from '@quorate/storage';
import type { StoreEvent } from './contract.ts';
import { hashKeys } from './hash.ts';
import { PutCall } from './put-call.ts';
import { openStore } from './restore.ts';
import type { MvccStore } from './store.ts';
import { NaiveMvcc, type NaiveRecord } from './testing/naive-mvcc.ts';

const clock = new NodeClock();

class Leases {
  readonly keys = new Map<bigint, Set<string>>([
    [1n, new Set()],
    [-2n, new Set()],
  ]);
  has(lease: bigint): boolean {
    return this.keys.has(lease);
  }
  attach(lease: bigint, key: string): void {
    this.keys.get(lease)?.add(key);
  }
  detach(lease: bigint, key: string): void {
    assert.equal(this.keys.get(lease)?.delete(key), true);
  }
}

function inside(key: string, rangeEnd: string): (other: string) => boolean {
  if (rangeEnd === '') return (other) => other === key;
  if (rangeEnd === '\0') return (other) => other >= key;
  return (other) => other >= key && other < rangeEnd;
}

function encodeNaive(record: NaiveRecord): Uint8Array {
  const key = latin1ToBytes(record.key);
  if (record.tombstone) return mvccpb.KeyValue.encode(mvccpb.KeyValue.create({ key }));
  return mvccpb.KeyValue.encode(
    mvccpb.KeyValue.create({
      key,
      createRevision: record.create,
      modRevision: record.main,
      version: record.version,
      value: latin1ToBytes(record.value),
      lease: record.lease,
    }),
  );
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && latin1FromBytes(bytes);
}

/**
 * The hash by its definition, on the list of records.
 * @param forCompaction as the compaction at `revision` stores it.
 */
function naiveHash(naive: NaiveMvcc, revision: number, forCompaction = false): number {
  const state = naive.stateAt(revision);
  const keepsSome =
    state.size > 0 || (forCompaction && naive.records.some(({ main, tombstone }) => main === revision && tombstone));
  let crc = crc32c(0, latin1ToBytes('key'));
  for (const record of naive.records) {
    if (record.main > revision) break;
    if (record.main <= naive.compacted) {
      if (keepsSome && state.get(record.key) !== record) continue;
      if (record.tombstone && record.main === naive.compacted) continue;
    }
    crc = crc32c(crc, encodeRevisionKey(record.main, record.sub, record.tombstone));
    crc = crc32c(crc, encodeNaive(record));
  }
  return crc;
}

class Fixture {
  readonly random: SeededRandom;
  readonly naive = new NaiveMvcc();
  readonly backend = createMemoryBackend({ clock });
  leases = new Leases();
  store!: MvccStore;
  /** What the last ten compactions at most left: hash and compacted revision before, by revision. */
  readonly stored = new Map<number, { hash: number; compactRevision: number }>();
  readonly told: { revision: number; events: readonly StoreEvent[] }[] = [];
  private readonly call = new PutCall();

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  async open(): Promise<void> {
    this.leases = new Leases();
    this.stored.clear();
    const { backend, random, leases } = this;
    this.store = await openStore(
      { backend, clock, random, logger: silentLogger, leases },
      { compactionBatch: 7, compactionPauseMs: 0 },
    );
    this.store.setSink({ changed: (revision, events) => this.told.push({ revision, events }), compacted() {} });
  }

  key(): string {
    const { random } = this;
    return `k${'xyz'.charAt(nextBelow(random, 3))}${nextBelow(random, 40)}`;
  }

  below(bound: number): number {
    return nextBelow(this.random, bound);
  }

  /** A transaction of a few puts and deletes on store and twin. */
  write(): void {
    const { store, naive } = this;
    store.begin();
    naive.begin();
    const touched = new Set<string>();
    for (let i = this.below(4); i >= 0; i--) {
      const key = this.key();
      if (this.below(4) > 0) {
        if (touched.has(key)) continue;
        touched.add(key);
        this.put(key);
      } else this.delete(key, this.below(2) === 0 ? '' : this.key(), touched);
    }
    store.end();
    naive.end();
    assert.equal(store.currentRevision, naive.current);
  }

  private put(key: string): void {
    const before = this.naive.now().get(key);
    const value = this.below(3) === 0 ? '' : `v${this.below(5)}`;
    const lease = [0n, 0n, 1n, -2n][this.below(4)] as bigint;
    const ignoreValue = before !== undefined && this.below(5) === 0;
    const ignoreLease = before !== undefined && this.below(5) === 0;
    const request = etcdserverpb.PutRequest.create({
      key: latin1ToBytes(key),
      value: latin1ToBytes(ignoreValue ? '' : value),
      lease: ignoreLease ? 0n : lease,
      prevKv: this.below(2) === 0,
      ignoreValue,
      ignoreLease,
    });
    assert.equal(this.store.checkPut(this.call.set(request)), undefined);
    const prevKv = this.store.put(this.call.set(request));
    assert.equal(text(prevKv), request.prevKv && before !== undefined ? text(encodeNaive(before)) : undefined);
    this.naive.put(key, ignoreValue ? (before?.value ?? '') : value, ignoreLease ? (before?.lease ?? 0n) : lease);
  }

  private delete(key: string, rangeEnd: string, touched: Set<string>): void {
    const isInside = inside(key, rangeEnd);
    for (const other of touched) if (isInside(other)) return;
    const gone = this.naive.delete(isInside);
    for (const record of gone) touched.add(record.key);
    const { deleted, prevKvs } = this.store.deleteRange(latin1ToBytes(key), latin1ToBytes(rangeEnd), true);
    assert.equal(deleted, gone.length);
    assert.deepEqual(prevKvs.map(text), gone.map(encodeNaive).map(text));
  }

  range(): void {
    const { store, naive } = this;
    const low = Math.max(1, naive.compacted);
    const orZero = (value: number) => (this.below(4) === 0 ? value : 0);
    const revision = () => 1 + this.below(naive.current);
    const key = this.below(8) === 0 ? '\0' : this.key();
    const rangeEnd = ['', '\0', this.key(), `${this.key()}~`][this.below(4)] as string;
    const request = etcdserverpb.RangeRequest.create({
      key: latin1ToBytes(key),
      rangeEnd: latin1ToBytes(rangeEnd),
      limit: this.below(2) === 0 ? 0 : this.below(12) - 1,
      revision: this.below(2) === 0 ? 0 : low + this.below(naive.current - low + 1),
      sortOrder: this.below(3),
      sortTarget: this.below(5),
      keysOnly: this.below(4) === 0,
      countOnly: this.below(6) === 0,
      minModRevision: orZero(revision()),
      maxModRevision: orZero(revision()),
      minCreateRevision: orZero(revision()),
      maxCreateRevision: orZero(revision()),
    });
    const expected = naive.range(request, inside(key, rangeEnd));
    const reader = store.openRange(request);
    assert.ok(typeof reader !== 'string');
    const step = 1 + this.below(20);
    while (!reader.step(step)) if (this.below(3) === 0) this.write();
    assert.equal(reader.error, undefined);
    const { kvs, count, more } = reader.result;
    const wanted = expected.kvs.map((record) => {
      if (!request.keysOnly) return encodeNaive(record);
      return encodeNaive({ ...record, value: '', lease: request.sortTarget === 4 ? record.lease : 0n });
    });
    assert.deepEqual(kvs.map(text), wanted.map(text), JSON.stringify({ ...request, key, rangeEnd }));
    assert.deepEqual([count, more], [expected.count, expected.more]);
    const whole = store.range({ ...request, revision: 0 });
    assert.ok(typeof whole !== 'string');
    assert.equal(whole.count, naive.range({ ...request, revision: 0 }, inside(key, rangeEnd)).count);
  }

  async compact(): Promise<void> {
    const { store, naive } = this;
    const revision = Math.max(1, naive.current - this.below(30));
    if (revision <= naive.compacted) return;
    const checked = revision + this.below(naive.current - revision + 1);
    const stored = { hash: naiveHash(naive, revision, true), compactRevision: naive.compacted };
    const { error, physical } = store.compact(revision);
    assert.equal(error, undefined);
    naive.compact(revision);
    const hashed = hashKeys(store, checked);
    const expected = naiveHash(naive, checked);
    for (let i = 0; i < 3; i++) this.range();
    const during = await hashed;
    assert.ok(typeof during !== 'string');
    assert.equal(during.hash, expected);
    await physical;
    this.stored.set(revision, stored);
    await this.checkHash(checked, { hash: expected, compactRevision: revision });
    await this.checkHash(revision, stored);
  }

  /** What a compaction stored goes before what would be computed now. */
  async checkHash(revision: number, computed: { hash: number; compactRevision: number }): Promise<void> {
    const answer = await hashKeys(this.store, revision);
    const { current } = this.naive;
    const expected = this.stored.get(revision) ?? computed;
    assert.deepEqual(answer, { ...expected, hashRevision: revision, currentRevision: current });
  }

  checkRecords(): void {
    const found: string[] = [];
    this.backend.rangeRevisions(0, 0, Number.MAX_SAFE_INTEGER, (main, sub, tombstone, value) => {
      found.push(`${main}_${sub}${tombstone ? 't' : ''} ${latin1FromBytes(value)}`);
      return true;
    });
    const expected = this.naive.records.map(
      (record) => `${record.main}_${record.sub}${record.tombstone ? 't' : ''} ${latin1FromBytes(encodeNaive(record))}`,
    );
    assert.deepEqual(found, expected);
  }

  checkAll(): void {
    const { store, naive } = this;
    store.index.verify();
    assert.equal(store.currentRevision, naive.current);
    assert.equal(store.compactRevision, naive.compacted);
    const now = naive.now();
    assert.equal(store.keyCount, now.size);
    for (const [lease, keys] of this.leases.keys) {
      const expected = [...now.values()].filter((record) => record.lease === lease).map((record) => record.key);
      assert.deepEqual([...keys].sort(), expected);
    }
    const revision = Math.max(1, naive.compacted, naive.current - this.below(20));
    const state = naive.stateAt(revision);
    for (let i = 0; i < 10; i++) {
      const key = this.key();
      const record = state.get(key);
      assert.equal(text(store.keyValueAt(key, revision)), record && text(encodeNaive(record)));
    }
    const changes: string[] = [];
    store.readChanges(revision, naive.current, (main, event) => {
      changes.push(`${main} ${event.type} ${event.key} ${event.isCreate}`);
      return true;
    });
    const expected = naive.records
      .filter((record) => record.main >= revision)
      .map((record) => `${record.main} ${record.tombstone ? 1 : 0} ${record.key} ${record.version === 1}`);
    assert.deepEqual(changes, expected);
  }

  checkTold(): void {
    let previous = 0;
    for (const { revision, events } of this.told) {
      assert.ok(revision > previous && events.length > 0);
      previous = revision;
      for (const event of events) {
        const keyValue = mvccpb.KeyValue.decode(event.keyValue);
        assert.equal(latin1FromBytes(keyValue.key), event.key);
        assert.equal(keyValue.modRevision, revision);
        assert.equal(event.isCreate, event.type === 0 && keyValue.createRevision === revision);
      }
    }
  }
}

test('the store agrees with a list of all records under random use, compaction and restart', async () => {
  const rounds = Number(process.env.QUORATE_ROUNDS ?? 5);
  for (let round = 0; round < rounds; round++) {
    const seed = Number(process.env.QUORATE_SEED ?? round + 1);
    try {
      const fixture = new Fixture(seed);
      await fixture.open();
      for (let step = 0; step < 400; step++) {
        const kind = fixture.below(100);
        if (kind < 55) fixture.write();
        else if (kind < 90) fixture.range();
        else if (kind < 94) await fixture.compact();
        else if (kind < 97) {
          await fixture.store.whenCompacted();
          fixture.checkRecords();
          fixture.store.close();
          await fixture.open();
          fixture.checkAll();
        } else fixture.checkAll();
      }
      fixture.checkAll();
      fixture.checkTold();
      await fixture.store.whenCompacted();
      fixture.checkRecords();
    } catch (error) {
      console.error(`seed ${seed}`);
      throw error;
    }
  }
});
