import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, latin1ToBytes, SeededRandom } from '@quorate/base';
import { makeHeaderWriter } from './response-header.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { NaiveStore } from './testing/naive-store.ts';
import { decodeResponse, nameOf } from './testing/watch-response.ts';
import { WatchHub } from './watch-hub.ts';

const batchBytesMax = 30_000;

/** What one watch of everything from revision 2 on gets: the names of each response's events, and what stood behind its head. */
function catchUp(store: NaiveStore, options: { prevKv?: boolean; room?: () => boolean } = {}) {
  const clock = new ManualClock();
  const hub = new WatchHub(
    { history: store, clock, random: new SeededRandom(1), writeHeader: makeHeaderWriter(1n, 2n, () => 3) },
    { batchBytesMax },
  );
  const responses: string[][] = [];
  const bodies: Uint8Array[] = [];
  const room = options.room ?? (() => true);
  let drained = () => {};
  const stream = hub.openStream({
    send(head, body) {
      const { created, events } = decodeResponse(concatBytes([head, body]));
      if (created) return true;
      responses.push(
        events.map(({ keyValue, previous }) => nameOf(keyValue) + (previous ? `<${nameOf(previous)}` : '')),
      );
      bodies.push(body);
      return room();
    },
    hasRoom: () => true,
    onDrain(callback) {
      drained = callback;
    },
  });
  stream.create({
    key: latin1ToBytes('\0'),
    rangeEnd: latin1ToBytes('\0'),
    startRevision: 2,
    progressNotify: false,
    filters: [],
    prevKv: options.prevKv ?? false,
    watchId: 0,
    fragment: false,
  });
  clock.settle();
  return { responses, bodies, drain: () => drained(), settle: () => clock.settle() };
}

function storeWith(...sizes: readonly number[]): NaiveStore {
  const store = new NaiveStore();
  sizes.forEach((size, i) => {
    store.put(`k${i}`, 'x'.repeat(size));
  });
  return store;
}

test('small changes share a response up to the bound', () => {
  const { responses } = catchUp(storeWith(...new Array<number>(10).fill(7000)));
  assert.deepEqual(
    responses.map((names) => names.length),
    [5, 5],
  );
});

test('a large value is a response of its own, in the memory of the store', () => {
  const store = storeWith(10, 40_000, 10, 50_000, 60_000, 10, 10);
  const { responses, bodies } = catchUp(store);
  assert.deepEqual(responses, [['k0@2'], ['k1@3'], ['k2@4'], ['k3@5'], ['k4@6'], ['k5@7', 'k6@8']]);
  const shared = bodies.filter((body) => body.length > 0);
  assert.deepEqual(
    shared.map((body) => body.buffer),
    [1, 3, 4].map((i) => store.changes[i]?.event.keyValue.buffer),
  );
});

test('changes of one revision stay together, whatever their size', () => {
  const store = storeWith(10);
  store.write(['a', 'b', 'c'].map((put) => ({ put, value: 'x'.repeat(20_000) })));
  store.put('d');
  assert.deepEqual(catchUp(store).responses, [['k0@2'], ['a@3', 'b@3', 'c@3'], ['d@4']]);
});

test('previous values count', () => {
  const store = storeWith(15_000, 15_000, 15_000, 15_000);
  for (let i = 0; i < 4; i++) store.put(`k${i}`, '');
  const { responses } = catchUp(store, { prevKv: true });
  assert.deepEqual(responses, [
    ['k0@2', 'k1@3'],
    ['k2@4', 'k3@5'],
    ['k0@6<k0@2', 'k1@7<k1@3'],
    ['k2@8<k2@4', 'k3@9<k3@5'],
  ]);
});

test('a stream that is full between two responses of a batch goes on there', () => {
  let isFull = true;
  const store = storeWith(10, 40_000, 10);
  const watch = catchUp(store, { room: () => !isFull });
  assert.deepEqual(watch.responses, [['k0@2']]);
  watch.drain();
  watch.settle();
  assert.deepEqual(watch.responses.slice(1), [['k1@3']]);
  isFull = false;
  watch.drain();
  watch.settle();
  assert.deepEqual(watch.responses.slice(2), [['k2@4']]);
});
