// The store over the real backend on disk: `node --expose-gc packages/machine/bench/restore.mjs DIRECTORY [keys]`.
// Fills it (20-byte keys, 256-byte values), closes it, opens it again: time, longest hold of the loop, memory; then gets from cold pages.
import { etcdserverpb } from '@quorate/api';
import { latin1ToBytes, SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock, NodeDisk } from '@quorate/base/node';
import { openBackend } from '@quorate/storage';
import { hashKeys, openStore, PutCall } from '../dist/mvcc/index.js';

const directory = process.argv[2];
const count = Number(process.argv[3] ?? 1_000_000);
const clock = new NodeClock();
const disk = new NodeDisk();
const options = {
  onFatal(error) {
    throw error;
  },
};

async function open() {
  const backend = await openBackend({ disk, clock }, `${directory}/bench.db`, options);
  const store = await openStore({ backend, clock, random: new SeededRandom(1), logger: silentLogger });
  return { backend, store };
}

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function measure(name, operations, run) {
  const start = performance.now();
  const startCpu = cpuMs();
  let longest = 0;
  let done = false;
  let last = startCpu;
  // By processor time, so that other processes' turns do not count.
  const look = () => {
    const now = cpuMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!done) setImmediate(look);
  };
  setImmediate(look);
  const result = await run();
  done = true;
  const ms = performance.now() - start;
  const each = (total) => ((total * 1000) / operations).toFixed(2).padStart(7);
  console.log(
    `${name.padEnd(30)} ${each(cpuMs() - startCpu)} µs of processor each, ${each(ms)} by the clock, ${ms.toFixed(0)} ms; longest stretch ${longest.toFixed(1)} ms`,
  );
  return result;
}

const memory = (what) => {
  globalThis.gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const mib = (bytes) => `${(bytes / 1048576).toFixed(0)} MiB`;
  console.log(`${what.padEnd(30)} rss ${mib(rss)}, heap ${mib(heapUsed)}, array buffers ${mib(arrayBuffers)}`);
};

const keyOf = (i) => latin1ToBytes(`key/${String(i).padStart(16, '0')}`);
const value = new Uint8Array(256).fill(120);
const call = new PutCall();
memory('at the start');
let { backend, store } = await open();
await measure('put', count, async () => {
  for (let i = 0; i < count; i++) {
    const key = keyOf((i * 7919) % count);
    store.begin();
    store.put(call.set(etcdserverpb.PutRequest.create({ key, value })));
    store.end();
    backend.setConsistentIndex(i + 1, 1);
    if (i % 500 === 499) {
      await new Promise((resolve) => setImmediate(resolve));
      await backend.whenBelow();
    }
  }
  await backend.commit();
});
memory(`${count} keys`);
store.close();
await backend.close();
// @ts-expect-error so that the collector may take them
store = backend = undefined;
memory('closed');
({ backend, store } = await measure('restore', count, open));
memory('restored');
for (const round of ['cold', 'warm']) {
  await measure(`get, ${round}`, 200_000, async () => {
    for (let i = 0; i < 200_000; i++)
      if (store.get(keyOf((i * 104729) % count)) === undefined) throw new Error('missing');
  });
}
await measure('get, one of 1000', 200_000, async () => {
  for (let i = 0; i < 200_000; i++) if (store.get(keyOf(i % 1000)) === undefined) throw new Error('missing');
});
memory('after gets');
const overwritten = Math.min(300_000, count);
for (let i = 0; i < overwritten; i++) {
  const key = keyOf((i * 31) % count);
  store.begin();
  store.put(call.set(etcdserverpb.PutRequest.create({ key, value })));
  store.end();
  if (i % 500 === 499) await new Promise((resolve) => setImmediate(resolve));
}
await backend.commit();
await measure(`compaction of ${overwritten}`, overwritten, () => store.compact(store.currentRevision).physical);
await measure('hash of the keys', count, () => hashKeys(store, 0));
store.close();
await backend.close();
await disk.remove(`${directory}/bench.db`);
