import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { latin1ToBytes } from '@quorate/base';
import { checkTxnRequest } from './request-checks.ts';

const { DeleteRangeRequest, PutRequest, RequestOp, TxnRequest } = etcdserverpb;
type Operation = etcdserverpb.RequestOp;

const key = latin1ToBytes;
const put = (name: string, init: Partial<etcdserverpb.PutRequest> = {}): Operation =>
  RequestOp.create({ requestPut: PutRequest.create({ key: key(name), ...init }) });
const remove = (name: string): Operation =>
  RequestOp.create({ requestDeleteRange: DeleteRangeRequest.create({ key: key(name) }) });
const nested = (init: Partial<etcdserverpb.TxnRequest>): Operation =>
  RequestOp.create({ requestTxn: TxnRequest.create(init) });
const check = (init: Partial<etcdserverpb.TxnRequest>, operationsMax = 128) =>
  checkTxnRequest(TxnRequest.create(init), operationsMax);

const twice = [put('a'), put('a')];

test('a key changed twice, at any depth and in either branch', () => {
  assert.equal(check({ success: twice }), 'ErrGRPCDuplicateKey');
  assert.equal(check({ failure: twice }), 'ErrGRPCDuplicateKey');
  assert.equal(check({ success: [nested({ failure: [nested({ success: twice })] })] }), 'ErrGRPCDuplicateKey');
  assert.equal(check({ failure: [put('a'), nested({ success: [remove('a')] })] }), 'ErrGRPCDuplicateKey');
  assert.equal(check({ success: [put('a'), nested({ success: [put('b')] })], failure: [put('a')] }), undefined);
});

test('what is wrong with a part is said first, wherever in the tree it is', () => {
  const parts: readonly [Operation, string][] = [
    [RequestOp.create(), 'ErrGRPCKeyNotFound'],
    [put(''), 'ErrGRPCEmptyKey'],
    [remove(''), 'ErrGRPCEmptyKey'],
    [put('z', { ignoreValue: true, value: key('v') }), 'ErrGRPCValueProvided'],
    [put('z', { ignoreLease: true, lease: 1n }), 'ErrGRPCLeaseProvided'],
    [nested({ compare: [etcdserverpb.Compare.create()] }), 'ErrGRPCEmptyKey'],
  ];
  for (const [wrong, symbol] of parts) {
    const places: Partial<etcdserverpb.TxnRequest>[] = [
      { success: [...twice, wrong] },
      { success: twice, failure: [wrong] },
      { success: [nested({ success: twice }), wrong] },
      { success: [nested({ success: twice, failure: [wrong] })] },
      { success: [nested({ failure: twice })], failure: [nested({ success: [wrong] })] },
    ];
    for (const [i, place] of places.entries()) assert.equal(check(place), symbol, `${symbol}, place ${i}`);
  }
  assert.equal(check({ success: [...twice, nested({ success: [put('b')] })] }, 3), 'ErrGRPCTooManyOps');
});
