import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, mvccpb } from '@quorate/api';
import { latin1FromBytes, latin1ToBytes } from '@quorate/base';
import type { History, WatchRecord } from '../history/history.ts';
import { compact, del, put, txn } from '../model/testing/requests.ts';
import { replayLog } from './replay.ts';
import { randomHistory } from './testing/random-history.ts';
import { clone, Scene } from './testing/scene.ts';
import { checkWatches } from './watch.ts';
import { expectedEvents } from './watch-events.ts';

type Response = Partial<etcdserverpb.WatchResponse>;

/** Revisions: 2 put a, 3 put b, 4 put a, 5 delete a and b, 6 put x, y and z, 7 put a. */
const scene = new Scene()
  .entry(put('a', '1'))
  .entry(put('b', '1'))
  .entry(put('a', '2'))
  .entry(del('a', 'c'))
  .entry(txn([], [put('x', '1'), put('y', '1'), put('z', '1')]))
  .entry(put('a', '3'));
const replay = replayLog(scene.log);

const header = (revision: number) => etcdserverpb.ResponseHeader.create({ revision });

/** All there is to tell of some revisions. */
function eventsOf(...revisions: number[]): mvccpb.Event[] {
  return revisions.flatMap((revision) => clone([...replay.model.eventsOf(revision)]));
}

/** An answer with all events of revisions, at the last of them. */
function tell(...revisions: number[]): Response {
  return { events: eventsOf(...revisions), header: header(revisions.at(-1) ?? 0) };
}

const progress = (revision: number): Response => ({ header: header(revision) });

/** A watch of everything with previous values, unless the fields say otherwise; created at revision 1. */
function watch(
  responses: readonly Response[],
  fields: Partial<etcdserverpb.WatchCreateRequest> = {},
  createdRevision = 1,
): WatchRecord {
  const all = { key: latin1ToBytes('\0'), rangeEnd: latin1ToBytes('\0'), prevKv: true };
  const created = { created: true, header: header(createdRevision) };
  const messages = [created, ...responses].map((response) =>
    etcdserverpb.WatchResponse.create({ watchId: 3, events: [], ...response }),
  );
  return {
    id: 1,
    client: 2,
    member: 'm1',
    request: etcdserverpb.WatchCreateRequest.create({ ...all, ...fields }),
    invokedMs: 0,
    responses: messages.map((message, i) => ({ atMs: i, message })),
    completeTo: 0,
  };
}

