import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, latin1ToBytes, SeededRandom } from '@quorate/base';
import { makeHeaderWriter } from './response-header.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { NaiveStore } from './testing/naive-store.ts';
import { decodeResponse, nameOf, type SeenResponse, TestOutput } from './testing/watch-response.ts';
import { WatchHub, type WatchHubOptions } from './watch-hub.ts';
import type { StreamOptions, WatchCreate } from './watch-stream.ts';

interface Setup {
  options?: WatchHubOptions;
  stream?: StreamOptions;
  capacity?: number;
}

function start({ options = {}, stream: streamOptions = {}, capacity }: Setup = {}) {
  const store = new NaiveStore();
  const clock = new ManualClock();
  const hub = new WatchHub(
    { history: store, clock, random: new SeededRandom(1), writeHeader: makeHeaderWriter(1n, 2n, () => 3) },
    options,
  );
  store.setSink(hub);
  const output = new TestOutput(capacity);
  const stream = hub.openStream(output, streamOptions);
  return { store, clock, hub, output, stream };
}

type Wish = Partial<Omit<WatchCreate, 'key' | 'rangeEnd'>> & { key?: string; rangeEnd?: string };

function wish({ key = 'foo', rangeEnd = '', ...rest }: Wish = {}): WatchCreate {
  return {
    startRevision: 0,
    progressNotify: false,
    filters: [],
    prevKv: false,
    watchId: 0,
    fragment: false,
    ...rest,
    key: latin1ToBytes(key),
    rangeEnd: latin1ToBytes(rangeEnd),
  };
}

/** A response in short: `id@revision` and what else is set, events as `key@mod` with `-` before deletes. */
function short(seen: SeenResponse): string {
  const parts = [`${seen.watchId}@${seen.revision}`];
  if (seen.created) parts.push('created');
  if (seen.canceled) parts.push('canceled');
  if (seen.compactRevision !== 0) parts.push(`compact=${seen.compactRevision}`);
  if (seen.cancelReason !== '') parts.push(`"${seen.cancelReason}"`);
  if (seen.fragment) parts.push('fragment');
  for (const event of seen.events) {
    parts.push(`${event.type === 1 ? '-' : ''}${nameOf(event.keyValue)}`);
    if (event.previous !== undefined) parts.push(`(was ${nameOf(event.previous)})`);
  }
  return parts.join(' ');
}

const take = (output: TestOutput) => output.take().map(short);

const compactedText = 'etcdserver: mvcc: required revision has been compacted';

// Rows 57 to 61 of the specification and the interval forms of its section 0.
const creates: { name: string; wish: Wish; answer: string }[] = [
  { name: 'on an empty store', wish: {}, answer: '0@1 created' },
  {
    name: 'from a negative revision',
    wish: { startRevision: -1 },
    answer: `-1@1 created canceled "${compactedText}"`,
  },
  {
    name: 'of [a, a)',
    wish: { key: 'a', rangeEnd: 'a' },
    answer: '-1@1 created canceled "mvcc: watcher range is empty"',
  },
  {
    name: 'of [b, a)',
    wish: { key: 'b', rangeEnd: 'a' },
    answer: '-1@1 created canceled "mvcc: watcher range is empty"',
  },
  { name: 'of foo to the end', wish: { rangeEnd: '\0' }, answer: '0@1 created' },
  { name: 'of everything', wish: { key: '\0', rangeEnd: '\0' }, answer: '0@1 created' },
  { name: 'with an empty key', wish: { key: '' }, answer: '0@1 created' },
  { name: 'with an own id', wish: { watchId: 77 }, answer: '77@1 created' },
];
for (const { name, wish: wanted, answer } of creates) {
  test(`create ${name}: ${answer}`, () => {
    const { output, stream } = start();
    stream.create(wish(wanted));
    assert.deepEqual(take(output), [answer]);
  });
}

