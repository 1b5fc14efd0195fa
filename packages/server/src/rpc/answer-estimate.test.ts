import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { utf8FromBytes, utf8ToBytes } from '@quorate/base';
import type { MvccStore } from '@quorate/machine';
import type { Call } from '@quorate/transport';
import { holdAhead, rangeBytes, txnBytes } from './answer-estimate.ts';

const { DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } = etcdserverpb;

/** Keys `a` to `z` with records of a kilobyte each; looks at no more of them than it is asked for. */
const store = {
  get: (key: Uint8Array) => (/^[a-z]$/.test(utf8FromBytes(key)) ? new Uint8Array(1000) : undefined),
  openRange: ({ key, rangeEnd, limit }: etcdserverpb.RangeRequest) => {
    const count = Math.max(0, (rangeEnd[0] as number) - (key[0] as number));
    const found = Math.min(count, limit);
    const kvs = new Array(found).fill(new Uint8Array(1000));
    return { step: () => true, close: () => {}, keptBytes: 1000 * found, result: { kvs, count } };
  },
} as unknown as MvccStore;

const [a, z, none] = ['a', 'z', '?'].map(utf8ToBytes) as [Uint8Array, Uint8Array, Uint8Array];
const noEnd = new Uint8Array(0);

test('a range has as many bytes as its first keys let expect', () => {
  assert.equal(rangeBytes(store, a, noEnd), 1000);
  assert.equal(rangeBytes(store, none, noEnd), 0);
  assert.equal(rangeBytes(store, a, z), 25_000);
  assert.equal(rangeBytes(store, z, a), 0);
});

test('a transaction has those of its larger branch, whatever it answers with', () => {
  const range = RequestOp.create({ requestRange: RangeRequest.create({ key: a, rangeEnd: z }) });
  const get = RequestOp.create({ requestRange: RangeRequest.create({ key: a }) });
  const put = RequestOp.create({ requestPut: PutRequest.create({ key: a, prevKv: true }) });
  const remove = RequestOp.create({
    requestDeleteRange: DeleteRangeRequest.create({ key: a, rangeEnd: z, prevKv: true }),
  });
  const inner = RequestOp.create({ requestTxn: TxnRequest.create({ failure: [range, get] }) });
  for (const [success, failure, bytes] of [
    [[], [], 0],
    [[get, put], [], 2000],
    [[get], [range], 25_000],
    [[remove, put], [get], 26_000],
    [[inner, get], [], 27_000],
  ] as const) {
    assert.equal(txnBytes(store, TxnRequest.create({ success: [...success], failure: [...failure] })), bytes);
  }
  for (const quiet of [
    RequestOp.create({ requestRange: RangeRequest.create({ key: a, rangeEnd: z, countOnly: true }) }),
    RequestOp.create({ requestPut: PutRequest.create({ key: a }) }),
    RequestOp.create({ requestDeleteRange: DeleteRangeRequest.create({ key: a, rangeEnd: z }) }),
  ]) {
    assert.equal(txnBytes(store, TxnRequest.create({ success: [quiet] })), 0);
  }
});

test('only what is large is held for', () => {
  const held: number[] = [];
  const call = { hold: (bytes: number) => held.push(bytes) } as unknown as Call;
  for (const bytes of [0, 65_536, 65_537]) holdAhead(call, bytes);
  assert.deepEqual(held, [65_537]);
});
