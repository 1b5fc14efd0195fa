// What a write and a read cost the proxy's cache when it is full. Run: node packages/proxy/bench/range-cache.mjs (after a build).
import { utf8ToBytes } from '@quorate/base';
import { defaultRangeCacheLimits, RangeCache } from '../dist/range-cache.js';

const none = new Uint8Array(0);
const answer = new Uint8Array(100);
const keys = Array.from({ length: defaultRangeCacheLimits.entriesMax }, (_, i) => `key-${String(i).padStart(6, '0')}`);

/** @param {boolean} isInterval whether the cache holds intervals of ten keys, not single ones. */
function measure(isInterval) {
  const cache = new RangeCache();
  const ranges = keys.map((key, i) => ({
    key: utf8ToBytes(key),
    rangeEnd: isInterval ? utf8ToBytes(/** @type {string} */ (keys[Math.min(i + 10, keys.length - 1)])) : none,
  }));
  const read = (/** @type {number} */ i) => {
    const at = i % keys.length;
    const range = /** @type {(typeof ranges)[number]} */ (ranges[at]);
    cache.store(cache.begin(/** @type {string} */ (keys[at]), range), answer, 0);
  };
  for (let i = 0; i < keys.length; i++) read(i);
  const elsewhere = { key: utf8ToBytes('other'), rangeEnd: none };
  return [time(() => cache.invalidate(elsewhere)), time(read)];
}

/** @param {(i: number) => void} run @returns {string} user CPU a run */
function time(run) {
  const runs = 50_000;
  for (let i = 0; i < runs; i++) run(i);
  const start = process.cpuUsage();
  for (let i = 0; i < runs; i++) run(i);
  return `${(process.cpuUsage(start).user / runs).toFixed(2)} µs`;
}

for (const isInterval of [false, true]) {
  const [write, read] = measure(isInterval);
  console.log(`${keys.length} ${isInterval ? 'intervals' : 'single keys'}: ${write} a write, ${read} a read`);
}
