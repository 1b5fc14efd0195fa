import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errors, etcdserverpb } from '@quorate/api';
import type { History, KeyValueRequest, Operation, Outcome } from '../history/history.ts';
import type { ModelRequest } from '../model/state.ts';
import { compact, del, grant, put, range, revoke, txn } from '../model/testing/requests.ts';
import { checkAnswers } from './answers.ts';
import { checkRealTime } from './real-time.ts';
import { replayLog } from './replay.ts';
import { Scene } from './testing/scene.ts';

function answersOf(history: History): string[] {
  return checkAnswers(history, replayLog(history.log)).map(({ text }) => text);
}

function timesOf(history: History): string[] {
  return checkRealTime(history, replayLog(history.log)).map(({ text }) => text);
}

const setRevision = (revision: number) => (response: { message: { header: { revision: number } | undefined } }) => {
  if (response.message.header !== undefined) response.message.header.revision = revision;
};

test('a history with something of everything is in order', () => {
  const scene = new Scene()
    .entry(grant(1n))
    .call(put('a', '1', { lease: 1n }))
    .call(put('b', '2', { lease: 2n }))
    .call(range('a', '\0'))
    .call(txn([], [put('c', '3'), del('a'), range('a', '\0')]))
    .call(txn([], [range('a'), range('c')]))
    .call(del('x'))
    .call(del('x'))
    .entry(revoke(1n))
    .lost(put('d', '4'), true)
    .lost(put('e', '5'), false)
    .call(range('a', '\0', { revision: 2 }))
    .call(compact(3))
    .call(compact(3))
    .call(range('a', '\0', { revision: 2 }))
    .call(range('a', '', { revision: 9 }));
  assert.deepEqual(answersOf(scene.history()), []);
  assert.deepEqual(timesOf(scene.history()), []);
  assert.equal(scene.operations.filter(({ outcome }) => outcome.kind === 'refused').length, 4);
});

test('an acknowledged write that is not in the log', () => {
  const scene = new Scene().call(put('a', '1')).call(put('b', '2'));
  scene.log.pop();
  const name = 'operation 2 (client 1 at m1, put "b")';
  assert.deepEqual(answersOf(scene.history()), [`${name} was acknowledged at revision 3, but is not in the log`]);
});

test('an acknowledged write that the log has elsewhere', () => {
  const scene = new Scene().call(put('a', '1')).call(put('b', '2')).call(put('c', '3'));
  const [name, there] = ['operation 3 (client 1 at m1, put "c")', 'entry 2 at revision 3 (put "b")'];
  assert.deepEqual(answersOf(scene.withLast(setRevision(3))), [
    `${name} was acknowledged at revision 3, but that is ${there}; in the log it is entry 3 at revision 4`,
  ]);
});

test('an acknowledged write that was refused in the log', () => {
  const scene = new Scene().call(put('a', '1'));
  scene.lost(put('b', '', { lease: 3n }), true, scene.operations[0]?.outcome);
  assert.deepEqual(answersOf(scene.history()), [
    'operation 2 (client 1 at m1, put "b") was acknowledged, but entry 2 (put "b") was refused',
  ]);
});

test('two calls that one entry answers', () => {
  const scene = new Scene().call(del('a')).call(del('a'));
  scene.log.pop();
  assert.deepEqual(answersOf(scene.history()), [
    'operation 2 (client 1 at m1, delete "a") was acknowledged by entry 1, which is that of operation 1 (client 1 at m1, delete "a")',
  ]);
});

test('a write that is done twice, or though it was refused', () => {
  const twice = new Scene().lost(put('a', '1'), true).entry(put('a', '1'));
  assert.deepEqual(answersOf(twice.history()), [
    'operation 1 (client 1 at m1, put "a") was made once, but is in the log 2 times: entry 1 at revision 2, entry 2 at revision 3',
  ]);
  const refused = (symbol: 'ErrGRPCLeaseNotFound' | 'ErrGRPCNoSpace'): Outcome => {
    return { kind: 'refused', code: errors[symbol].code, text: errors[symbol].message };
  };
  const done = new Scene().lost(put('a', '1'), true, refused('ErrGRPCLeaseNotFound'));
  assert.deepEqual(answersOf(done.history()), [
    'operation 1 (client 1 at m1, put "a") was refused (etcdserver: requested lease not found), but is done: entry 1 at revision 2',
  ]);
  const beyondQuota = new Scene().lost(put('a', '1'), true, refused('ErrGRPCNoSpace'));
  assert.deepEqual(answersOf(beyondQuota.history()), []);
});