test('the whole bytes of a response are those of etcd', () => {
  const { store, output, stream } = start();
  const bytes: string[] = [];
  const send = output.send.bind(output);
  output.send = (head, body) => {
    bytes.push(Buffer.concat([head, body]).toString('hex'));
    return send(head, body);
  };
  stream.create(wish({ watchId: 5, prevKv: true }));
  store.put('foo', 'bar');
  store.delete('foo');
  assert.deepEqual(bytes, [
    // header {1, 2, revision 1, term 3}, watch_id 5, created
    `0a080801100218012003${'1005'}${'1801'}`,
    // one event of kv { foo, 2, 2, 1, bar }
    `0a080801100218022003${'1005'}${'5a12'}${'1210'}0a03666f6f1002180220012a03626172`,
    // DELETE of kv { foo, mod 3 } with the previous one
    `0a080801100218032003${'1005'}${'5a1d'}${'0801'}${'1207'}0a03666f6f1803${'1a10'}0a03666f6f1002180220012a03626172`,
  ]);
});

test('ids: chosen ones count up, skip those in use and are not given twice; taken ones are refused (row 61)', () => {
  const { output, stream } = start();
  stream.create(wish({ watchId: 1 }));
  stream.create(wish());
  stream.create(wish());
  stream.create(wish({ watchId: 2 }));
  stream.cancel(0);
  stream.create(wish());
  stream.create(wish({ watchId: 1 }));
  assert.deepEqual(take(output), [
    '1@1 created',
    '0@1 created',
    '2@1 created',
    '-1@1 created canceled "mvcc: duplicate watch ID provided on the WatchStream"',
    '0@1 canceled',
    '3@1 created',
    '-1@1 created canceled "mvcc: duplicate watch ID provided on the WatchStream"',
  ]);
});

test('a watch below the compact revision is created and then cancelled; its id stays (row 62)', () => {
  const { store, clock, output, stream } = start();
  for (let i = 0; i < 4; i++) store.put('foo');
  store.compact(4);
  stream.create(wish({ startRevision: 3 }));
  clock.settle();
  assert.deepEqual(take(output), ['0@5 created', '0@0 canceled compact=4']);
  stream.create(wish({ watchId: 0 }));
  stream.requestProgress();
  assert.deepEqual(take(output), ['1@5 created']);
  stream.cancel(0);
  stream.requestProgress();
  assert.deepEqual(take(output), ['0@5 canceled', '-1@5']);
});

test('a watch from the compact revision on shows a delete at it (row 63)', () => {
  const { store, clock, output, stream } = start();
  store.put('foo');
  store.delete('foo');
  store.compact(3);
  store.put('foo');
  stream.create(wish({ startRevision: 3 }));
  clock.settle();
  assert.deepEqual(take(output), ['0@4 created', '0@4 -foo@3 foo@4']);
});

test('a watch from a future revision sees nothing before it, not even progress (row 64)', () => {
  const { store, output, stream } = start();
  stream.create(wish({ startRevision: 10 }));
  for (let i = 2; i <= 10; i++) {
    stream.requestProgress();
    store.put('foo');
  }
  stream.requestProgress();
  assert.deepEqual(take(output), ['0@1 created', '0@10 foo@10', '-1@10']);
});

test('1001 events of history come as 1000 and 1 under the same revision (row 65)', () => {
  const { store, clock, output, stream } = start();
  for (let i = 0; i < 1001; i++) store.put('foo');
  stream.create(wish({ startRevision: 2 }));
  clock.settle();
  const seen = output.take().slice(1);
  assert.deepEqual(
    seen.map((each) => [each.revision, each.events.length]),
    [
      [1002, 1000],
      [1002, 1],
    ],
  );
});

test('a transaction comes as one response with its events in order (row 66)', () => {
  const { store, output, stream } = start();
  stream.create(wish({ key: 'a', rangeEnd: 'z' }));
  store.write([
    { put: 'c', value: '1' },
    { put: 'a', value: '2' },
    { put: 'zz', value: '3' },
    { put: 'b', value: '4' },
  ]);
  assert.deepEqual(take(output), ['0@1 created', '0@2 c@2 a@2 b@2']);
});

test('cancel: an unknown id has no answer, a known one no reason, and nothing follows (rows 67, 68)', () => {
  const { store, output, stream } = start();
  stream.create(wish());
  stream.cancel(5);
  stream.cancel(0);
  stream.cancel(0);
  store.put('foo');
  assert.deepEqual(take(output), ['0@1 created', '0@1 canceled']);
});

