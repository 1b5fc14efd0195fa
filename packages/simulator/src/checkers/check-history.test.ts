import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { mvccpb } from '@quorate/api';
import { nextBelow, SeededRandom } from '@quorate/base';
import type { History, KeyValueResponse, Operation, WatchRecord } from '../history/history.ts';
import { checkHistory } from './check-history.ts';
import { checkKeyValueOrder } from './key-value-order.ts';
import { isRead, isSerializable } from './operations.ts';
import { randomHistory } from './testing/random-history.ts';
import { clone } from './testing/scene.ts';

function textsOf(history: History): string[] {
  return checkHistory(history, { orderStepsMax: 20_000 }).violations.map(({ checker, text }) => `${checker}: ${text}`);
}

test('random histories that are correct are found so', () => {
  let [unknown, undecided, events] = [0, 0, 0];
  for (let seed = 1; seed <= 700; seed++) {
    const history = randomHistory(seed, { operations: 30, watches: 2, unknownOneIn: seed % 3 === 0 ? 6 : 0 });
    const { violations, statistics } = checkHistory(history);
    assert.deepEqual(violations, [], `seed ${seed}`);
    unknown += statistics.unknown;
    undecided += statistics.undecidedGroups;
    events += statistics.events;
  }
  assert.ok(unknown > 500 && events > 1000);
  assert.equal(undecided, 0);
});

/** Lies about one thing in an answer; false when there is no such thing in it. */
const lies: readonly ((response: KeyValueResponse) => boolean)[] = [
  ({ message: { header } }) =>
    header !== undefined && Object.assign(header, { revision: header.revision + 1000 }) !== undefined,
  (response) => response.method === 'range' && ++response.message.count > 0,
  (response) => response.method === 'range' && response.message.kvs.pop() !== undefined,
  (response) => response.method === 'delete' && ++response.message.deleted > 0,
  (response) => response.method === 'delete' && response.message.prevKvs.pop() !== undefined,
  (response) => response.method === 'txn' && response.message.responses.pop() !== undefined,
  (response) =>
    response.method === 'txn' &&
    Object.assign(response.message, { succeeded: !response.message.succeeded }) !== undefined,
  (response) => keyValuesIn(response).some((keyValue) => ++keyValue.version > 0),
  (response) => keyValuesIn(response).some((keyValue) => ++keyValue.createRevision > 0),
  (response) => keyValuesIn(response).some((keyValue) => --keyValue.modRevision > 0),
];

function keyValuesIn(response: KeyValueResponse): mvccpb.KeyValue[] {
  if (response.method === 'range') return response.message.kvs;
  if (response.method === 'delete') return response.message.prevKvs;
  if (response.method !== 'put' || response.message.prevKv === undefined) return [];
  return [response.message.prevKv];
}

/** The history with a lie in some answer that a predicate takes, if there is one that can be told. */
function withLie(
  history: History,
  random: SeededRandom,
  lie: (response: KeyValueResponse) => boolean,
  isWanted: (operation: Operation) => boolean = () => true,
): History | undefined {
  const { operations } = history;
  const start = nextBelow(random, operations.length);
  for (let i = 0; i < operations.length; i++) {
    const at = (start + i) % operations.length;
    const operation = operations[at] as Operation;
    if (operation.outcome.kind !== 'ok' || !isWanted(operation)) continue;
    const response = clone(operation.outcome.response);
    if (!lie(response)) continue;
    const changed: Operation = { ...operation, outcome: { kind: 'ok', response } };
    return { ...history, operations: operations.with(at, changed) };
  }
  return undefined;
}

test('one lie in one answer is found', () => {
  const found = lies.map(() => 0);
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed);
    const history = randomHistory(seed, { operations: 30, unknownOneIn: 10 });
    lies.forEach((lie, i) => {
      const changed = withLie(history, random, lie);
      if (changed === undefined) return;
      assert.notDeepEqual(textsOf(changed), [], `seed ${seed}, lie ${i}`);
      found[i] = (found[i] ?? 0) + 1;
    });
  }
  assert.ok(Math.min(...found) > 15, found.join());
});

test('one lie about a version is found without the log too', () => {
  let found = 0;
  const lie = lies[7] as (response: KeyValueResponse) => boolean;
  for (let seed = 1; seed <= 200; seed++) {
    const history = randomHistory(seed, { operations: 40 });
    const isWanted = ({ request }: Operation) =>
      !isSerializable(request) && !(request.method === 'range' && request.message.revision > 0);
    const changed = withLie(history, new SeededRandom(seed), lie, isWanted);
    if (changed === undefined) continue;
    const { violations } = checkKeyValueOrder({ ...changed, log: [], watches: [] }, 100_000);
    assert.equal(violations.length, 1, `seed ${seed}`);
    found += 1;
  }
  assert.ok(found > 100, `${found}`);
});

test('an acknowledged write that is lost from the log is found', () => {
  let lost = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const history = randomHistory(seed, { operations: 20 });
    const last = history.operations.findLast(({ request, outcome }) => outcome.kind === 'ok' && !isRead(request));
    if (last === undefined) continue;
    // All that came after the last acknowledged write is lost with it.
    const entries = history.log.length - history.operations.slice(history.operations.indexOf(last)).length;
    assert.notDeepEqual(
      textsOf({ ...history, log: history.log.slice(0, Math.max(0, entries - 3)) }),
      [],
      `seed ${seed}`,
    );
    lost += 1;
  }
  assert.ok(lost > 90);
});

test('an event that is lost, told twice or told late is found', () => {
  let changed = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const history = randomHistory(seed, { operations: 30, watches: 1 });
    const [watch] = history.watches as [WatchRecord];
    const at = watch.responses.findIndex(({ message }) => message.events.length > 0);
    if (at < 0) continue;
    const response = watch.responses[at] as WatchRecord['responses'][number];
    const told = watch.responses;
    const others = [
      told.toSpliced(at, 1),
      told.toSpliced(at, 0, response),
      [...told.toSpliced(at, 1), response],
      told.with(at, { ...response, message: { ...response.message, watchId: 77 } }),
    ];
    for (const [i, responses] of others.entries()) {
      if (i === 2 && at === told.length - 1) continue;
      const texts = textsOf({ ...history, watches: [{ ...watch, responses }] });
      assert.match(texts.join(), /watch: watch 1/, `seed ${seed}, change ${i}`);
      changed += 1;
    }
  }
  assert.ok(changed > 100, `${changed}`);
});

test('a long history is checked whole', () => {
  const history = randomHistory(5, { operations: 4000, watches: 10, clients: 8, keys: 40, unknownOneIn: 200 });
  const { violations, statistics } = checkHistory(history);
  assert.deepEqual(violations, []);
  assert.equal(statistics.operations, 4000);
  assert.equal(statistics.undecidedGroups, 0);
});