test('answers that are not those of the place in the log', () => {
  const scene = new Scene().call(put('a', '1')).call(put('a', '2', { prevKv: true }));
  const wrong = scene.withLast((response) => {
    if (response.method === 'put' && response.message.prevKv !== undefined) response.message.prevKv.version = 2;
  });
  assert.deepEqual(answersOf(wrong), [
    'operation 2 (client 1 at m1, put "a") was not answered as entry 2, revision 3, must be: prevKv.version is 2, must be 1',
  ]);
  const nested = new Scene().call(put('a', '1')).call(txn([], [del('a')]));
  const nothingDeleted = nested.withLast((response) => {
    const deleted = response.method === 'txn' && response.message.responses[0]?.responseDeleteRange;
    if (deleted) deleted.deleted = 0;
  });
  assert.match(answersOf(nothingDeleted).join(), /responses\[0\].responseDeleteRange.deleted is 0, must be 1$/);
});

test('reads that do not show the state of their revision', () => {
  const scene = new Scene().call(put('a', '1')).call(put('b', '2')).call(range('a', '\0'));
  const name = 'operation 3 (client 1 at m1, range ["a", "\\u0000"))';
  assert.deepEqual(answersOf(scene.withLast(setRevision(2))), [
    `${name} does not show the state of revision 2: kvs has "b"="2"@3 as [1]`,
  ]);
  assert.deepEqual(answersOf(scene.withLast(setRevision(4))), [
    `${name} was answered at revision 4, but the last one is 3`,
  ]);
  const future = new Scene().call(put('a', '1')).call(range('a', '', { revision: 2 }));
  assert.match(answersOf(future.withLast(setRevision(1))).join(), /should have been refused.*future revision/);
});

test('stale reads, by what clients and watches knew before', () => {
  const times = { invokedMs: 20, returnedMs: 24 };
  const scene = new Scene()
    .call(put('a', '1'))
    .call(put('b', '2'))
    .call(range('a'), { client: 2, ...times, invokedMs: 26 });
  const stale = scene.withLast(setRevision(2));
  const name = 'operation 3 (client 2 at m1, range "a")';
  const known = 'but 3 was known before it began (operation 2 (client 1 at m1, put "b"))';
  assert.deepEqual(timesOf(stale), [`${name} is stale: it tells revision 2, ${known}`]);
  const concurrent = new Scene()
    .call(put('a', '1'))
    .call(put('b', '2'))
    .call(range('a'), { client: 2, ...times });
  assert.deepEqual(timesOf(concurrent.withLast(setRevision(2))), []);
});

test('what a client asks at one time may be answered in another order', () => {
  const scene = new Scene().call(put('a', '1')).call(put('b', '2'), { returnedMs: 50 }).call(range('a'));
  assert.deepEqual(timesOf(scene.withLast(setRevision(2))), []);
  const after = new Scene().call(put('a', '1')).call(put('b', '2'), { returnedMs: 30 }).call(range('a'));
  assert.match(timesOf(after.withLast(setRevision(2))).join(), /is stale: it tells revision 2, but 3 was known/);
});

test('serializable reads may be stale, but not go back at one member', () => {
  const scene = new Scene()
    .call(put('a', '1'))
    .call(put('b', '2'))
    .call(range('a', '', { serializable: true }), { member: 'm2' });
  assert.deepEqual(timesOf(scene.withLast(setRevision(2))), []);
  scene.call(range('a', '', { serializable: true }), { member: 'm2' });
  assert.deepEqual(timesOf(scene.withLast(setRevision(2))), [
    'operation 4 (client 1 at m2, range "a") tells revision 2, but m2 had told this client 3 (operation 3 (client 1 at m2, range "a"))',
  ]);
});