/** What is wrong with a watch, without its name. */
function problemOf(record: WatchRecord, of = replay): string | undefined {
  const history: History = { operations: [], watches: [record], log: [] };
  const [violation, ...others] = checkWatches(history, of);
  assert.equal(others.length, 0);
  const name = /^watch 1 \(client 2 at m1, (?:\[.*?\)|"[^"]*")(?: from \d+)?\) /;
  if (violation !== undefined) assert.match(violation.text, name);
  return violation?.text.replace(name, '').replace(/ \(at \d+ ms\)$/, '');
}

function tellChanged(revision: number, change: (event: mvccpb.Event) => void): WatchRecord {
  const answer = tell(revision);
  for (const event of answer.events?.slice(0, 1) ?? []) change(event);
  const before = Array.from({ length: revision - 2 }, (_, i) => tell(i + 2));
  return watch([...before, answer]);
}

test('watches that tell everything are in order', () => {
  const all = [2, 3, 4, 5, 6, 7].map((revision) => tell(revision));
  assert.equal(problemOf({ ...watch(all), completeTo: Number.MAX_SAFE_INTEGER }), undefined);
  assert.equal(problemOf(watch([tell(2, 3, 4), progress(4), tell(5, 6), progress(6)])), undefined);
  assert.equal(problemOf(watch([tell(6), tell(7)], { startRevision: 6 }, 2)), undefined);
  assert.equal(problemOf(watch([tell(7)], {}, 6)), undefined);
  const onlyB = { key: latin1ToBytes('b'), rangeEnd: latin1ToBytes('') };
  const [, deleteB] = eventsOf(5) as [mvccpb.Event, mvccpb.Event];
  assert.equal(problemOf(watch([tell(3), progress(4), { events: [deleteB], header: header(5) }], onlyB)), undefined);
  const { NOPUT, NODELETE } = etcdserverpb.FilterType;
  assert.equal(problemOf(watch([progress(3), tell(5), progress(7)], { filters: [NOPUT] })), undefined);
  assert.equal(problemOf(watch([tell(2, 3, 4), tell(6, 7)], { filters: [NODELETE] })), undefined);
});

test('gaps, repetitions and the wrong order', () => {
  assert.equal(problemOf(watch([tell(2), tell(4)])), 'has the put of "a" at 4 before the put of "b" at 3');
  assert.equal(problemOf(watch([tell(2), tell(2)])), 'has the put of "a" at 2 again, after it told 2');
  assert.equal(problemOf(watch([tell(2), tell(3), tell(2)])), 'has the put of "a" at 2 again, after it told 3');
  const answer = tell(2, 3, 4, 5);
  answer.events = [...(answer.events?.slice(0, 3) ?? []), ...(answer.events?.slice(3).reverse() ?? [])];
  assert.equal(problemOf(watch([answer])), 'has the delete of "b" at 5 before the delete of "a" at 5');
  const all = [2, 3, 4, 5, 6].map((revision) => tell(revision));
  assert.equal(
    problemOf({ ...watch(all), completeTo: Number.MAX_SAFE_INTEGER }),
    'ended without the put of "a" at 7, although it had the time',
  );
  assert.equal(problemOf({ ...watch(all), completeTo: 6 }), undefined);
});

test('the start', () => {
  assert.equal(
    problemOf(watch([tell(5), tell(6)], { startRevision: 6 }, 2)),
    'has the delete of "a" at 5, from before its start at 6',
  );
  assert.equal(
    problemOf(watch([tell(7)], { startRevision: 6 }, 2)),
    'has the put of "a" at 7 before the put of "x" at 6',
  );
  assert.equal(problemOf(watch([tell(6)], {}, 6)), 'has the put of "x" at 6, from before its start at 7');
  assert.equal(
    problemOf(watch([progress(4)], { startRevision: 6 }, 4)),
    'has a progress notice of 4, before its start',
  );
});

test('a revision comes as a whole', () => {
  const [x, y, z] = eventsOf(6) as [mvccpb.Event, mvccpb.Event, mvccpb.Event];
  const start = { startRevision: 6 };
  const part = { events: [x, y], header: header(6) };
  const rest = { events: [z], header: header(6) };
  assert.equal(problemOf(watch([part, rest], start)), 'has an answer with a part of revision 6 only');
  const parts = [{ ...part, fragment: true }, rest];
  assert.equal(problemOf(watch(parts, start)), 'has an answer in parts, which it did not ask for');
  assert.equal(problemOf(watch(parts, { ...start, fragment: true })), undefined);
  assert.equal(
    problemOf(watch([{ ...part, fragment: true }, progress(6), rest], { ...start, fragment: true })),
    'has a progress notice between the parts of an answer',
  );
});

test('progress notices come after the events', () => {
  assert.equal(problemOf(watch([tell(2), progress(3)])), 'has a progress notice of 3 before the put of "b" at 3');
  assert.equal(problemOf(watch([tell(2), tell(3), progress(2)])), 'has a progress notice of 2 after it told 3');
  assert.equal(problemOf(watch([progress(1)])), undefined);
  const all = tell(2, 3, 4, 5, 6, 7);
  assert.equal(problemOf(watch([all, progress(8)])), 'has a progress notice of 8, but the last revision is 7');
});

test('what it is not about', () => {
  const onlyA = { key: latin1ToBytes('a'), rangeEnd: latin1ToBytes('') };
  assert.equal(problemOf(watch([tell(2), tell(3)], onlyA)), 'has the put of "b" at 3, which it is not about');
  const { NOPUT } = etcdserverpb.FilterType;
  assert.equal(problemOf(watch([tell(2)], { filters: [NOPUT] })), 'has the put of "a" at 2, which it is not about');
});

test('what is told must be true', () => {
  const problem = (revision: number, change: (event: mvccpb.Event) => void) => problemOf(tellChanged(revision, change));
  const kvOf = ({ kv }: mvccpb.Event) => kv as mvccpb.KeyValue;
  const value = latin1ToBytes('9');
  assert.equal(
    problem(2, (event) => Object.assign(kvOf(event), { value })),
    'tells the put of "a" at 2 wrongly: kv.value is "9", must be "1"',
  );
  assert.equal(
    problem(4, (event) => Object.assign(kvOf(event), { createRevision: 4 })),
    'tells the put of "a" at 4 wrongly: kv.createRevision is 4, must be 2',
  );
  assert.equal(
    problem(4, (event) => Object.assign(event, { prevKv: undefined })),
    'tells the put of "a" at 4 wrongly: prevKv is missing, must be "a"="1"@2',
  );
  assert.equal(
    problem(7, (event) => Object.assign(event, { prevKv: clone(event.kv) })),
    'tells the put of "a" at 7 wrongly: prevKv is "a"="3"@7, must be missing',
  );
  assert.equal(
    problem(4, (event) => Object.assign(event, { type: mvccpb.EventType.DELETE })),
    'has the delete of "a" at 4, which never happened',
  );
  assert.match(problemOf(watch([tell(2, 3, 4)], { prevKv: false })) ?? '', /prevKv is "a"="1"@2, must be missing$/);
});

test('ends', () => {
  const compacted = replayLog(new Scene().entry(put('a', '1')).entry(put('a', '2')).entry(compact(3)).log);
  const end = (compactRevision: number) => ({ canceled: true, compactRevision, header: header(0) });
  const from = (startRevision: number, revision: number) =>
    problemOf(watch([end(revision)], { startRevision }), compacted);
  assert.equal(from(2, 3), undefined);
  assert.equal(from(3, 3), 'was cancelled for the compaction at 3, but needed only 3 and later');
  assert.equal(from(1, 2), 'was cancelled for a compaction at 2, which never was');
  assert.equal(problemOf(watch([{ canceled: true }])), undefined);
  assert.equal(problemOf(watch([{ canceled: true }, tell(2)])), 'goes on after its end');
  assert.equal(problemOf(watch([{ created: true }])), 'was created a second time');
  assert.equal(problemOf(watch([{ ...tell(2), watchId: 4 }])), 'got an answer to watch id 4, its own is 3');
  assert.equal(problemOf(watch([{ ...progress(1), watchId: -1 }])), undefined);
  // A previous value that is compacted may be missing.
  const [event] = clone([...compacted.model.eventsOf(3)]) as [mvccpb.Event];
  const late = { events: [{ ...event, prevKv: undefined }], header: header(3) };
  assert.equal(problemOf(watch([late], { startRevision: 3 }), compacted), undefined);
});

test('watches of random histories are in order, and none is once an event is missing', () => {
  let removed = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const history = randomHistory(seed, { operations: 40, watches: 4 });
    const all = replayLog(history.log);
    assert.deepEqual(checkWatches(history, all), [], `seed ${seed}`);
    for (const record of history.watches) {
      const at = record.responses.findIndex(({ message }) => message.events.length > 0);
      if (at < 0) continue;
      const responses = record.responses.map(({ atMs, message }, i) =>
        i === at ? { atMs, message: { ...message, events: message.events.slice(1) } } : { atMs, message },
      );
      const { key } = record.responses[at]?.message.events[0]?.kv ?? { key: latin1ToBytes('?') };
      const found = checkWatches({ ...history, watches: [{ ...record, responses }] }, all);
      assert.equal(found.length, 1, `seed ${seed}, ${latin1FromBytes(key)}`);
      removed += 1;
    }
    const [first] = history.watches as [WatchRecord];
    const created = first.responses[0]?.message.header?.revision ?? 0;
    assert.ok([...expectedEvents(all, first.request, created)].every(({ events }) => events.length > 0));
  }
  assert.ok(removed > 200);
});
