// Cost of the state machine over the backend in memory: `node --expose-gc packages/machine/bench/store.mjs [keys]`.
// 20-byte keys, 256-byte values; entries as the replica makes them.
import { etcdserverpb } from '@quorate/api';
import { latin1ToBytes, noMetrics, SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createMemoryBackend } from '@quorate/storage';
import { AlarmStore, Applier, Quota } from '../dist/apply/index.js';
import { AuthStore } from '../dist/auth/index.js';
import { Lessor } from '../dist/lease/index.js';
import { hashKeys, openStore, runTxn } from '../dist/mvcc/index.js';

const count = Number(process.argv[2] ?? 1_000_000);
const clock = new NodeClock();
const random = new SeededRandom(7);
const backend = createMemoryBackend({ clock });
const { InternalRaftRequest, PutRequest, RangeRequest, RequestHeader, RequestOp, TxnRequest } = etcdserverpb;

async function open() {
  const leases = new Lessor({ backend, metrics: noMetrics }, { ttlSecondsMin: 2 });
  const store = await openStore({ backend, clock, random, logger: silentLogger, leases });
  const membership = { setClusterVersion() {}, setAttributes() {}, setDowngrade() {} };
  const auth = new AuthStore({ backend, leases });
  const deps = { store, alarms: new AlarmStore(backend), leases, auth, membership, logger: silentLogger };
  return { store, applier: new Applier({ ...deps, quota: new Quota(() => 0, 0) }, backend.consistentIndex) };
}

/** What is asked for right is not refused. @template T @param {T} answer */
const given = (answer) => /** @type {Exclude<T, string>} */ (answer);

const keyOf = (i) => `key/${String(i).padStart(16, '0')}`;
const value = new Uint8Array(256).fill(120);
function putEntry(i) {
  const put = PutRequest.create({ key: latin1ToBytes(keyOf(i)), value });
  const bytes = InternalRaftRequest.encode(
    InternalRaftRequest.create({ header: RequestHeader.create({ id: BigInt(i + 1) }), put }),
  );
  return new Uint8Array(bytes);
}

/** Milliseconds of processor time of this process: what counts on a machine that is shared. The collector's threads are in it. */
function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function report(name, operations, ms, cpu) {
  const each = (total) => ((total * 1000) / operations).toFixed(2).padStart(7);
  console.log(`${name.padEnd(38)} ${each(cpu)} µs of processor each, ${each(ms)} µs by the clock`);
}

function measure(name, operations, run) {
  const start = performance.now();
  const startCpu = cpuMs();
  run();
  report(name, operations, performance.now() - start, cpuMs() - startCpu);
}

/** Longest time that the loop was held while `promise` was pending. */
async function watchLoop(name, promise) {
  let longest = 0;
  let done = false;
  let last = performance.now();
  const start = last;
  const startCpu = cpuMs();
  promise.then(() => {
    done = true;
  });
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  console.log(
    `${name.padEnd(38)} ${(last - start).toFixed(0)} ms, ${(cpuMs() - startCpu).toFixed(0)} ms of processor, longest stretch ${longest.toFixed(1)} ms`,
  );
  return promise;
}

let { store, applier } = await open();
let answered = 0;
const answer = () => answered++;
const batch = 20_000;

function applyPuts(name, operations, pick) {
  let ms = 0;
  let cpu = 0;
  for (let done = 0; done < operations; done += batch) {
    const entries = [];
    for (let i = 0; i < Math.min(batch, operations - done); i++) {
      entries.push({ index: applier.appliedIndex + 1 + i, term: 1, data: putEntry(pick(done + i)) });
    }
    const start = performance.now();
    const startCpu = cpuMs();
    applier.applyAll(entries, answer);
    ms += performance.now() - start;
    cpu += cpuMs() - startCpu;
  }
  report(name, operations, ms, cpu);
}

globalThis.gc?.();
const before = process.memoryUsage().rss;
applyPuts('put, new keys in random order', count, (i) => (i * 7919) % count);
globalThis.gc?.();
const rss = process.memoryUsage().rss - before;
console.log(
  `rss with ${count} keys: ${(rss / 1048576).toFixed(0)} MiB, ${(rss / count).toFixed(0)} bytes a key with its record`,
);
applyPuts('put, one of 1000 keys', 200_000, (i) => (i * 31) % 1000);
applyPuts('put, any existing key', 200_000, (i) => (i * 104729) % count);

const gets = Array.from({ length: 100_000 }, (_, i) =>
  RangeRequest.create({ key: latin1ToBytes(keyOf((i * 104729) % count)) }),
);
measure('get, any key', gets.length, () => {
  for (const request of gets) if (given(store.range(request)).count !== 1) throw new Error('missing');
});
const hot = gets.slice(0, 1000);
measure('get, one of 1000 keys', 200_000, () => {
  for (let i = 0; i < 200_000; i++) if (given(store.range(hot[i % 1000])).count !== 1) throw new Error('missing');
});
const prefix = (i) => RangeRequest.create({ key: latin1ToBytes(keyOf(i)), rangeEnd: latin1ToBytes(keyOf(i + 100)) });
const ranges = Array.from({ length: 2000 }, (_, i) => prefix((i * 7001) % (count - 100)));
measure('range of 100 keys', ranges.length, () => {
  for (const request of ranges) if (given(store.range(request)).kvs.length !== 100) throw new Error('missing');
});
measure('range limit 10 with count', ranges.length, () => {
  for (const request of ranges) {
    if (given(store.range({ ...request, limit: 10, rangeEnd: new Uint8Array(1) })).kvs.length !== 10)
      throw new Error('missing');
  }
});
measure('range limit 10 from the end', ranges.length, () => {
  for (const request of ranges) {
    const backward = { ...request, limit: 10, sortOrder: 2, key: new Uint8Array(1) };
    if (given(store.range(backward)).kvs.length !== 10) throw new Error('missing');
  }
});
measure('count an interval', ranges.length, () => {
  for (const request of ranges) store.range({ ...request, countOnly: true, rangeEnd: new Uint8Array(1) });
});
const txns = Array.from({ length: 50_000 }, (_, i) => {
  const key = latin1ToBytes(keyOf((i * 104729) % count));
  const compare = etcdserverpb.Compare.create({ key, target: 2, result: 1, modRevision: 1 });
  const success = [RequestOp.create({ requestPut: PutRequest.create({ key, value }) })];
  const failure = [RequestOp.create({ requestRange: RangeRequest.create({ key }) })];
  return TxnRequest.create({ compare: [compare], success, failure });
});
measure('txn of compare and put', txns.length, () => {
  for (const txn of txns) if (given(runTxn(store, txn)).succeeded !== true) throw new Error('compare failed');
});

const everything = RangeRequest.create({ key: new Uint8Array(1), rangeEnd: new Uint8Array(1) });
const reader = given(store.openRange(everything));
let longestStep = 0;
measure('range of all in steps of 5000', count, () => {
  for (let done = false; !done; ) {
    const start = performance.now();
    done = reader.step(5000);
    longestStep = Math.max(longestStep, performance.now() - start);
  }
});
console.log(`longest step ${longestStep.toFixed(1)} ms, ${reader.result.kvs.length} keys`);
reader.close();

const compacting = store.compact(store.currentRevision).physical;
await watchLoop('compaction of 450000 revisions', compacting);
await watchLoop('hash of the keys', hashKeys(store, 0));
store.close();
({ store, applier } = await watchLoop('restore', open()));
if (store.keyCount !== count) throw new Error('keys lost');