test('writes that the log has in another order than clients saw', () => {
  const scene = new Scene().call(put('a', '1')).call(put('b', '2'));
  const [first, second] = scene.operations as [Operation, Operation];
  const later = { invokedMs: 100, returnedMs: 105 };
  assert.deepEqual(
    timesOf(
      scene.history([
        { ...first, ...later },
        { ...second, client: 2 },
      ]),
    ),
    [
      'operation 1 (client 1 at m1, put "a") was done at revision 2, but 3 was known before it began (operation 2 (client 2 at m1, put "b"))',
    ],
  );
  // Also when nobody heard of the outcome.
  const lost = new Scene().lost(put('a', '1'), true).call(put('b', '2'));
  const [unknown, known] = lost.operations as [Operation, Operation];
  const operations = [
    { ...unknown, invokedMs: 100 },
    { ...known, client: 2 },
  ];
  assert.match(timesOf(lost.history(operations)).join(), /^operation 1 .* was done at revision 2, but 3 was known/);
});

test('refusals that were not due', () => {
  const text = (request: KeyValueRequest, symbol: 'ErrGRPCFutureRev' | 'ErrGRPCCompacted') => {
    const scene = new Scene().call(put('a', '1')).call(put('a', '2'));
    const outcome: Outcome = { kind: 'refused', code: errors[symbol].code, text: errors[symbol].message };
    return timesOf(scene.lost(request, false, outcome).history()).join();
  };
  assert.match(text(range('a', '', { revision: 3 }), 'ErrGRPCFutureRev'), /refused as of the future, but 3 was known/);
  assert.equal(text(range('a', '', { revision: 4 }), 'ErrGRPCFutureRev'), '');
  assert.match(text(range('a', '', { revision: 2 }), 'ErrGRPCCompacted'), /refused as compacted, but only -1 ever was/);
  assert.match(text(compact(2), 'ErrGRPCCompacted'), /refused as compacted, but only -1 ever was/);
});

test('what is compacted is not read any more', () => {
  const scene = new Scene()
    .call(put('a', '1'))
    .call(put('a', '2'))
    .call(range('a', '', { revision: 2 }));
  const [first, second, read] = scene.operations as [Operation, Operation, Operation];
  const later = new Scene().call(put('a', '1')).call(put('a', '2')).call(compact(3));
  const compaction = later.operations[2] as Operation;
  const history: History = {
    ...later.history([first, second, compaction, { ...read, id: 4, invokedMs: 50, returnedMs: 55 }]),
  };
  assert.deepEqual(timesOf(history), [
    'operation 4 (client 1 at m1, range "a") was answered at 2, but that was compacted before it began (operation 3 (client 1 at m1, compact 3))',
  ]);
});

test('a write that is denied when it is applied changes nothing', () => {
  const add = (request: Partial<etcdserverpb.InternalRaftRequest>) => {
    const entry = etcdserverpb.InternalRaftRequest.create(request);
    scene.log.push({ index: scene.log.length + 1, term: 1, data: etcdserverpb.InternalRaftRequest.encode(entry) });
  };
  const scene = new Scene().call(put('a', '1'));
  add({ authUserAdd: etcdserverpb.AuthUserAddRequest.create({ name: 'root' }) });
  add({ authUserGrantRole: etcdserverpb.AuthUserGrantRoleRequest.create({ user: 'root', role: 'root' }) });
  add({ authEnable: etcdserverpb.AuthEnableRequest.create() });
  scene.call(put('b', '1'));
  assert.deepEqual(answersOf(scene.history()), [
    'operation 2 (client 1 at m1, put "b") was acknowledged, but entry 5 (put "b") was refused',
  ]);
});

test('entries that are not about keys are passed over', () => {
  const scene = new Scene().call(put('a', '1'));
  scene.log.push({ index: 2, term: 1, data: new Uint8Array(0) });
  const requests: ModelRequest[] = [grant(1n), revoke(1n)];
  for (const request of requests) scene.entry(request);
  assert.equal(replayLog(scene.log).revision, 2);
});
