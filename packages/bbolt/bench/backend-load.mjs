// All times but wall are CPU times, which other load on the machine changes less. The way of the backend: batches of 10,000 growing 17-byte keys with 300-byte values into a bucket of a million, then random reads, scans and deletes.
// node packages/bbolt/bench/backend-load.mjs [million=1] [directory]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeClock, NodeDisk } from '@quorate/base/node';
import { Database } from '@quorate/bbolt';

const total = Number(process.argv[2] ?? 1) * 1e6;
const directory = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'bbolt-bench-'));
const deps = { disk: new NodeDisk(), clock: new NodeClock() };
const path = join(directory, 'db');
const name = Buffer.from('key');
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const rssMiB = () => Math.round(process.memoryUsage.rss() / 2 ** 20);

function key(target, position, main) {
  target.fill(0, position, position + 17);
  new DataView(target.buffer, target.byteOffset).setUint32(position + 4, main);
  target[position + 8] = 0x5f;
}

async function batch(database, from, count) {
  const start = performance.now();
  const cpu = cpuMs();
  const transaction = database.beginWrite();
  const bucket = transaction.createBucketIfMissing(name);
  bucket.fillPercent = 0.9;
  const keys = new Uint8Array(count * 17);
  for (let i = 0; i < count; i++) {
    key(keys, i * 17, from + i);
    bucket.putSpan(keys, i * 17, 17, values[(from + i) % values.length]);
  }
  const put = performance.now() - start;
  await transaction.commit();
  return { put, wall: performance.now() - start, cpu: cpuMs() - cpu };
}

const values = Array.from({ length: 20000 }, () => new Uint8Array(300).fill(7));
let database = await Database.open(deps, path);
const results = [];
for (let from = 0; from < total; from += 10000) results.push(await batch(database, from, 10000));
const median = (field) =>
  results
    .map((r) => r[field])
    .sort((a, b) => a - b)
    [results.length >> 1].toFixed(1);
console.log(
  `insert 10k: put ${median('put')} ms, all CPU ${median('cpu')} ms, wall ${median('wall')} ms; RSS ${rssMiB()} MiB`,
);
console.log(database.stats());

const scratch = new Uint8Array(17);
function reads(bucket, within, count) {
  const start = cpuMs();
  let found = 0;
  for (let i = 0; i < count; i++) {
    key(scratch, 0, Math.floor(Math.random() * within));
    if (bucket.getSpan(scratch, 0, 17) !== undefined) found += 1;
  }
  if (found !== count) throw new Error(`${found} of ${count} found`);
  return (((cpuMs() - start) * 1000) / count).toFixed(2);
}
function bucketOf(transaction) {
  const bucket = transaction.bucket(name);
  if (bucket === undefined) throw new Error('the bucket is gone');
  return bucket;
}

let read = database.beginRead();
let bucket = bucketOf(read);
for (const [label, within] of [
  ['in 100k keys (cached)', 1e5],
  ['in all keys (cache 128 MiB)', total],
]) {
  reads(bucket, within, 2e5);
  console.log(`get ${label}: ${reads(bucket, within, 5e5)} us; RSS ${rssMiB()} MiB`);
}
let start = cpuMs();
let seen = 0;
const cursor = bucket.cursor();
for (let there = cursor.first(); there; there = cursor.next()) if (cursor.value?.length === 300) seen += 1;
console.log(`scan: ${(((cpuMs() - start) * 1e6) / seen).toFixed(0)} ns a pair, ${seen} pairs`);
read.close();

await database.close();
start = cpuMs();
database = await Database.open(deps, path, { cacheBytesMax: 1024 * 2 ** 20 });
console.log(`open without a stored list: ${(cpuMs() - start).toFixed(0)} ms`);
read = database.beginRead();
bucket = bucketOf(read);
reads(bucket, total, 1e6);
console.log(`get in all keys (all cached): ${reads(bucket, total, 5e5)} us; RSS ${rssMiB()} MiB`);
read.close();

const deletes = [];
for (let round = 0; round < 5; round++) {
  const cpu = cpuMs();
  const begin = performance.now();
  const transaction = database.beginWrite();
  const target = bucketOf(transaction);
  target.fillPercent = 0.9;
  for (let i = 0; i < 10000; i++) {
    key(scratch, 0, round * 10000 + Math.floor(i * 2.3));
    target.deleteSpan(scratch, 0, 17);
  }
  const del = cpuMs() - cpu;
  await transaction.commit();
  deletes.push({ del, cpu: cpuMs() - cpu, wall: performance.now() - begin });
}
console.log(
  'delete 10k in order:',
  deletes.map((d) => `${d.del.toFixed(0)}/${d.cpu.toFixed(0)}/${d.wall.toFixed(0)}`).join(' '),
  'ms (calls/CPU/wall)',
);
const transaction = database.beginWrite();
const target = bucketOf(transaction);
const begin = cpuMs();
for (let i = 0; i < 10000; i++) {
  key(scratch, 0, Math.floor(Math.random() * total));
  target.deleteSpan(scratch, 0, 17);
}
const calls = cpuMs() - begin;
await transaction.commit();
console.log(`delete 10k at random: ${calls.toFixed(0)} ms calls, ${(cpuMs() - begin).toFixed(0)} ms in all`);
console.log(`check: ${JSON.stringify((await database.check()).errors)}`);
await database.close();
rmSync(directory, { recursive: true });
