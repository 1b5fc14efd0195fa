// Cost of the key index alone: `node packages/machine/bench/key-index.mjs [keys]`.
import { latin1ToBytes, SeededRandom } from '@quorate/base';
import { KeyIndex, openEnd } from '../dist/mvcc/key-index/index.js';

const count = Number(process.argv[2] ?? 1_000_000);
const random = new SeededRandom(42);
const keys = Array.from({ length: count }, (_, i) => latin1ToBytes(`key/${String(i).padStart(16, '0')}`));
for (let i = count - 1; i > 0; i--) {
  const j = random.nextUint32() % (i + 1);
  [keys[i], keys[j]] = [keys[j], keys[i]];
}

function measure(name, operations, run) {
  const start = performance.now();
  run();
  const ms = performance.now() - start;
  console.log(`${name.padEnd(34)} ${((ms * 1000) / operations).toFixed(3)} µs each, ${ms.toFixed(0)} ms`);
}

globalThis.gc?.();
const before = process.memoryUsage();
const index = new KeyIndex(1);
let main = 1;
measure('insert in random order', count, () => {
  for (const key of keys) index.putNew(key, 0, key.length, ++main, 0);
});
globalThis.gc?.();
const after = process.memoryUsage();
const held = after.rss - before.rss;
console.log(
  `rss ${(held / count).toFixed(0)} bytes a key (array buffers ${((after.arrayBuffers - before.arrayBuffers) / count).toFixed(0)}, heap ${((after.heapUsed - before.heapUsed) / count).toFixed(1)})`,
);
measure('find', count, () => {
  for (let i = 0; i < count; i++) index.find(keys[(i * 7919) % count]);
});
measure('find and put', count, () => {
  for (let i = 0; i < count; i++) index.put(index.find(keys[(i * 7919) % count]), ++main, 0);
});
measure('count an interval', 100_000, () => {
  for (let i = 0; i < 100_000; i++) index.countLive(keys[i], keys[(i * 31) % count]);
});
measure('scan all', count, () => {
  let newest = 0;
  index.scan(new Uint8Array(0), openEnd, (id) => {
    newest = Math.max(newest, index.main(id));
    return true;
  });
  if (newest !== main) throw new Error('scan missed keys');
});
let dropped = 0;
let longest = 0;
measure('compact', count, () => {
  const sink = { drop: () => dropped++ };
  for (let from = 1; from !== 0; ) {
    const start = performance.now();
    from = index.compactIds(from, 1000, main, sink, () => {});
    while (!index.releaseDropped(64, sink));
    longest = Math.max(longest, performance.now() - start);
  }
});
console.log(`dropped ${dropped}, longest slice ${longest.toFixed(2)} ms`);