test('progress is told only when all watchers have everything (rows 69, 70)', () => {
  const { store, clock, output, stream } = start();
  stream.requestProgress();
  assert.deepEqual(take(output), []);
  store.put('foo');
  stream.create(wish());
  stream.requestProgress();
  assert.deepEqual(take(output), ['0@2 created', '-1@2']);
  stream.create(wish({ startRevision: 1 }));
  stream.requestProgress();
  assert.deepEqual(take(output), ['1@2 created']);
  clock.settle();
  stream.requestProgress();
  assert.deepEqual(take(output), ['1@2 foo@2', '-1@2']);
});

test('filters drop puts or deletes (row 72); unknown ones are ignored', () => {
  const { store, output, stream } = start();
  stream.create(wish({ filters: [0] }));
  stream.create(wish({ filters: [1] }));
  stream.create(wish({ filters: [7] }));
  stream.create(wish({ filters: [0, 1] }));
  output.take();
  store.put('foo');
  store.delete('foo');
  assert.deepEqual(take(output).sort(), ['0@3 -foo@3', '1@2 foo@2', '2@2 foo@2', '2@3 -foo@3']);
});

test('a refused watch carries the reason, asked for with the range end as sent (rows 73, 74)', () => {
  const asked: string[] = [];
  const reason = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
  const { output, stream } = start({
    stream: {
      authorize: (key, rangeEnd) => {
        asked.push(`${Buffer.from(key).toString('latin1')}..${Buffer.from(rangeEnd).toString('latin1')}`);
        return rangeEnd.length > 0 ? reason : undefined;
      },
    },
  });
  stream.create(wish({ rangeEnd: '\0' }));
  stream.create(wish());
  assert.deepEqual(take(output), [`-1@1 created canceled "${reason}"`, '0@1 created']);
  assert.deepEqual(asked, ['foo..\0', 'foo..']);
});

test('previous values: none for a new key, none that are compacted', () => {
  const { store, clock, output, stream } = start();
  stream.create(wish({ prevKv: true }));
  store.put('foo');
  store.put('foo');
  store.delete('foo');
  store.put('foo');
  assert.deepEqual(take(output).slice(1), [
    '0@2 foo@2',
    '0@3 foo@3 (was foo@2)',
    '0@4 -foo@4 (was foo@3)',
    '0@5 foo@5',
  ]);
  store.compact(4);
  stream.create(wish({ prevKv: true, startRevision: 4 }));
  clock.settle();
  assert.deepEqual(take(output).slice(1), ['1@5 -foo@4 foo@5']);
});

test('progress_notify skips a tick after events and is quiet while behind', () => {
  const { store, clock, output, stream } = start({ options: { progressIntervalMs: 100 } });
  stream.create(wish({ progressNotify: true }));
  stream.create(wish({ key: 'other' }));
  clock.advance(110);
  assert.deepEqual(take(output), ['0@1 created', '1@1 created', '0@1']);
  store.put('foo');
  clock.advance(110);
  assert.deepEqual(take(output), ['0@2 foo@2']);
  clock.advance(110);
  assert.deepEqual(take(output), ['0@2']);
  stream.cancel(0);
  take(output);
  clock.advance(1000);
  assert.deepEqual(take(output), []);
});

test('large responses are cut greedily for those who ask, each piece under the limit', () => {
  const limit = 290;
  const { store, output, stream } = start({ options: { fragmentBytes: limit } });
  stream.create(wish({ key: '\0', rangeEnd: '\0', fragment: true }));
  stream.create(wish({ key: '\0', rangeEnd: '\0' }));
  output.take();
  const value = 'x'.repeat(80);
  store.write(['a', 'b', 'c', 'd', 'e'].map((put) => ({ put, value })));
  store.write([{ put: 'f', value: 'x'.repeat(400) }]);
  store.write([
    { put: 'g', value: 'x'.repeat(400) },
    { put: 'h', value: '' },
  ]);
  const seen = output.take();
  assert.deepEqual(seen.filter((each) => each.watchId === 0).map(short), [
    '0@2 fragment a@2 b@2',
    '0@2 fragment c@2 d@2',
    '0@2 e@2',
    '0@3 f@3',
    '0@4 fragment g@4',
    '0@4 h@4',
  ]);
  assert.deepEqual(
    seen.filter((each) => each.watchId === 1).map((each) => each.events.length),
    [5, 1, 2],
  );
});

