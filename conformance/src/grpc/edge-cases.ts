import type { Message } from './services.ts';

// Edge cases that random requests do not reach, in the order they are sent to fresh servers. Each names what it is about.

export interface EdgeCase {
  readonly name: string;
  readonly method: string;
  readonly request: Message;
  /** What the reference itself must do, so that a case cannot pass because both fail at something else. */
  readonly ok: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly masked?: readonly string[];
}

const OPEN = Buffer.from([0]);

function b(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function ok(name: string, method: string, request: Message, extra: Partial<EdgeCase> = {}): EdgeCase {
  return { name, method, request, ok: true, ...extra };
}

function fails(name: string, method: string, request: Message, extra: Partial<EdgeCase> = {}): EdgeCase {
  return { name, method, request, ok: false, ...extra };
}

function put(key: string, value: string, extra: Message = {}): Message {
  return { key: b(key), value: b(value), ...extra };
}

function range(key: string, end = '', extra: Message = {}): Message {
  return { key: b(key), range_end: b(end), ...extra };
}

const opPut = (key: string, value = 'v', extra: Message = {}): Message => ({ request_put: put(key, value, extra) });
const opDelete = (key: string, end = '', extra: Message = {}): Message => ({
  request_delete_range: range(key, end, extra),
});
const opRange = (key: string, end = '', extra: Message = {}): Message => ({ request_range: range(key, end, extra) });
const opTxn = (request: Message): Message => ({ request_txn: request });

function many<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

const emptyStore: readonly EdgeCase[] = [
  ok('range of an empty store', 'KV.Range', range('a')),
  ok('all keys of an empty store', 'KV.Range', { key: OPEN, range_end: OPEN }),
  fails('range with an empty key', 'KV.Range', range('')),
  fails('range at a future revision', 'KV.Range', range('a', '', { revision: 2 })),
  ok('range at the first revision', 'KV.Range', range('a', '', { revision: 1 })),
  ok('delete from an empty store', 'KV.DeleteRange', range('a')),
  fails('delete with an empty key', 'KV.DeleteRange', range('')),
  ok('hash of an empty store', 'Maintenance.HashKV', { revision: 0 }),
  ok('empty txn', 'KV.Txn', {}),
  fails('compact a negative revision', 'KV.Compact', { revision: -1 }),
  ok('compact 0 once', 'KV.Compact', { revision: 0 }),
  fails('compact 0 twice', 'KV.Compact', { revision: 0 }),
  fails('compact the future', 'KV.Compact', { revision: 2 }),
  ok('no leases', 'Lease.LeaseLeases', {}),
  ok('no alarms', 'Maintenance.Alarm', {}),
];

const hashes: readonly EdgeCase[] = [
  ok('hash 0 after a compaction at 0', 'Maintenance.HashKV', { revision: 0 }),
  ok('put', 'KV.Put', put('h', '1')),
  ok('put again', 'KV.Put', put('h', '2')),
  ok('compact', 'KV.Compact', { revision: 3, physical: true }),
  ok('hash at the compaction', 'Maintenance.HashKV', { revision: 3 }),
  ok('put another', 'KV.Put', put('g', '1')),
  ok('delete all keys', 'KV.DeleteRange', { key: OPEN, range_end: OPEN }),
  ok('hash at the delete', 'Maintenance.HashKV', { revision: 5 }),
  ok('compact at the delete', 'KV.Compact', { revision: 5, physical: true }),
  ok('hash of that compaction', 'Maintenance.HashKV', { revision: 5 }),
  ok('hash of the one before', 'Maintenance.HashKV', { revision: 3 }),
  fails('hash between them', 'Maintenance.HashKV', { revision: 4 }),
  ok('put after it', 'KV.Put', put('h', '3')),
  ok('hash after it', 'Maintenance.HashKV', { revision: 6 }),
  ok('hash still', 'Maintenance.HashKV', { revision: 5 }),
  ok('hash 0', 'Maintenance.HashKV', { revision: 0 }),
  ok('delete it', 'KV.DeleteRange', range('h')),
];

const ranges: readonly EdgeCase[] = [
  ...['a', 'b', 'c'].map((key, index) => ok(`put ${key}`, 'KV.Put', put(key, String(3 - index)))),
  ok('limit below', 'KV.Range', range('a', 'z', { limit: 2 })),
  ok('limit exact', 'KV.Range', range('a', 'z', { limit: 3 })),
  ok('limit negative', 'KV.Range', range('a', 'z', { limit: -3 })),
  ok('limit with filter', 'KV.Range', range('a', 'z', { limit: 1, min_mod_revision: 3 })),
  ok(
    'count only wins',
    'KV.Range',
    range('a', 'z', { count_only: true, keys_only: true, limit: 1, min_mod_revision: 3 }),
  ),
  ok('order none, target create', 'KV.Range', range('a', 'z', { sort_target: 2 })),
  ok('order none, target value, limit', 'KV.Range', range('a', 'z', { sort_target: 4, limit: 1 })),
  ok('descend by equal versions', 'KV.Range', range('a', 'z', { sort_order: 2, sort_target: 1 })),
  fails('unknown sort target', 'KV.Range', range('a', 'z', { sort_target: 100 })),
  fails('unknown sort order', 'KV.Range', range('a', 'z', { sort_order: 100 })),
  fails('unknown sort target inside a txn', 'KV.Txn', { success: [opRange('a', 'z', { sort_target: 100 })] }),
  ok('empty interval', 'KV.Range', range('c', 'c')),
  ok('inverted interval', 'KV.Range', range('d', 'b')),
  ok('negative revision', 'KV.Range', range('a', 'z', { revision: -1 })),
  fails('far future', 'KV.Range', range('a', 'z', { revision: '9007199254740991' })),
  fails('largest revision', 'KV.Range', range('a', 'z', { revision: '9223372036854775807' })),
  ok('largest limit', 'KV.Range', range('a', 'z', { limit: '9223372036854775807' })),
  ok('largest minimum', 'KV.Range', range('a', 'z', { min_mod_revision: '9223372036854775807' })),
  ok('smallest limit', 'KV.Range', range('a', 'z', { limit: '-9223372036854775808' })),
  ok('largest maximum', 'KV.Range', range('a', 'z', { max_create_revision: '9223372036854775807' })),
  ok('smallest minimum', 'KV.Range', range('a', 'z', { min_create_revision: '-9223372036854775808' })),
  fails('compact the largest revision', 'KV.Compact', { revision: '9223372036854775807' }),
  fails('hash at the largest revision', 'Maintenance.HashKV', { revision: '9223372036854775807' }),
  fails('ttl of the largest number', 'Lease.LeaseGrant', { ID: 1, TTL: '9223372036854775807' }),
  ok('compare with the largest revision', 'KV.Txn', {
    compare: [{ key: b('a'), target: 2, result: 2, mod_revision: '9223372036854775807' }],
    success: [opRange('a')],
  }),
  ok('descending with a limit', 'KV.Range', range('a', 'z', { sort_order: 2, limit: 2 })),
  ok('descending with a filter', 'KV.Range', range('a', 'z', { sort_order: 2, limit: 1, max_mod_revision: 9 })),
  ok('negative bounds', 'KV.Range', range('a', 'z', { min_mod_revision: -5, max_create_revision: -1 })),
];

const puts: readonly EdgeCase[] = [
  fails('put with an empty key', 'KV.Put', put('', 'v')),
  fails('value with ignore_value', 'KV.Put', put('a', 'v', { ignore_value: true })),
  fails('lease with ignore_lease', 'KV.Put', put('a', 'v', { ignore_lease: true, lease: 5 })),
  fails('ignore_value on a missing key', 'KV.Put', put('missing', '', { ignore_value: true })),
  fails('unknown lease', 'KV.Put', put('a', 'v', { lease: 99 })),
  fails('unknown lease before missing key', 'KV.Put', put('missing', '', { lease: 99, ignore_value: true })),
  fails('negative unknown lease', 'KV.Put', put('a', 'v', { lease: -7 })),
  ok('same value again', 'KV.Put', put('a', '3', { prev_kv: true })),
  fails('value of the request limit', 'KV.Put', { key: b('foo'), value: Buffer.alloc(1572864) }),
  ok('value just below the request limit', 'KV.Put', { key: b('foo'), value: Buffer.alloc(1572864 - 50) }),
  fails('message above the receive limit', 'KV.Put', { key: b('foo'), value: Buffer.alloc(2097152) }),
  fails('message far above the receive limit', 'KV.Put', { key: b('foo'), value: Buffer.alloc(5000000) }),
  ok('the large key', 'KV.Range', range('foo', '', { keys_only: true })),
  ok('delete the large key with its value', 'KV.DeleteRange', range('foo', '', { prev_kv: true })),
  ok('long key', 'KV.Put', { key: Buffer.alloc(60000, 'k'), value: b('v') }),
  ok('range of the long key', 'KV.Range', range('k', 'l')),
  ok('delete the long key', 'KV.DeleteRange', range('k', 'l')),
];

const txns: readonly EdgeCase[] = [
  ok('128 compares', 'KV.Txn', { compare: many(128, () => ({ key: b('a'), target: 0, version: 1, result: 3 })) }),
  fails('129 compares', 'KV.Txn', { compare: many(129, () => ({ key: b('a'), target: 0, version: 1 })) }),
  ok('128 puts', 'KV.Txn', { success: many(128, (index) => opPut(`n${index}`)) }),
  fails('129 success operations', 'KV.Txn', { success: many(129, (index) => opPut(`n${index}`)) }),
  fails('129 failure operations', 'KV.Txn', { failure: many(129, (index) => opPut(`n${index}`)) }),
  fails('127 operations with a nested txn of 2', 'KV.Txn', {
    success: [...many(126, (index) => opPut(`n${index}`)), opTxn({ success: [opPut('x'), opPut('y')] })],
  }),
  ok('126 operations with a nested txn of 2', 'KV.Txn', {
    success: [...many(125, (index) => opPut(`n${index}`)), opTxn({ success: [opPut('x'), opPut('y')] })],
  }),
  ok('prefix delete of them', 'KV.DeleteRange', range('n', 'o')),
  fails('put twice', 'KV.Txn', { success: [opPut('a'), opPut('a')] }),
  fails('put twice in the failure branch', 'KV.Txn', { failure: [opPut('a'), opPut('a')] }),
  ok('put in either branch', 'KV.Txn', { success: [opPut('a')], failure: [opPut('a')] }),
  fails('put inside a delete', 'KV.Txn', { success: [opPut('abc'), opDelete('a', 'b')] }),
  fails('delete around a put', 'KV.Txn', { success: [opDelete('a', 'b'), opPut('abc')] }),
  ok('put at the end of a delete', 'KV.Txn', { success: [opPut('abc'), opDelete('abb', 'abc')] }),
  ok('overlapping deletes', 'KV.Txn', { success: [opDelete('a', 'c'), opDelete('b', 'd', { prev_kv: true })] }),
  fails('put and nested delete', 'KV.Txn', { success: [opPut('a'), opTxn({ success: [opDelete('a')] })] }),
  fails('put and nested put', 'KV.Txn', { success: [opPut('a'), opTxn({ failure: [opPut('a')] })] }),
  ok('nested put in both branches', 'KV.Txn', { success: [opTxn({ success: [opPut('a')], failure: [opPut('a')] })] }),
  fails('two nested txns with one put', 'KV.Txn', {
    success: [opTxn({ success: [opPut('a')], failure: [opPut('a')] }), opTxn({ success: [opPut('a')] })],
  }),
  ok('nested put, later nested delete', 'KV.Txn', {
    success: [opTxn({ success: [opPut('a')] }), opTxn({ success: [opDelete('a', '', { prev_kv: true })] })],
  }),
  fails('nested delete, later nested put', 'KV.Txn', {
    success: [opTxn({ success: [opDelete('a')] }), opTxn({ success: [opPut('a')] })],
  }),
  fails('put twice beside an operation without a member', 'KV.Txn', {
    success: [opTxn({ success: [opPut('a'), opPut('a')] })],
    failure: [opTxn({ success: [{}] })],
  }),
  fails('operation without a member', 'KV.Txn', { success: [{}] }),
  fails('operation without a member in the failure branch', 'KV.Txn', { failure: [opPut('a'), {}] }),
  fails('nested operation without a member', 'KV.Txn', { success: [opTxn({ success: [{}] })] }),
  fails('compare with an empty key', 'KV.Txn', { compare: [{ target: 0, version: 1 }] }),
  ...['EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL'].map((name, result) =>
    ok(`value of a missing key ${name}`, 'KV.Txn', {
      compare: [{ key: b('missing'), target: 3, result, value: b('') }],
      success: [opRange('a')],
    }),
  ),
  ...many(5, (target) =>
    ok(`unset operand of target ${target}`, 'KV.Txn', {
      compare: [{ key: b('missing'), target }],
      success: [opRange('a')],
    }),
  ),
  ok('operand of another kind', 'KV.Txn', { compare: [{ key: b('a'), target: 0, mod_revision: 3 }] }),
  ok('unknown compare result', 'KV.Txn', { compare: [{ key: b('a'), target: 0, result: 9, version: 77 }] }),
  ok('unknown compare target', 'KV.Txn', { compare: [{ key: b('a'), target: 9, version: 77 }] }),
  ok('put c1', 'KV.Put', put('c1', 'same')),
  ok('put c2', 'KV.Put', put('c2', 'other')),
  ok('compare over a range, one differs', 'KV.Txn', {
    compare: [{ key: b('c1'), range_end: b('c9'), target: 3, value: b('same') }],
  }),
  ok('compare over a range, all hold', 'KV.Txn', {
    compare: [{ key: b('c1'), range_end: b('c9'), target: 0, version: 1 }],
  }),
  ok('compare over an empty range', 'KV.Txn', {
    compare: [{ key: b('y1'), range_end: b('y9'), target: 0, version: 0 }],
  }),
  ok('compare over an open range', 'KV.Txn', { compare: [{ key: b('c1'), range_end: OPEN, target: 2, result: 1 }] }),
  ok('lease of unleased keys is 0', 'KV.Txn', {
    compare: [{ key: b('c1'), range_end: b('c9'), target: 4, lease: 0 }],
  }),
  ok('nested compare sees the state before', 'KV.Txn', {
    success: [
      opPut('c1', 'new'),
      opTxn({
        compare: [{ key: b('c1'), target: 3, value: b('new') }],
        success: [opRange('c1')],
        failure: [opRange('c2')],
      }),
    ],
  }),
  ok('range, put, range', 'KV.Txn', { success: [opRange('x1'), opPut('x1'), opRange('x1')] }),
  ok('delete of nothing, range', 'KV.Txn', { success: [opDelete('nothing'), opRange('c1')] }),
  ok('delete, range, delete', 'KV.Txn', { success: [opDelete('x1'), opRange('x1'), opDelete('x1')] }),
  fails('put, then a range of the future', 'KV.Txn', {
    success: [opPut('x2'), opRange('x2', '', { revision: 100000 })],
  }),
  ok('the put left nothing', 'KV.Range', range('x2')),
  ok('bad lease in the branch not taken', 'KV.Txn', {
    success: [opPut('x3')],
    failure: [opPut('x4', 'v', { lease: 99 })],
  }),
  fails('bad lease in the branch taken', 'KV.Txn', { success: [opPut('x5'), opPut('x4', 'v', { lease: 99 })] }),
  ok('from-key delete beside a put of another kind', 'KV.Txn', { success: [opDelete('zzz', '\0'), opPut('aaa')] }),
  ok('three levels', 'KV.Txn', {
    success: [
      opTxn({ success: [opTxn({ success: [opPut('deep'), opRange('deep')] }), opRange('deep')] }),
      opRange('deep'),
    ],
  }),
  ok('nested read only', 'KV.Txn', { success: [opTxn({ success: [opRange('c1')] })] }),
];

const compaction: readonly EdgeCase[] = [
  ok('put h 1', 'KV.Put', put('h', '1')),
  ok('put h 2', 'KV.Put', put('h', '2')),
  ok('delete h', 'KV.DeleteRange', range('h')),
  ok('compact 10', 'KV.Compact', { revision: 10, physical: true }),
  fails('compact 10 again', 'KV.Compact', { revision: 10 }),
  fails('compact 9', 'KV.Compact', { revision: 9 }),
  fails('compact the future', 'KV.Compact', { revision: 100000 }),
  ok('range at the compacted revision', 'KV.Range', range('a', 'z', { revision: 10 })),
  fails('range below it', 'KV.Range', range('a', 'z', { revision: 9 })),
  ok('hash at it', 'Maintenance.HashKV', { revision: 10 }),
  fails('hash below it', 'Maintenance.HashKV', { revision: 9 }),
  fails('range below it inside a txn', 'KV.Txn', { success: [opPut('no'), opRange('a', 'z', { revision: 9 })] }),
  fails('negative revision inside a txn', 'KV.Txn', { success: [opPut('no'), opRange('a', 'z', { revision: -1 })] }),
  fails('negative revision inside a read-only txn', 'KV.Txn', { success: [opRange('a', 'z', { revision: -1 })] }),
  ok('the put left nothing', 'KV.Range', range('no')),
];

const leases: readonly EdgeCase[] = [
  ok('ttl 0', 'Lease.LeaseGrant', { ID: 1001, TTL: 0 }),
  ok('ttl negative', 'Lease.LeaseGrant', { ID: 1002, TTL: -5 }),
  ok('ttl 1', 'Lease.LeaseGrant', { ID: 1003, TTL: 1 }),
  ok('ttl 1000', 'Lease.LeaseGrant', { ID: 1004, TTL: 1000 }),
  fails('id taken', 'Lease.LeaseGrant', { ID: 1004, TTL: 1000 }),
  ok('negative id', 'Lease.LeaseGrant', { ID: -5, TTL: 2000 }),
  ok('largest id', 'Lease.LeaseGrant', { ID: '9223372036854775807', TTL: 3000 }),
  ok('largest ttl', 'Lease.LeaseGrant', { ID: 1005, TTL: 9000000000 }),
  fails('ttl too large', 'Lease.LeaseGrant', { ID: 1006, TTL: 9000000001 }),
  ok('id chosen by the server', 'Lease.LeaseGrant', { TTL: 4000 }, { masked: ['ID'] }),
  ok('put on the negative lease', 'KV.Put', put('l1', 'v', { lease: -5 })),
  ok('put on another', 'KV.Put', put('l2', 'v', { lease: 1004 })),
  ok('put on the largest', 'KV.Put', put('l3', 'v', { lease: '9223372036854775807' })),
  ok('keys with their leases', 'KV.Range', range('l', 'm')),
  ok('lease compare holds', 'KV.Txn', { compare: [{ key: b('l2'), target: 4, lease: 1004 }] }),
  ok('lease compare greater', 'KV.Txn', { compare: [{ key: b('l1'), target: 4, result: 1, lease: 0 }] }),
  ok('ttl of the negative lease', 'Lease.LeaseTimeToLive', { ID: -5, keys: true }, { masked: ['TTL'] }),
  ok('ttl of an unknown lease', 'Lease.LeaseTimeToLive', { ID: 4711, keys: true }),
  ok('moved to another lease', 'KV.Put', put('l1', 'v', { lease: 1004 })),
  ok('revoke the first', 'Lease.LeaseRevoke', { ID: -5 }),
  ok('the key stays', 'KV.Range', range('l1')),
  ok('ignore_value detaches', 'KV.Put', put('l1', '', { ignore_value: true })),
  ok('detached', 'Lease.LeaseTimeToLive', { ID: 1004, keys: true }, { masked: ['TTL'] }),
  ok('revoke with keys', 'Lease.LeaseRevoke', { ID: 1004 }),
  ok('its key is gone', 'KV.Range', range('l', 'm')),
  fails('revoke 0', 'Lease.LeaseRevoke', { ID: 0 }),
  fails('revoke unknown', 'Lease.LeaseRevoke', { ID: 4711 }),
  ok('ttl of 0', 'Lease.LeaseTimeToLive', { ID: 0 }),
];

const maintenance: readonly EdgeCase[] = [
  ok('defragment', 'Maintenance.Defragment', {}),
  ok('hash', 'Maintenance.Hash', {}, { masked: ['hash'] }),
  ok(
    'status',
    'Maintenance.Status',
    {},
    {
      masked: [
        'dbSize',
        'dbSizeInUse',
        'leader',
        'raftIndex',
        'raftAppliedIndex',
        'raftTerm',
        'version',
        'storageVersion',
      ],
    },
  ),
  fails('move leader to an unknown member', 'Maintenance.MoveLeader', { targetID: 4711 }),
  fails('move leader to nobody', 'Maintenance.MoveLeader', {}),
  ok('activate an alarm of another member', 'Maintenance.Alarm', { action: 1, memberID: 123, alarm: 1 }),
  ok('activate it again', 'Maintenance.Alarm', { action: 1, memberID: 123, alarm: 1 }),
  ok('list alarms', 'Maintenance.Alarm', {}),
  ok('list alarms of another kind', 'Maintenance.Alarm', { alarm: 2 }),
  fails('put without space', 'KV.Put', put('a', 'v')),
  fails('put of an empty key without space', 'KV.Put', put('', 'v')),
  fails('lease without space', 'Lease.LeaseGrant', { ID: 2001, TTL: 100 }),
  fails('txn with a put in the branch not taken', 'KV.Txn', {
    compare: [{ key: b('missing'), target: 0, version: 5 }],
    success: [opPut('a')],
  }),
  fails('txn with a nested put', 'KV.Txn', { success: [opTxn({ success: [opPut('a')] })] }),
  ok('txn with a delete', 'KV.Txn', { success: [opDelete('c1')] }),
  ok('delete without space', 'KV.DeleteRange', range('c2')),
  ok('range without space', 'KV.Range', range('a', 'z')),
  ok('disarm another kind', 'Maintenance.Alarm', { action: 2, memberID: 123, alarm: 2 }),
  ok('disarm of a member without', 'Maintenance.Alarm', { action: 2, memberID: 124, alarm: 1 }),
  ok('disarm', 'Maintenance.Alarm', { action: 2, memberID: 123, alarm: 1 }),
  ok('disarm again', 'Maintenance.Alarm', { action: 2, memberID: 123, alarm: 1 }),
  ok('activate nothing', 'Maintenance.Alarm', { action: 1, memberID: 123, alarm: 0 }),
  ok('put with space', 'KV.Put', put('a', 'v')),
  ok('activate corrupt', 'Maintenance.Alarm', { action: 1, memberID: 123, alarm: 2 }),
  fails('put while corrupt', 'KV.Put', put('a', 'v')),
  fails('delete while corrupt', 'KV.DeleteRange', range('a')),
  fails('txn while corrupt', 'KV.Txn', { success: [opDelete('a')] }),
  fails('compact while corrupt', 'KV.Compact', { revision: 20 }),
  fails('grant while corrupt', 'Lease.LeaseGrant', { ID: 3001, TTL: 100 }),
  fails('revoke while corrupt', 'Lease.LeaseRevoke', { ID: 1005 }),
  ok('range while corrupt', 'KV.Range', range('a', 'z')),
  ok('read-only txn while corrupt', 'KV.Txn', { success: [opRange('a', 'z')] }),
  ok('disarm corrupt', 'Maintenance.Alarm', { action: 2, memberID: 123, alarm: 2 }),
  ok('put again', 'KV.Put', put('a', 'v')),
];

const downgrades: readonly EdgeCase[] = [
  fails('downgrade without version', 'Maintenance.Downgrade', { action: 0 }),
  fails('downgrade to nonsense', 'Maintenance.Downgrade', { action: 0, version: 'x.y' }),
  fails('downgrade two minors', 'Maintenance.Downgrade', { action: 0, version: '3.5' }),
  fails('downgrade upwards', 'Maintenance.Downgrade', { action: 0, version: '3.8' }),
  fails('downgrade to the present', 'Maintenance.Downgrade', { action: 1, version: '3.7' }),
  ok('validate a downgrade', 'Maintenance.Downgrade', { action: 0, version: '3.6' }),
  ok('validate with a patch number', 'Maintenance.Downgrade', { action: 0, version: '3.6.0' }),
  ok('cancel no downgrade', 'Maintenance.Downgrade', { action: 2 }),
  fails('unknown downgrade action', 'Maintenance.Downgrade', { action: 9, version: '3.6' }),
  // The leader may lower the version at once.
  ok('enable a downgrade', 'Maintenance.Downgrade', { action: 1, version: '3.6' }, { masked: ['version'] }),
  fails('enable it twice', 'Maintenance.Downgrade', { action: 1, version: '3.6' }),
  ok('cancel', 'Maintenance.Downgrade', { action: 2 }, { masked: ['version'] }),
];

type AlarmCell = readonly [
  method: string,
  request: Message,
  withoutSpace: boolean,
  whileCorrupt: boolean,
  masked?: string,
];

/** What each call comes to while an alarm is raised; streams apart. */
const alarmCells: readonly AlarmCell[] = [
  ['KV.Put', put('q', 'v'), false, false],
  ['KV.Put', put('', 'v'), false, false],
  ['KV.DeleteRange', range('q'), true, false],
  ['KV.Txn', { success: [opPut('q')] }, false, false],
  ['KV.Txn', { failure: [opPut('q')] }, false, false],
  ['KV.Txn', { failure: [opTxn({ failure: [opPut('q')] })] }, false, false],
  ['KV.Txn', { success: [opDelete('q')] }, true, false],
  ['KV.Txn', { success: [opRange('q'), opDelete('q')], failure: [opRange('q')] }, true, false],
  ['KV.Txn', { success: [opRange('q')] }, true, true],
  ['KV.Txn', {}, true, true],
  ['KV.Range', range('q'), true, true],
  ['KV.Range', range('q', '', { serializable: true }), true, true],
  ['Lease.LeaseGrant', { ID: 6003, TTL: 100 }, false, false],
  ['Lease.LeaseTimeToLive', { ID: 6001, keys: true }, true, true, 'TTL'],
  ['Lease.LeaseLeases', {}, true, true, 'leases'],
  ['Lease.LeaseRevoke', { ID: 6001 }, true, false],
  ['Cluster.MemberList', {}, true, true, 'members'],
  // It is refused for another reason, so it got past the alarm.
  ['Cluster.MemberUpdate', { ID: 4711, peerURLs: ['http://127.0.0.1:12'] }, false, false],
  ['Maintenance.Hash', {}, true, true, 'hash'],
  ['Maintenance.HashKV', {}, true, true],
  ['Maintenance.Defragment', {}, true, true],
  ['Maintenance.Downgrade', { action: 0, version: '3.6' }, true, true],
  ['Maintenance.Downgrade', { action: 2 }, true, true],
  ['Maintenance.Alarm', {}, true, true],
  ['Health.Check', {}, true, true],
];

function casesUnder(alarm: number, name: string, isAllowed: (cell: AlarmCell) => boolean): EdgeCase[] {
  return [
    ok(`activate ${name}`, 'Maintenance.Alarm', { action: 1, memberID: 77, alarm }),
    ...alarmCells.map((cell, index) => {
      const [method, request, , , masked] = cell;
      const make = isAllowed(cell) ? ok : fails;
      return make(
        `${method} ${index} under ${name}`,
        method,
        request,
        masked === undefined ? {} : { masked: [masked] },
      );
    }),
    ok(`disarm ${name}`, 'Maintenance.Alarm', { action: 2, memberID: 77, alarm }),
  ];
}

const alarms: readonly EdgeCase[] = [
  ok('lease', 'Lease.LeaseGrant', { ID: 6001, TTL: 100 }),
  ok('put', 'KV.Put', put('q', 'v', { lease: 6001 })),
  ...casesUnder(2, 'CORRUPT', ([, , , allowed]) => allowed),
  ...casesUnder(1, 'NOSPACE', ([, , allowed]) => allowed),
  ok('activate both', 'Maintenance.Alarm', { action: 1, memberID: 77, alarm: 1 }),
  ok('and the other', 'Maintenance.Alarm', { action: 1, memberID: 77, alarm: 2 }),
  fails('put under both', 'KV.Put', put('q', 'v')),
  ok('list both', 'Maintenance.Alarm', {}),
  ok('disarm one', 'Maintenance.Alarm', { action: 2, memberID: 77, alarm: 2 }),
  ok('compact without space', 'KV.Compact', { revision: 30 }),
  ok('disarm the other', 'Maintenance.Alarm', { action: 2, memberID: 77, alarm: 1 }),
];

const cluster: readonly EdgeCase[] = [
  fails('add without urls', 'Cluster.MemberAdd', {}),
  fails('add a bad url', 'Cluster.MemberAdd', { peerURLs: ['foo:123'] }),
  fails('add a url with a path', 'Cluster.MemberAdd', { peerURLs: ['http://127.0.0.1:123/path'] }),
  fails('add a url without port', 'Cluster.MemberAdd', { peerURLs: ['http://127.0.0.1'] }),
  fails('add a url of another scheme', 'Cluster.MemberAdd', { peerURLs: ['ftp://127.0.0.1:12'] }),
  fails('remove unknown', 'Cluster.MemberRemove', { ID: 4711 }),
  fails('update unknown', 'Cluster.MemberUpdate', { ID: 4711, peerURLs: ['http://127.0.0.1:12'] }),
  fails('promote unknown', 'Cluster.MemberPromote', { ID: 4711 }),
];

const authentication: readonly EdgeCase[] = [
  fails('enable without root', 'Auth.AuthEnable', {}),
  fails('authenticate while disabled', 'Auth.Authenticate', { name: 'root', password: 'x' }),
  ok('status', 'Auth.AuthStatus', {}),
  fails('user without name', 'Auth.UserAdd', { name: '', password: 'x' }),
  ok('user without password', 'Auth.UserAdd', { name: 'empty', password: '' }),
  fails('password too long', 'Auth.UserAdd', { name: 'long', password: 'x'.repeat(73) }),
  ok('password of 72 bytes', 'Auth.UserAdd', { name: 'long', password: 'x'.repeat(72) }),
  fails('role without name', 'Auth.RoleAdd', { name: '' }),
  fails('grant without permission', 'Auth.RoleGrantPermission', { name: 'nobody' }),
  fails('grant of an empty key', 'Auth.RoleGrantPermission', { name: 'nobody', perm: { permType: 2 } }),
  fails('grant of an inverted range', 'Auth.RoleGrantPermission', {
    name: 'nobody',
    perm: { permType: 2, key: b('b'), range_end: b('a') },
  }),
  fails('get role root', 'Auth.RoleGet', { role: 'root' }),
  ok('disable while disabled', 'Auth.AuthDisable', {}),
];

const metadata: readonly EdgeCase[] = [
  ok('a token while disabled', 'KV.Range', range('a'), { metadata: { token: 'nonsense.12' } }),
  ok('hasleader', 'KV.Range', range('a'), { metadata: { hasleader: 'true' } }),
  ok('client version', 'KV.Range', range('a'), { metadata: { 'client-api-version': '3.7.1' } }),
  ok('health', 'Health.Check', {}),
  fails('health of a service', 'Health.Check', { service: 'etcdserverpb.Health' }),
  fails('health of an unknown service', 'Health.Check', { service: 'nonsense' }),
];

export const edgeCases: ReadonlyMap<string, readonly EdgeCase[]> = new Map([
  ['empty store', emptyStore],
  ['hashes of compactions', hashes],
  ['ranges', ranges],
  ['puts', puts],
  ['txns', txns],
  ['compaction', compaction],
  ['leases', leases],
  ['maintenance', maintenance],
  ['alarms', alarms],
  ['downgrades', downgrades],
  ['cluster', cluster],
  ['authentication', authentication],
  ['metadata and health', metadata],
]);
