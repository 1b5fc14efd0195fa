// Rows of the table of edge cases (etcd's tests and clients rely on them) that concern KV, leases and alarms. The number in
// front of a name is the row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, mvccpb } from '@quorate/api';
import { latin1FromBytes, latin1ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { compare, deleteOp, putOp, rangeOp, TestMachine, txnOp } from './testing/test-machine.ts';

const clock = new NodeClock();
const { CompareResult, CompareTarget, SortOrder, SortTarget, AlarmAction, AlarmType } = etcdserverpb;
const bytes = latin1ToBytes;
const all = { key: bytes('\0'), rangeEnd: bytes('\0') };

/** Puts a, b, c with values 3, 2, 1 at revisions 2, 3, 4. */
async function abc(): Promise<TestMachine> {
  const machine = await TestMachine.open(clock);
  for (const [i, key] of ['a', 'b', 'c'].entries()) machine.put(key, String(3 - i));
  return machine;
}

function read(result: etcdserverpb.RangeResponse | string): string {
  if (typeof result === 'string') return result;
  const keys = result.kvs.map((kv) => `${latin1FromBytes(kv.key)}=${latin1FromBytes(kv.value)}`).join(' ');
  return `[${keys}] count ${result.count}${result.more ? ' more' : ''} rev ${result.header?.revision}`;
}

const rangeRows: [string, Partial<etcdserverpb.RangeRequest>, string][] = [
  ['2 empty key', { key: bytes('') }, 'ErrGRPCEmptyKey'],
  ['3 every key', all, '[a=3 b=2 c=1] count 3 rev 4'],
  ['4 empty interval', { key: bytes('c'), rangeEnd: bytes('c') }, '[] count 0 rev 4'],
  ['4 inverted interval', { key: bytes('d'), rangeEnd: bytes('b') }, '[] count 0 rev 4'],
  ['5 limit 2', { ...all, limit: 2 }, '[a=3 b=2] count 3 more rev 4'],
  ['6 limit 3', { ...all, limit: 3 }, '[a=3 b=2 c=1] count 3 rev 4'],
  ['7 limit -3', { ...all, limit: -3 }, '[a=3 b=2 c=1] count 3 rev 4'],
  ['8 limit 1, min_mod hides one', { ...all, limit: 1, minModRevision: 3 }, '[b=2] count 3 more rev 4'],
  ['9 count only', { ...all, countOnly: true, limit: 1, minModRevision: 4 }, '[] count 3 rev 4'],
  ['10 keys and count only', { ...all, countOnly: true, keysOnly: true }, '[] count 3 rev 4'],
  [
    '11 descending by equal versions',
    { ...all, sortOrder: SortOrder.DESCEND, sortTarget: SortTarget.VERSION },
    '[a=3 b=2 c=1] count 3 rev 4',
  ],
  ['12 no order by create', { ...all, sortTarget: SortTarget.CREATE }, '[a=3 b=2 c=1] count 3 rev 4'],
  ['13 no order by value, limit 1', { ...all, sortTarget: SortTarget.VALUE, limit: 1 }, '[b=2] count 3 more rev 4'],
  ['14 unknown target', { ...all, sortTarget: 100 }, 'ErrGRPCInvalidSortOption'],
  ['14 unknown order', { ...all, sortOrder: -1 }, 'ErrGRPCInvalidSortOption'],
  ['15 future', { ...all, revision: 5 }, 'ErrGRPCFutureRev'],
  ['18 revision -1', { ...all, revision: -1 }, '[a=3 b=2 c=1] count 3 rev 4'],
  ['19 old revision', { ...all, revision: 3 }, '[a=3 b=2] count 2 rev 4'],
  ['keys only', { ...all, keysOnly: true }, '[a= b= c=] count 3 rev 4'],
  ['descending', { ...all, sortOrder: SortOrder.DESCEND, limit: 2 }, '[c=1 b=2] count 3 more rev 4'],
  ['one key', { key: bytes('b') }, '[b=2] count 1 rev 4'],
  ['one key, filtered', { key: bytes('b'), maxModRevision: 2 }, '[] count 1 rev 4'],
  ['one missing key', { key: bytes('bb') }, '[] count 0 rev 4'],
  ['one key in the past', { key: bytes('b'), revision: 2 }, '[] count 0 rev 4'],
];

for (const [name, request, expected] of rangeRows) {
  test(`range ${name}`, async () => {
    assert.equal(read((await abc()).range(request)), expected);
  });
}

test('range 1: a new store', async () => {
  assert.equal(read((await TestMachine.open(clock)).range(all)), '[] count 0 rev 1');
});

test('range 16, 17, 56: at and below the compacted revision', async () => {
  const machine = await abc();
  machine.compact(3);
  assert.equal(read(machine.range({ ...all, revision: 3 })), '[a=3 b=2] count 2 rev 4');
  assert.equal(read(machine.range({ ...all, revision: 2 })), 'ErrGRPCCompacted');
  machine.compact(4);
  assert.equal(read(machine.range({ ...all, revision: 4 })), '[a=3 b=2 c=1] count 3 rev 4');
});

test('put 20 to 26', async () => {
  const machine = await abc();
  machine.grant(7n);
  assert.equal(machine.put('', 'v'), 'ErrGRPCEmptyKey');
  assert.equal(machine.put('a', 'v', { ignoreValue: true }), 'ErrGRPCValueProvided');
  assert.equal(machine.put('a', 'v', { ignoreLease: true, lease: 7n }), 'ErrGRPCLeaseProvided');
  assert.equal(machine.put('x', '', { ignoreValue: true }), 'ErrGRPCKeyNotFound');
  assert.equal(machine.put('x', '', { ignoreLease: true }), 'ErrGRPCKeyNotFound');
  assert.equal(machine.put('x', 'v', { lease: 9n }), 'ErrGRPCLeaseNotFound');
  assert.equal(machine.put('x', '', { lease: 9n, ignoreValue: true }), 'ErrGRPCLeaseNotFound');
  assert.equal(read(machine.range(all)), '[a=3 b=2 c=1] count 3 rev 4');
  machine.put('a', 'leased', { lease: 7n });
  assert.deepEqual(machine.lessor.keysOf(7n), ['a']);
  assert.deepEqual(machine.put('a', '', { ignoreValue: true }), { kind: 'put', revision: 6, prevKv: undefined });
  assert.deepEqual(machine.lessor.keysOf(7n), []);
  assert.equal(read(machine.range({ key: bytes('a') })), '[a=leased] count 1 rev 6');
});

test('keys only: the lease is left out, except when sorting by value', async () => {
  const machine = await abc();
  machine.grant(7n);
  machine.put('a', 'x', { lease: 7n });
  const lease = (init: Partial<etcdserverpb.RangeRequest>) => {
    const result = machine.range({ key: bytes('a'), rangeEnd: bytes('b'), keysOnly: true, ...init });
    assert.ok(typeof result !== 'string');
    return result.kvs[0]?.lease;
  };
  assert.equal(lease({}), 0n);
  assert.equal(lease({ sortTarget: SortTarget.VALUE }), 7n);
});

test('delete 30, 31, 52', async () => {
  const machine = await abc();
  assert.deepEqual(machine.delete('x'), { kind: 'delete', revision: 4, deleted: 0, prevKvs: [] });
  assert.equal(machine.delete(''), 'ErrGRPCEmptyKey');
  const result = machine.delete('a', 'c', true);
  assert.ok(typeof result !== 'string' && result.kind === 'delete');
  assert.deepEqual([result.deleted, result.revision], [2, 5]);
  assert.deepEqual(
    result.prevKvs.map((kv) => latin1FromBytes(mvccpb.KeyValue.decode(kv).key)),
    ['a', 'b'],
  );
  const none = machine.txn({ success: [deleteOp('x')] });
  assert.ok(typeof none !== 'string');
  assert.equal(none.header?.revision, 5);
});

const ops = (count: number) => Array.from({ length: count }, (_, i) => putOp(`key ${i}`));
const checkRows: [string, Partial<etcdserverpb.TxnRequest>, string][] = [
  ['33 129 compares', { compare: Array.from({ length: 129 }, () => compare('a', {})) }, 'ErrGRPCTooManyOps'],
  ['33 129 success', { success: ops(129) }, 'ErrGRPCTooManyOps'],
  ['33 129 failure', { failure: ops(129) }, 'ErrGRPCTooManyOps'],
  ['33 128', { success: ops(128) }, 'ok'],
  [
    '34 127 with a nested 2',
    { success: [...ops(126), txnOp({ success: [putOp('x'), putOp('y')] })] },
    'ErrGRPCTooManyOps',
  ],
  ['34 127 with a nested 1', { success: [...ops(126), txnOp({ success: [putOp('x')] })] }, 'ok'],
  ['35 put twice', { success: [putOp('a'), putOp('a')] }, 'ErrGRPCDuplicateKey'],
  ['36 put in delete', { success: [putOp('abc'), deleteOp('a', 'b')] }, 'ErrGRPCDuplicateKey'],
  ['36 delete over put', { failure: [deleteOp('a', 'b'), putOp('abc')] }, 'ErrGRPCDuplicateKey'],
  ['37 put behind delete', { success: [putOp('abc'), deleteOp('abb', 'abc')] }, 'ok'],
  ['38 put, nested delete', { success: [putOp('a'), txnOp({ success: [deleteOp('a')] })] }, 'ErrGRPCDuplicateKey'],
  ['39 nested then and else', { success: [txnOp({ success: [putOp('a')], failure: [putOp('a')] })] }, 'ok'],
  [
    '39 twice',
    { success: [txnOp({ success: [putOp('a')], failure: [putOp('a')] }), txnOp({ success: [putOp('a')] })] },
    'ErrGRPCDuplicateKey',
  ],
  [
    '40 nested put, later delete',
    { success: [txnOp({ success: [putOp('a')] }), txnOp({ success: [deleteOp('a')] })] },
    'ok',
  ],
  [
    '41 nested delete, later put',
    { success: [txnOp({ success: [deleteOp('a')] }), txnOp({ success: [putOp('a')] })] },
    'ErrGRPCDuplicateKey',
  ],
  ['42 no member', { failure: [etcdserverpb.RequestOp.create()] }, 'ErrGRPCKeyNotFound'],
  ['compare of no key', { compare: [compare('', {})] }, 'ErrGRPCEmptyKey'],
  ['range of no key', { success: [rangeOp('')] }, 'ErrGRPCEmptyKey'],
  [
    'nested in a delete of its level',
    { success: [deleteOp('a', 'c'), txnOp({ failure: [putOp('b')] })] },
    'ErrGRPCDuplicateKey',
  ],
  ['deletes may overlap', { success: [deleteOp('a', 'c'), deleteOp('b')] }, 'ok'],
  ['put and delete from a key on', { success: [putOp('b'), deleteOp('a', '\0')] }, 'ok'],
  [
    'the same with ignore_value',
    { success: [deleteOp('a', '\0'), putOp('b', '', { ignoreValue: true })] },
    'ErrGRPCDuplicateKey',
  ],
];

for (const [name, request, expected] of checkRows) {
  test(`txn check ${name}`, async () => {
    const result = (await abc()).txn(request);
    assert.equal(typeof result === 'string' ? result : 'ok', expected);
  });
}

const compareRows: [string, etcdserverpb.Compare, boolean][] = [
  ...[CompareResult.EQUAL, CompareResult.GREATER, CompareResult.LESS, CompareResult.NOT_EQUAL].map(
    (result): [string, etcdserverpb.Compare, boolean] => [
      `43 value of a missing key, operator ${result}`,
      compare('x', { target: CompareTarget.VALUE, result, value: bytes('') }),
      false,
    ],
  ),
  ['44 create of a missing key', compare('x', { target: CompareTarget.CREATE, createRevision: 0 }), true],
  [
    '45 one key of a range violates',
    compare('a', { rangeEnd: bytes('z'), target: CompareTarget.MOD, result: CompareResult.LESS, modRevision: 4 }),
    false,
  ],
  [
    'all keys of a range hold',
    compare('a', { rangeEnd: bytes('z'), target: CompareTarget.MOD, result: CompareResult.LESS, modRevision: 5 }),
    true,
  ],
  [
    '46 lease above 0',
    compare('a', { rangeEnd: bytes('z'), target: CompareTarget.LEASE, result: CompareResult.GREATER, lease: 0n }),
    false,
  ],
  ['46 lease 0', compare('a', { rangeEnd: bytes('z'), target: CompareTarget.LEASE, lease: 0n }), true],
  ['value', compare('a', { target: CompareTarget.VALUE, value: bytes('3') }), true],
  [
    'value greater',
    compare('a', { target: CompareTarget.VALUE, result: CompareResult.GREATER, value: bytes('29') }),
    true,
  ],
  ['member of another kind counts as 0', compare('a', { target: CompareTarget.VERSION, modRevision: 1 }), false],
  ['unknown operator', compare('x', { target: CompareTarget.MOD, result: 9, modRevision: 7 }), true],
  ['unknown target', compare('a', { target: 9 }), true],
  ['unknown target, not equal', compare('a', { target: 9, result: CompareResult.NOT_EQUAL }), false],
  [
    'version not equal',
    compare('a', { target: CompareTarget.VERSION, result: CompareResult.NOT_EQUAL, version: 2 }),
    true,
  ],
];

for (const [name, condition, expected] of compareRows) {
  test(`txn compare ${name}`, async () => {
    const result = (await abc()).txn({ compare: [condition] });
    assert.ok(typeof result !== 'string');
    assert.equal(result.succeeded, expected);
  });
}

test('txn 32: empty', async () => {
  const result = (await abc()).txn({});
  assert.ok(typeof result !== 'string');
  assert.deepEqual([result.succeeded, result.header?.revision, result.responses.length], [true, 4, 0]);
});

test('txn 47: a nested compare sees the state before', async () => {
  const machine = await abc();
  const condition = compare('a', { target: CompareTarget.VALUE, value: bytes('new') });
  const result = machine.txn({
    success: [putOp('a', 'new'), txnOp({ compare: [condition], failure: [putOp('n', 'old')] })],
  });
  assert.ok(typeof result !== 'string');
  assert.equal(result.responses[1]?.responseTxn?.succeeded, false);
  assert.deepEqual(result.responses[1]?.responseTxn?.header, etcdserverpb.ResponseHeader.create());
  assert.equal(read(machine.range({ key: bytes('n') })), '[n=old] count 1 rev 5');
});

test('txn 48: a range sees what came before it', async () => {
  const result = (await abc()).txn({ success: [rangeOp('x'), putOp('x', 'new'), rangeOp('x'), deleteOp('zz')] });
  assert.ok(typeof result !== 'string');
  const [first, put, second, removed] = result.responses;
  assert.deepEqual([first?.responseRange?.header?.revision, first?.responseRange?.count], [4, 0]);
  assert.equal(put?.responsePut?.header?.revision, 5);
  assert.deepEqual([second?.responseRange?.header?.revision, second?.responseRange?.count], [5, 1]);
  assert.deepEqual([removed?.responseDeleteRange?.header?.revision, removed?.responseDeleteRange?.deleted], [5, 0]);
});

test('txn 49, 50, 51: conditions are checked on the chosen path before anything is done', async () => {
  const machine = await abc();
  assert.equal(machine.txn({ success: [putOp('n'), rangeOp('a', { revision: 100 })] }), 'ErrGRPCFutureRev');
  assert.equal(machine.txn({ success: [putOp('n'), rangeOp('a', { revision: 5 })] }), 'ErrGRPCFutureRev');
  assert.equal(machine.txn({ success: [putOp('n'), putOp('m', 'v', { lease: 9n })] }), 'ErrGRPCLeaseNotFound');
  assert.equal(machine.txn({ success: [putOp('n'), putOp('m', '', { ignoreValue: true })] }), 'ErrGRPCKeyNotFound');
  assert.ok(typeof machine.txn({ success: [rangeOp('a', { revision: -1 })] }) !== 'string');
  machine.compact(3);
  assert.equal(machine.txn({ success: [putOp('n'), rangeOp('a', { revision: 2 })] }), 'ErrGRPCCompacted');
  assert.equal(machine.txn({ success: [rangeOp('a', { revision: -1 })] }), 'ErrGRPCCompacted');
  assert.equal(read(machine.range({ key: bytes('n') })), '[] count 0 rev 4');
  assert.ok(typeof machine.txn({ success: [putOp('n')], failure: [putOp('m', 'v', { lease: 9n })] }) !== 'string');
});

test('txn: put and delete from a key on run in order', async () => {
  const machine = await abc();
  machine.txn({ success: [putOp('b', 'new'), deleteOp('a', '\0')] });
  assert.equal(read(machine.range(all)), '[] count 0 rev 5');
  machine.txn({ success: [deleteOp('a', '\0'), putOp('b', 'again')] });
  machine.txn({ success: [deleteOp('a', '\0'), putOp('b', 'last')] });
  assert.equal(read(machine.range(all)), '[b=last] count 1 rev 7');
  machine.store.index.verify();
});

test('compact 53, 54, 55', async () => {
  const machine = await abc();
  assert.equal(machine.compact(-1), 'ErrGRPCCompacted');
  assert.ok(typeof machine.compact(0) !== 'string');
  assert.equal(machine.compact(0), 'ErrGRPCCompacted');
  assert.equal(machine.compact(5), 'ErrGRPCFutureRev');
  assert.ok(typeof machine.compact(3) !== 'string');
  assert.equal(machine.compact(3), 'ErrGRPCCompacted');
});

test('lease 75 to 79, 83', async () => {
  const machine = await abc();
  const ttl = (id: bigint, seconds: number) => {
    const result = machine.grant(id, seconds);
    return typeof result === 'string' ? result : result.kind === 'lease-grant' ? result.ttlSeconds : result.kind;
  };
  assert.deepEqual([ttl(1n, 0), ttl(2n, -5), ttl(3n, 1), ttl(-5n, 9)], [2, 2, 2, 9]);
  assert.deepEqual([ttl(1n, 5), ttl(9n, 9_000_000_001)], ['ErrGRPCLeaseExist', 'ErrGRPCLeaseTTLTooLarge']);
  assert.equal(machine.revoke(0n), 'ErrGRPCLeaseNotFound');
  assert.deepEqual(machine.revoke(3n), { kind: 'lease-revoke', revision: 4 });
  machine.put('y', 'v', { lease: 1n });
  machine.put('x', 'v', { lease: 1n });
  machine.put('moved', 'v', { lease: 1n });
  machine.put('moved', 'v', { lease: 2n });
  assert.deepEqual(machine.revoke(1n), { kind: 'lease-revoke', revision: 9 });
  assert.equal(read(machine.range({ ...all, minModRevision: 5 })), '[moved=v] count 4 rev 9');
  const deleted: string[] = [];
  machine.store.readChanges(9, 9, (_, event) => deleted.push(`${event.type} ${event.key}`) > 0);
  assert.deepEqual(deleted, ['1 x', '1 y']);
});

test('alarms 89, 90', async () => {
  const machine = await abc();
  machine.alarm(AlarmAction.ACTIVATE, 123n, AlarmType.NOSPACE);
  assert.equal(machine.put('a', 'v'), 'ErrGRPCNoSpace');
  assert.equal(machine.grant(4n), 'ErrGRPCNoSpace');
  assert.equal(machine.txn({ success: [deleteOp('a')], failure: [putOp('a')] }), 'ErrGRPCNoSpace');
  assert.equal(
    machine.txn({ success: [deleteOp('a')], failure: [txnOp({ failure: [putOp('a')] })] }),
    'ErrGRPCNoSpace',
  );
  assert.ok(typeof machine.txn({ success: [deleteOp('a')] }) !== 'string');
  assert.ok(typeof machine.delete('b') !== 'string');
  assert.ok(typeof machine.compact(3) !== 'string');
  const again = await TestMachine.open(clock, { backend: machine.backend });
  assert.equal(again.put('a', 'v'), 'ErrGRPCNoSpace');
  const listed = again.alarm(AlarmAction.GET, 0n, AlarmType.NONE);
  assert.ok(typeof listed !== 'string' && listed.kind === 'alarm');
  assert.deepEqual(listed.alarms, [etcdserverpb.AlarmMember.create({ memberId: 123n, alarm: AlarmType.NOSPACE })]);
  const count = (action: number, member: bigint, type: number) => {
    const result = again.alarm(action, member, type);
    return typeof result !== 'string' && result.kind === 'alarm' ? result.alarms.length : -1;
  };
  assert.equal(count(AlarmAction.ACTIVATE, 123n, AlarmType.NOSPACE), 1);
  assert.equal(count(AlarmAction.ACTIVATE, 5n, AlarmType.NONE), 0);
  assert.equal(count(AlarmAction.DEACTIVATE, 5n, AlarmType.NOSPACE), 0);
  assert.equal(count(9, 123n, AlarmType.NOSPACE), 0);
  assert.equal(count(AlarmAction.DEACTIVATE, 123n, AlarmType.NOSPACE), 1);
  assert.ok(typeof again.put('a', 'v') !== 'string');
  again.alarm(AlarmAction.ACTIVATE, 1n, AlarmType.CORRUPT);
  assert.equal(again.put('a', 'v'), 'ErrGRPCCorrupt');
  assert.equal(again.delete('a'), 'ErrGRPCCorrupt');
  assert.equal(again.txn({ success: [deleteOp('a')] }), 'ErrGRPCCorrupt');
  assert.equal(again.compact(4), 'ErrGRPCCorrupt');
  assert.equal(again.revoke(4n), 'ErrGRPCCorrupt');
  assert.equal(again.grant(4n), 'ErrGRPCCorrupt');
  assert.equal(read(again.range({ key: bytes('c') })), '[c=1] count 1 rev 7');
});

test('quota: a write over it is done, but its caller hears NoSpace and the alarm is asked for', async () => {
  let size = 0;
  const machine = await TestMachine.open(clock, { quotaBytes: 1000, size: () => size });
  assert.ok(typeof machine.put('a', 'v') !== 'string');
  size = 1000 - 258;
  assert.equal(machine.put('b', 'v'), 'ErrGRPCNoSpace');
  assert.equal(machine.overQuota, 1);
  assert.equal(machine.txn({ failure: [putOp('c')], success: [deleteOp('a')] }), 'ErrGRPCNoSpace');
  assert.ok(typeof machine.delete('b') !== 'string');
  assert.equal(read(machine.range(all)), '[] count 0 rev 5');
  size -= 1;
  assert.ok(typeof machine.put('b', 'v') !== 'string');
  assert.equal(machine.overQuota, 2);
});