test('a full output makes watchers fall behind; they read again from where they were', () => {
  const { store, clock, output, stream } = start({ capacity: 2 });
  stream.create(wish());
  for (let i = 0; i < 5; i++) store.put('foo');
  stream.requestProgress();
  assert.equal(stream.isFull, true);
  assert.deepEqual(take(output), ['0@1 created', '0@2 foo@2']);
  store.put('foo');
  clock.settle();
  assert.deepEqual(take(output), ['0@7 foo@3 foo@4 foo@5 foo@6 foo@7']);
  store.put('foo');
  assert.deepEqual(take(output), ['0@8 foo@8']);
});

test('where all streams together hold too much, a watcher that is behind waits, and reads on from where it was', () => {
  const { store, clock, output, stream } = start();
  for (let i = 0; i < 5; i++) store.put('foo');
  output.press(true);
  stream.create(wish({ startRevision: 3 }));
  clock.settle();
  assert.deepEqual(take(output), ['0@6 created']);
  store.put('foo');
  clock.settle();
  assert.deepEqual(take(output), []);
  output.press(false);
  clock.settle();
  assert.deepEqual(take(output), ['0@7 foo@3 foo@4 foo@5 foo@6 foo@7']);
  store.put('foo');
  assert.deepEqual(take(output), ['0@8 foo@8']);
});

test('and is cancelled when what it needs is compacted meanwhile', () => {
  const { store, clock, output, stream } = start();
  for (let i = 0; i < 5; i++) store.put('foo');
  output.press(true);
  stream.create(wish({ startRevision: 2 }));
  clock.settle();
  store.compact(4);
  output.press(false);
  clock.settle();
  assert.deepEqual(take(output), ['0@6 created', '0@0 canceled compact=4']);
});

test('a watcher behind a full output is cancelled when what it needs is compacted', () => {
  const { store, output, stream } = start({ capacity: 1 });
  stream.create(wish());
  for (let i = 0; i < 5; i++) store.put('foo');
  store.compact(3);
  assert.deepEqual(take(output), ['0@1 created']);
  assert.deepEqual(take(output), ['0@0 canceled compact=3']);
});

test('answers behind a full output keep their order and hold back further requests', () => {
  const { output, stream } = start({ capacity: 1 });
  let isWelcome = true;
  let requests = 0;
  while (isWelcome && requests < 1000) {
    isWelcome = stream.create(wish());
    requests++;
  }
  assert.equal(requests, 129);
  assert.equal(stream.isBacklogged, true);
  const ids: number[] = [];
  for (let taken = output.take(); taken.length > 0; taken = output.take())
    ids.push(...taken.map((each) => each.watchId));
  assert.deepEqual(
    ids,
    Array.from({ length: 129 }, (_, i) => i),
  );
  assert.equal(stream.isBacklogged, false);
});

test('a closed stream is silent and leaves nothing behind', () => {
  const { store, clock, output, stream, hub } = start({ options: { progressIntervalMs: 100 } });
  stream.create(wish({ progressNotify: true }));
  stream.create(wish({ key: 'a', rangeEnd: 'b', startRevision: 1 }));
  output.take();
  stream.close();
  stream.close();
  store.put('foo');
  clock.advance(1000);
  assert.deepEqual(take(output), []);
  assert.deepEqual(
    JSON.stringify(hub, ['watcherCount', 'syncedCount', 'behindCount']),
    '{"watcherCount":0,"syncedCount":0,"behindCount":0}',
  );
});

test('after a leader snapshot watchers go on from where they were', () => {
  const { store, clock, output, stream, hub } = start();
  stream.create(wish());
  stream.create(wish({ startRevision: 6 }));
  store.put('foo');
  const snapshot = new NaiveStore();
  for (let i = 0; i < 5; i++) snapshot.put('foo');
  hub.restore(snapshot);
  snapshot.setSink(hub);
  clock.settle();
  snapshot.put('foo');
  assert.deepEqual(take(output).sort(), [
    '0@1 created',
    '0@2 foo@2',
    '0@6 foo@3 foo@4 foo@5 foo@6',
    '0@7 foo@7',
    '1@1 created',
    '1@6 foo@6',
    '1@7 foo@7',
  ]);
});

