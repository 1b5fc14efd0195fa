// What a write costs with watchers: nobody interested, one key watched by many, ranges, and the way back through history.
// node packages/machine/bench/watch.mjs
import { SeededRandom } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { EventType, makeHeaderWriter, WatchHub } from '@quorate/machine';

const text = (value) => Uint8Array.from(value, (character) => character.charCodeAt(0));

class List {
  currentRevision = 1;
  compactRevision = -1;
  changes = [];
  readChanges(from, to, visit) {
    for (let revision = from; revision <= to; revision++) {
      const event = this.changes[revision];
      if (event !== undefined && !visit(revision, event)) return;
    }
  }
  keyValueAt() {
    return undefined;
  }
}

let sentBytes = 0;
const output = () => ({
  send(head, body) {
    sentBytes += head.length + body.length;
    return true;
  },
  hasRoom: () => true,
  onDrain() {},
});

function start() {
  const history = new List();
  const hub = new WatchHub({
    history,
    clock: new NodeClock(),
    random: new SeededRandom(1),
    writeHeader: makeHeaderWriter(0xcdf8_18e1_94e3_a8c9n, 0x8e9e_05c5_2164_694dn, () => 2),
  });
  return { history, hub };
}

const create = (key, rangeEnd = '', startRevision = 0) => ({
  key: text(key),
  rangeEnd: text(rangeEnd),
  startRevision,
  progressNotify: false,
  filters: [],
  prevKv: false,
  watchId: 0,
  fragment: false,
});

const event = (key, valueBytes = 100) => ({
  type: EventType.put,
  key: Buffer.from(key).toString('latin1'),
  keyValue: new Uint8Array(valueBytes + 40),
  isCreate: false,
});

function report(name, count, unit, milliseconds) {
  console.log(`${name.padEnd(62)} ${((milliseconds * 1e6) / count).toFixed(0).padStart(7)} ns/${unit}`);
}

function notify(name, setUp, keyOf, writes, unit, perWrite = 1, valueBytes = 100) {
  const { history, hub } = start();
  setUp(hub);
  const events = Array.from({ length: writes }, (_, i) => [event(keyOf(i), valueBytes)]);
  const run = (from, to) => {
    for (let i = from; i < to; i++) {
      history.currentRevision++;
      hub.changed(history.currentRevision, events[i]);
    }
  };
  const warm = writes >> 2;
  run(0, warm);
  const before = performance.now();
  run(warm, writes);
  report(name, (writes - warm) * perWrite, unit, performance.now() - before);
}

const key = (i) => `/registry/pods/default/pod-${i % 100_000}`;
for (const count of [1, 10_000]) {
  notify(
    `a write nobody watches, ${count} watched keys`,
    (hub) => {
      for (let i = 0; i < count; i++) hub.openStream(output()).create(create(`other-${i}`));
    },
    key,
    400_000,
    'write',
  );
  notify(
    `a write nobody watches, ${count} watched ranges`,
    (hub) => {
      for (let i = 0; i < count; i++) hub.openStream(output()).create(create(`/registry/x${i}/`, `/registry/x${i}0`));
    },
    key,
    400_000,
    'write',
  );
}
for (const streams of [1, 1000]) {
  notify(
    `one key watched by 1000, ${streams} stream${streams === 1 ? '' : 's'}`,
    (hub) => {
      const all = Array.from({ length: streams }, () => hub.openStream(output()));
      for (let i = 0; i < 1000; i++) all[i % streams].create(create('hot'));
    },
    () => 'hot',
    4000,
    'event and watcher',
    1000,
  );
}
notify(
  'one range watched by 1000, 1000 streams, 10 KiB values',
  (hub) => {
    for (let i = 0; i < 1000; i++) hub.openStream(output()).create(create('h', 'i'));
  },
  () => 'hot',
  1000,
  'event and watcher',
  1000,
  10 * 1024,
);
notify(
  '10000 keys watched by one each, each write hits one',
  (hub) => {
    const stream = hub.openStream(output());
    for (let i = 0; i < 10_000; i++) stream.create(create(`/registry/pods/default/pod-${i}`));
  },
  (i) => `/registry/pods/default/pod-${i % 10_000}`,
  200_000,
  'event',
);

async function catchUp(watchers, revisions) {
  const { history, hub } = start();
  for (let i = 2; i < revisions + 2; i++) history.changes[i] = event(key(i));
  history.currentRevision = revisions + 1;
  sentBytes = 0;
  const before = performance.now();
  const streams = Array.from({ length: watchers }, () => hub.openStream(output()));
  for (const stream of streams) stream.create(create('/registry/', '/registry0', 2));
  let longest = 0;
  let last = performance.now();
  while (streams.some((stream) => stream.syncedCount === 0)) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  const milliseconds = performance.now() - before;
  report(
    `catch-up of ${watchers} over ${revisions} revisions`,
    revisions * watchers,
    'event and watcher',
    milliseconds,
  );
  console.log(`${''.padEnd(62)} longest turn ${longest.toFixed(1)} ms, ${(sentBytes / 1e6).toFixed(0)} MB`);
}
await catchUp(1, 200_000);
await catchUp(1, 200_000);
await catchUp(1000, 20_000);
