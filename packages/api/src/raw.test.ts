import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyMessageCodec, Codec } from './codec.ts';
import * as etcdserverpb from './generated/etcdserverpb.ts';
import * as mvccpb from './generated/mvccpb.ts';
import * as raftpb from './generated/raftpb.ts';
import { randomMessage, TestRandom } from './testing/random-message.ts';

const pairs: [AnyMessageCodec, Codec<object>][] = [
  [etcdserverpb.RangeResponse, etcdserverpb.RangeResponseRaw],
  [etcdserverpb.PutResponse, etcdserverpb.PutResponseRaw],
  [etcdserverpb.DeleteRangeResponse, etcdserverpb.DeleteRangeResponseRaw],
  [etcdserverpb.TxnResponse, etcdserverpb.TxnResponseRaw],
  [etcdserverpb.WatchResponse, etcdserverpb.WatchResponseRaw],
  [etcdserverpb.LeaseKeepAliveResponse, etcdserverpb.LeaseKeepAliveResponseRaw],
  [etcdserverpb.RangeStreamResponse, etcdserverpb.RangeStreamResponseRaw],
  [etcdserverpb.RequestOp, etcdserverpb.RequestOpRaw],
  [etcdserverpb.ResponseOp, etcdserverpb.ResponseOpRaw],
  [etcdserverpb.TxnRequest, etcdserverpb.TxnRequestRaw],
  [etcdserverpb.InternalRaftRequest, etcdserverpb.InternalRaftRequestRaw],
  [mvccpb.Event, mvccpb.EventRaw],
  [raftpb.Message, raftpb.MessageRaw],
];

test('every Raw form is tested here', () => {
  const all = [etcdserverpb, mvccpb, raftpb].flatMap((namespace) => Object.keys(namespace));
  assert.deepEqual(
    pairs.map(([, raw]) => raw.name.split('.')[1]).sort(),
    all.filter((name) => /^[A-Z].*Raw$/.test(name)).sort(),
  );
});

test('a Raw form reads and writes the same bytes, and its parts are encoded sub-messages', () => {
  for (const [whole, raw] of pairs) {
    for (let seed = 1; seed <= 100; seed++) {
      const message = randomMessage(new TestRandom(seed), whole);
      const bytes = whole.encode(message);
      const parts = raw.decode(bytes);
      assert.deepEqual(raw.encode(parts), bytes, `${raw.name}, seed ${seed}`);
      assert.equal(raw.byteLength(parts), bytes.length);
      assert.deepEqual(Object.keys(parts), Object.keys(raw.create()));
      for (const { key, kind, label, message: part } of whole.fields) {
        if (kind !== 'message' || part === undefined) continue;
        const mine = (message as Record<string, unknown>)[key];
        const theirs = (parts as Record<string, unknown>)[key];
        const one = (value: unknown, encoded: unknown): void => {
          if (encoded instanceof Uint8Array) assert.deepEqual(part().encode(value as object), encoded);
          else assert.equal(encoded === undefined, value === undefined);
        };
        if (label === 'repeated')
          for (const [i, value] of (mine as unknown[]).entries()) one(value, (theirs as unknown[])[i]);
        else one(mine, theirs);
      }
    }
  }
});
