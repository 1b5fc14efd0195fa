import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, mvccpb } from '@quorate/api';
import { latin1FromBytes, latin1ToBytes } from '@quorate/base';
import { KeyValueModel } from './key-value-model.ts';
import type { ModelRequest } from './state.ts';
import { alarm, compact, compare, del, describe, grant, put, range, revoke, txn } from './testing/requests.ts';

const { AlarmAction, AlarmType, CompareResult, SortOrder, SortTarget } = etcdserverpb;
const toEnd = '\0';

function modelWith(...requests: ModelRequest[]): KeyValueModel {
  const model = new KeyValueModel();
  for (const request of requests) model.apply(request);
  return model;
}

function rangeOf(model: KeyValueModel, request: ReturnType<typeof range>): etcdserverpb.RangeResponse {
  const { response } = model.apply(request);
  assert.equal(response?.method, 'range');
  return response.message;
}

const keysOf = (response: etcdserverpb.RangeResponse): string =>
  response.kvs.map(({ key }) => latin1FromBytes(key)).join('');

function txnOf(model: KeyValueModel, request: ReturnType<typeof txn>): etcdserverpb.TxnResponse {
  const { response } = model.apply(request);
  assert.equal(response?.method, 'txn');
  return response.message;
}

test('puts and deletes count revisions, versions and lives', () => {
  const model = modelWith(put('a', '1'), put('a', '2'), del('a'), del('a'), put('a', '3'));
  assert.equal(model.revision, 5);
  const texts = [2, 3, 4, 5].map((revision) =>
    rangeOf(model, range('a', '', { revision }))
      .kvs.map(describe)
      .join(),
  );
  assert.deepEqual(texts, ['a=1 2.2.1', 'a=2 2.3.2', '', 'a=3 5.5.1']);
});

test('previous key-values come when asked for', () => {
  const model = modelWith(put('a', '1'), put('b', '2'));
  const again = model.apply(put('a', '2', { prevKv: true })).response;
  assert.ok(again?.method === 'put');
  assert.equal(describe(again.message.prevKv), 'a=1 2.2.1');
  const gone = model.apply(del('a', toEnd, true)).response;
  assert.ok(gone?.method === 'delete');
  assert.equal(gone.message.header?.revision, 5);
  assert.equal(gone.message.deleted, 2);
  assert.deepEqual(gone.message.prevKvs.map(describe), ['a=2 2.4.2', 'b=2 3.3.1']);
});

test('events carry what was before, in order', () => {
  const model = modelWith(put('a', '1'), put('b', '1'), put('a', '2'), del('a', 'c'));
  const texts = [2, 4, 5].map((revision) =>
    model
      .eventsOf(revision)
      .map(
        ({ type, kv, prevKv }) =>
          `${type === mvccpb.EventType.PUT ? 'put' : 'delete'} ${describe(kv)} < ${describe(prevKv)}`,
      )
      .join('; '),
  );
  assert.deepEqual(texts, [
    'put a=1 2.2.1 < none',
    'put a=2 2.4.2 < a=1 2.2.1',
    'delete a= 0.5.0 < a=2 2.4.2; delete b= 0.5.0 < b=1 3.3.1',
  ]);
});

test('ranges: limits, counts, filters and orders', () => {
  const model = modelWith(put('a', '3'), put('b', '2'), put('c', '1'), put('b', '2'));
  const all = (fields: Partial<etcdserverpb.RangeRequest>) => rangeOf(model, range('a', toEnd, fields));
  const summary = ({ more, count, ...rest }: etcdserverpb.RangeResponse): string =>
    `${keysOf({ more, count, ...rest })} ${more} ${count}`;
  assert.equal(summary(all({ limit: 2 })), 'ab true 3');
  assert.equal(summary(all({ limit: 3 })), 'abc false 3');
  assert.equal(summary(all({ limit: -3 })), 'abc false 3');
  assert.equal(summary(all({ limit: 1, minModRevision: 3 })), 'b true 3');
  assert.equal(summary(all({ maxCreateRevision: 3 })), 'ab false 3');
  assert.equal(summary(all({ countOnly: true, limit: 1, minModRevision: 4 })), ' false 3');
  assert.equal(summary(all({ sortOrder: SortOrder.DESCEND, sortTarget: SortTarget.VERSION })), 'bac false 3');
  assert.equal(summary(all({ sortOrder: SortOrder.DESCEND })), 'cba false 3');
  assert.equal(summary(all({ sortOrder: SortOrder.ASCEND, sortTarget: SortTarget.VALUE, limit: 1 })), 'c true 3');
  // Without an order, only one more than the limit is looked at.
  assert.equal(summary(all({ sortTarget: SortTarget.VALUE, limit: 1 })), 'b true 3');
  assert.equal(summary(rangeOf(model, range('c', 'c'))), ' false 0');
});

test('keys without values lose the lease unless values were sorted by', () => {
  const model = modelWith(grant(7n), put('a', 'x', { lease: 7n }));
  const read = (fields: Partial<etcdserverpb.RangeRequest>) =>
    rangeOf(model, range('a', '', { keysOnly: true, ...fields }))
      .kvs.map(describe)
      .join();
  assert.equal(read({}), 'a= 2.2.1');
  assert.equal(read({ sortTarget: SortTarget.VALUE }), 'a= 2.2.1 lease 7');
});

