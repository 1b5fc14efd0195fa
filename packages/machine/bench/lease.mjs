// Grants, renewals and expiry of many leases. node packages/machine/bench/lease.mjs
import { NodeClock } from '@quorate/base/node';
import { LeaseExpiry, Lessor } from '@quorate/machine';
import { createMemoryBackend } from '@quorate/storage';

/** Time that the benchmark moves. */
class Clock extends NodeClock {
  now = 0;
  deferred = [];
  timer = { at: 0, callback() {} };
  /** @override */
  nowMs() {
    return this.now;
  }
  /** @override */
  setTimer(delayMs, callback) {
    this.timer = { at: this.now + delayMs, callback };
    return { cancel() {} };
  }
  /** @override */
  defer(callback) {
    this.deferred.push(callback);
  }
}

const count = 100_000;
const clock = new Clock();
const lessor = new Lessor({ backend: createMemoryBackend({ clock }) }, { ttlSecondsMin: 2 });
let revoked = 0;
const expiry = new LeaseExpiry({
  clock,
  lessor,
  revoke: (ids) => {
    for (const id of ids) {
      lessor.revoke(id, () => {});
      revoked++;
    }
  },
});

function timed(name, operations, run) {
  const before = performance.now();
  run();
  const milliseconds = performance.now() - before;
  const each = ((milliseconds * 1e6) / operations).toFixed(0);
  console.log(`${name.padEnd(50)} ${each.padStart(7)} ns each, ${milliseconds.toFixed(0)} ms in all`);
}

const ids = Array.from({ length: count }, (_, i) => BigInt(i + 1) * 0x1234_5678_9abn);
expiry.promote(1000);
timed(`grant of ${count} on the primary`, count, () => {
  for (const id of ids) lessor.grant(id, 60);
});
timed('attach of one key each', count, () => {
  for (let i = 0; i < count; i++) lessor.attach(ids[i], `/registry/leases/${i}`);
});
for (let round = 0; round < 3; round++) {
  clock.now += 20_000;
  timed('renew', count, () => {
    for (const id of ids) expiry.renew(id);
  });
}
timed('promote', count, () => expiry.promote(1000));
let longest = 0;
timed('expiry, all at once', count, () => {
  while (revoked < count) {
    clock.now = Math.max(clock.now, clock.timer.at);
    const before = performance.now();
    clock.timer.callback();
    for (const callback of clock.deferred.splice(0)) callback();
    longest = Math.max(longest, performance.now() - before);
  }
});
console.log(`longest turn ${longest.toFixed(1)} ms (500 revokes)`);