test('a long way back does not hold up a short one', () => {
  const { store, clock, output, stream } = start({ options: { changesPerSliceMax: 100 } });
  for (let i = 0; i < 5000; i++) store.put('foo');
  stream.create(wish({ startRevision: 2 }));
  clock.turn();
  stream.create(wish({ startRevision: 4999 }));
  clock.turn();
  clock.turn();
  assert.deepEqual(take(output), ['0@5001 created', '1@5001 created', '1@5001 foo@4999 foo@5000 foo@5001']);
  clock.settle();
  assert.equal(
    output.take().reduce((sum, each) => sum + each.events.length, 0),
    5000,
  );
});

test('watchers of the same past share one reading of it', () => {
  const { store, clock, hub } = start();
  for (let i = 0; i < 500; i++) store.put('foo');
  let visits = 0;
  const read = store.readChanges.bind(store);
  store.readChanges = (from, to, visit) =>
    read(from, to, (revision, event) => {
      visits++;
      return visit(revision, event);
    });
  const outputs = Array.from({ length: 100 }, (_, i) => {
    const output = new TestOutput();
    hub.openStream(output).create(wish({ startRevision: 2 + i }));
    return output;
  });
  clock.settle();
  assert.ok(visits <= 510, `${visits} visits`);
  outputs.forEach((output, i) => {
    assert.equal(
      output.take().reduce((sum, each) => sum + each.events.length, 0),
      500 - i,
    );
  });
});

test('a slice of catch-up ends when its time is up', () => {
  const { store, clock, output, stream } = start({ options: { revisionsPerBatchMax: 10 } });
  for (let i = 0; i < 2000; i++) store.put('foo');
  stream.create(wish({ startRevision: 2 }));
  clock.stepMs = 1;
  let most = 0;
  let seen = 0;
  while (clock.hasDeferred) {
    clock.turn();
    const events = output.take().reduce((sum, each) => sum + each.events.length, 0);
    most = Math.max(most, events);
    seen += events;
  }
  assert.equal(seen, 2000);
  // Two looks at a clock that gains 1 ms a look, one look in 64 steps of which each event takes two.
  assert.ok(most <= 128, `${most} events in one slice`);
});

test('the same response to many streams is encoded once', () => {
  const { store, hub } = start();
  const heads = new Set<Uint8Array>();
  const bodies = new Set<Uint8Array>();
  for (let i = 0; i < 50; i++) {
    const output = {
      send(head: Uint8Array, body: Uint8Array) {
        heads.add(head);
        bodies.add(body);
        return true;
      },
      hasRoom: () => true,
      onDrain() {},
    };
    hub.openStream(output).create(wish());
  }
  heads.clear();
  bodies.clear();
  store.put('foo', 'x'.repeat(5000));
  assert.deepEqual([heads.size, bodies.size], [1, 1]);
  assert.equal([...bodies][0]?.length, 5020);
});

for (const [name, startRevision] of [
  ['as it is written', 0],
  ['from the past', 2],
] as const) {
  test(`a large value is in memory once, by whatever range it is watched: ${name}`, () => {
    const { store, clock, hub } = start();
    const bodies = new Set<Uint8Array>();
    const seen: SeenResponse[] = [];
    const write = () => {
      store.put('foo', 'x'.repeat(20_000));
    };
    if (startRevision !== 0) write();
    const wishes: Wish[] = [{}, { rangeEnd: 'fop' }, { rangeEnd: 'g' }, { prevKv: true }, { fragment: true }];
    for (const each of wishes) {
      const output = {
        send(head: Uint8Array, body: Uint8Array) {
          if (body.length > 0) bodies.add(body);
          seen.push(decodeResponse(concatBytes([head, body])));
          return true;
        },
        hasRoom: () => true,
        onDrain() {},
      };
      hub.openStream(output).create(wish({ ...each, startRevision }));
    }
    if (startRevision === 0) write();
    clock.settle();
    assert.equal(new Set([...bodies].map((body) => body.buffer)).size, 1);
    const events = seen.flatMap((response) => response.events);
    assert.equal(events.length, wishes.length);
    for (const event of events) {
      assert.deepEqual([event.type, nameOf(event.keyValue), event.previous], [0, 'foo@2', undefined]);
      assert.ok(event.keyValue.length > 20_000);
    }
    // With the value before it there is no such sharing; the bytes are right all the same.
    seen.length = 0;
    write();
    clock.settle();
    const previous = seen.flatMap((response) => response.events).flatMap((event) => event.previous ?? []);
    assert.deepEqual([seen.length, previous.map(nameOf)], [wishes.length, ['foo@2']]);
  });
}