test('what is refused, and why', () => {
  const model = modelWith(put('a', '1'), put('a', '2'), put('a', '3'), compact(3));
  const errorOf = (request: ModelRequest) => model.apply(request).error;
  assert.equal(errorOf(range('a', '', { revision: 5 })), 'ErrGRPCFutureRev');
  assert.equal(errorOf(range('a', '', { revision: 2 })), 'ErrGRPCCompacted');
  assert.equal(errorOf(range('a', '', { revision: 3 })), undefined);
  assert.equal(errorOf(range('a', '', { revision: -1 })), undefined);
  assert.equal(errorOf(txn([], [put('b', '1'), range('a', '', { revision: 5 })])), 'ErrGRPCFutureRev');
  assert.equal(errorOf(txn([], [put('b', '1'), range('a', '', { revision: -1 })])), 'ErrGRPCCompacted');
  assert.equal(errorOf(put('b', '', { ignoreValue: true })), 'ErrGRPCKeyNotFound');
  assert.equal(errorOf(put('b', '', { ignoreValue: true, lease: 9n })), 'ErrGRPCLeaseNotFound');
  assert.equal(errorOf(txn([], [put('b', '1'), put('c', '1', { lease: 9n })])), 'ErrGRPCLeaseNotFound');
  assert.equal(errorOf(compact(3)), 'ErrGRPCCompacted');
  assert.equal(errorOf(compact(5)), 'ErrGRPCFutureRev');
  assert.equal(model.revision, 4);
});

test('leases hold keys until these move, and take them along', () => {
  const model = modelWith(grant(1n), grant(2n), put('a', '1', { lease: 1n }), put('b', '1', { lease: 1n }));
  model.apply(put('c', '1', { lease: 1n }));
  model.apply(put('b', '2', { ignoreLease: true }));
  model.apply(put('c', '', { ignoreValue: true, lease: 2n }));
  assert.equal(model.apply(revoke(1n)).events.length, 2);
  assert.deepEqual(rangeOf(model, range('a', toEnd)).kvs.map(describe), ['c=1 4.6.2 lease 2']);
  assert.equal(model.apply(revoke(1n)).error, 'ErrGRPCLeaseNotFound');
  assert.equal(model.apply(grant(2n)).error, 'ErrGRPCLeaseExist');
  assert.equal(model.revision, 7);
});

test('compares look at the state before the transaction, over whole intervals too', () => {
  const model = modelWith(put('a', '1'), put('b', '2'), put('a', '3'));
  const holds = (...compares: etcdserverpb.Compare[]) => txnOf(model, txn(compares, [])).succeeded;
  assert.ok(holds(compare('VALUE', 'a', { value: latin1ToBytes('3') }), compare('VERSION', 'a', { version: 2 })));
  assert.ok(holds(compare('MOD', 'a', { modRevision: 4 }), compare('CREATE', 'x', { createRevision: 0 })));
  assert.ok(!holds(compare('VALUE', 'x', { value: latin1ToBytes('3'), result: CompareResult.NOT_EQUAL })));
  const overAll = { rangeEnd: latin1ToBytes(toEnd), result: CompareResult.GREATER };
  assert.ok(holds(compare('MOD', 'a', { ...overAll, modRevision: 2 })));
  assert.ok(!holds(compare('MOD', 'a', { ...overAll, modRevision: 3 })));
  assert.ok(holds(compare('LEASE', 'a', { lease: 0n })));
  const nested = txn([], [put('n', '1'), txn([compare('VERSION', 'n', { version: 0 })], [put('m', '1')], [])]);
  const response = txnOf(model, nested);
  assert.equal(response.responses[1]?.responseTxn?.succeeded, true);
});

test('a transaction is one revision; its ranges see what came before them', () => {
  const model = modelWith(put('a', '1'));
  const request = txn(
    [compare('VERSION', 'a', { version: 1 })],
    [range('x'), del('y'), put('x', '1'), range('x'), txn([], [del('a')]), range('a', '', { revision: 2 })],
  );
  const { header, responses } = txnOf(model, request);
  assert.equal(header?.revision, 3);
  const [before, nothing, written, after, nested, old] = responses;
  assert.equal(before?.responseRange?.header?.revision, 2);
  assert.equal(before?.responseRange?.count, 0);
  assert.equal(nothing?.responseDeleteRange?.header?.revision, 2);
  assert.equal(written?.responsePut?.header?.revision, 3);
  assert.deepEqual(after?.responseRange?.kvs.map(describe), ['x=1 3.3.1']);
  assert.equal(nested?.responseTxn?.header?.revision, 0);
  assert.equal(nested?.responseTxn?.responses[0]?.responseDeleteRange?.deleted, 1);
  assert.deepEqual(old?.responseRange?.kvs.map(describe), ['a=1 2.2.1']);
});

test('alarms stop what they must', () => {
  const model = modelWith(put('a', '1'), alarm(AlarmAction.ACTIVATE, AlarmType.NOSPACE));
  const errorOf = (request: ModelRequest) => model.apply(request).error;
  assert.equal(errorOf(put('a', '2')), 'ErrGRPCNoSpace');
  assert.equal(errorOf(txn([], [], [txn([], [put('a', '2')])])), 'ErrGRPCNoSpace');
  assert.equal(errorOf(grant(1n)), 'ErrGRPCNoSpace');
  assert.equal(errorOf(del('a')), undefined);
  model.apply(alarm(AlarmAction.ACTIVATE, AlarmType.CORRUPT));
  assert.equal(errorOf(del('a')), 'ErrGRPCCorrupt');
  assert.equal(errorOf(compact(1)), 'ErrGRPCCorrupt');
  assert.equal(errorOf(range('a')), undefined);
  model.apply(alarm(AlarmAction.DEACTIVATE, AlarmType.CORRUPT));
  model.apply(alarm(AlarmAction.DEACTIVATE, AlarmType.NOSPACE));
  assert.equal(errorOf(put('a', '2')), undefined);
});
