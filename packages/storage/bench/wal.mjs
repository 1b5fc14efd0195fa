// What the log costs. Build first, then: node packages/storage/bench/wal.mjs [directory]
// Figures of one machine say little by themselves: compare runs on the same one.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { noMetrics, silentLogger } from '@quorate/base';
import { NodeClock, NodeDisk } from '@quorate/base/node';
import { Wal, zeroSnapshot } from '../dist/wal/index.js';
import { RecordEncoder } from '../dist/wal/record-encoder.js';

const root = fs.mkdtempSync(path.join(process.argv[2] ?? os.tmpdir(), 'quorate-wal-bench-'));
const deps = { disk: new NodeDisk(), clock: new NodeClock(), logger: silentLogger, metrics: noMetrics };
const metadata = new Uint8Array(21);
const entrySize = 300;

function entries(from, count, size = entrySize) {
  const type = /** @type {const} */ (0);
  return Array.from({ length: count }, (_, i) => ({ term: 3, index: from + i, type, data: Buffer.alloc(size, i) }));
}

function percentiles(samples) {
  samples.sort((a, b) => a - b);
  const at = (share) => `${(samples[Math.floor(samples.length * share)] * 1000).toFixed(0)}`;
  return `p50 ${at(0.5)} us, p90 ${at(0.9)} us, p99 ${at(0.99)} us`;
}

function benchEncode() {
  const batch = entries(1, 200);
  const encoder = new RecordEncoder(0);
  let best = Infinity;
  for (let round = 0; round < 200; round++) {
    const start = performance.now();
    for (let i = 0; i < 10; i++) {
      for (const entry of batch) encoder.entry(entry);
      encoder.recycle(encoder.take());
    }
    best = Math.min(best, (performance.now() - start) / (10 * batch.length));
  }
  console.log(`encode, ${entrySize}-byte entry with checksum: ${(best * 1000).toFixed(3)} us`);
}

async function benchSync(preallocation, batchSize, syncs) {
  const directory = `${root}/${preallocation}-${batchSize}`;
  const wal = await Wal.create(deps, { directory, preallocation }, metadata);
  // Let the background come to rest: the steady state is wanted.
  await new Promise((resolve) => setTimeout(resolve, 400));
  const batches = entries(1, batchSize);
  const samples = [];
  const start = performance.now();
  for (let i = 0; i < syncs; i++) {
    const batch = batches.map((entry, k) => ({ ...entry, index: 1 + i * batchSize + k }));
    const from = performance.now();
    wal.append({ term: 3, vote: 5n, commit: i * batchSize }, batch);
    await wal.sync();
    samples.push(performance.now() - from);
  }
  const rate = (syncs * batchSize) / (performance.now() - start);
  console.log(
    `append and sync, ${preallocation}, ${batchSize} entries: ${percentiles(samples)}, ${rate.toFixed(0)}k entries/s`,
  );
  await wal.close();
  return directory;
}

async function benchRead(directory) {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const start = performance.now();
  const { wal, content } = await Wal.open(deps, { directory }, zeroSnapshot);
  const took = performance.now() - start;
  clearInterval(timer);
  const each = ((took * 1000) / content.entries.length).toFixed(2);
  console.log(
    `open and read ${content.entries.length} entries: ${took.toFixed(0)} ms, ${each} us each, loop held at most ${longest.toFixed(1)} ms`,
  );
  await wal.close();
}

try {
  benchEncode();
  for (const batchSize of [1, 20, 200]) {
    for (const preallocation of ['sparse', 'zeros'])
      await benchSync(preallocation, batchSize, batchSize === 200 ? 800 : 2000);
  }
  await benchRead(`${root}/zeros-200`);
} finally {
  fs.rmSync(root, { recursive: true, force: true });
}
