import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AnyMessageCodec, DecodeError, etcdserverpb, mvccpb, toJson } from '@quorate/api';
import { type Clock, concatBytes, nextBelow, SeededRandom, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { ManualClock } from '../../testing/manual-clock.ts';
import { jsonPieces, wholeBytesMax } from './sliced-json.ts';

const { RangeResponse, ResponseHeader, AlarmResponse, WatchResponse, ResponseOp, TxnResponse } = etcdserverpb;
const { KeyValue, Event } = mvccpb;

async function slicedText(type: AnyMessageCodec, bytes: Uint8Array): Promise<string> {
  const clock = new ManualClock();
  return utf8FromBytes(concatBytes(await jsonPieces(type, bytes, clock)));
}

const keyValues = (count: number, valueBytes: number) =>
  Array.from({ length: count }, (_, i) =>
    KeyValue.create({ key: utf8ToBytes(`k${i}`), modRevision: i, value: new Uint8Array(valueBytes).fill(i) }),
  );
const header = ResponseHeader.create({ revision: 7 });
const large = RangeResponse.create({ header, kvs: keyValues(3000, 20), more: true, count: 3000 });
const huge = KeyValue.create({ key: utf8ToBytes('k'), value: new Uint8Array(wholeBytesMax * 3).fill(7) });

const cases: Readonly<Record<string, [AnyMessageCodec, object]>> = {
  'very many': [RangeResponse, large],
  'few large ones': [RangeResponse, RangeResponse.create({ header, kvs: keyValues(5, wholeBytesMax), count: 5 })],
  'one within another': [
    TxnResponse,
    TxnResponse.create({
      header,
      succeeded: true,
      responses: [ResponseOp.create({ responseRange: large }), ResponseOp.create({ responsePut: { header } as never })],
    }),
  ],
  'a large one that is not a list': [
    WatchResponse,
    WatchResponse.create({
      header,
      cancelReason: 'a "b"',
      events: [Event.create({ type: 1, kv: huge }), Event.create({ kv: huge, prevKv: huge })],
    }),
  ],
  'a small message': [AlarmResponse, AlarmResponse.create({ alarms: [etcdserverpb.AlarmMember.create({ alarm: 1 })] })],
  'nothing at all': [RangeResponse, RangeResponse.create()],
  'an empty part': [RangeResponse, RangeResponse.create({ header: ResponseHeader.create() })],
};
for (const [name, [type, message]] of Object.entries(cases)) {
  test(`the text is that of the message in one piece: ${name}`, async () => {
    const bytes = type.encode(message);
    assert.equal(await slicedText(type, bytes), JSON.stringify(toJson(type, type.decode(bytes))));
  });
}

test('parts may come in any order, with unknown ones between them', async () => {
  const random = new SeededRandom(Number(process.env.QUORATE_SEED ?? 3));
  const { encode } = RangeResponse;
  const parts = keyValues(2000, 40).map((kv) => encode(RangeResponse.create({ kvs: [kv] })).slice());
  for (const fields of [{ header }, { count: 4 }, { more: true }, { header: ResponseHeader.create({ raftTerm: 3 }) }]) {
    parts.splice(nextBelow(random, parts.length), 0, encode(RangeResponse.create(fields)).slice());
  }
  // Field 100: a varint, and bytes.
  parts.splice(nextBelow(random, parts.length), 0, new Uint8Array([0xa0, 6, 1]), new Uint8Array([0xa2, 6, 2, 1, 2]));
  const bytes = concatBytes(parts);
  assert.equal(
    await slicedText(RangeResponse, bytes),
    JSON.stringify(toJson(RangeResponse, RangeResponse.decode(bytes))),
  );
});

test('what cannot be decoded is an error, as in one piece', async () => {
  const bytes = RangeResponse.encode(large);
  await assert.rejects(slicedText(RangeResponse, bytes.subarray(0, bytes.length - 1)), DecodeError);
  // A field of a wire type that there is not.
  await assert.rejects(slicedText(RangeResponse, concatBytes([bytes, new Uint8Array([0x0f])])), DecodeError);
  // A key-value that ends within a field, in the middle.
  const broken = concatBytes([bytes, new Uint8Array([0x12, 2, 0x0a, 5]), bytes]);
  assert.throws(() => RangeResponse.decode(broken), DecodeError);
  await assert.rejects(slicedText(RangeResponse, broken), DecodeError);
});

test('the loop is free in between, however many or large the parts are', async () => {
  for (const message of [
    RangeResponse.create({ kvs: keyValues(20_000, 10) }),
    RangeResponse.create({ kvs: keyValues(20, wholeBytesMax) }),
  ]) {
    let nowMs = 0;
    let turns = 0;
    // Each look at the clock takes a millisecond: so much work is between two of them.
    const clock: Clock = {
      nowMs: () => nowMs++,
      wallMs: () => nowMs,
      setTimer: () => ({ cancel() {} }),
      defer: (callback) => {
        turns++;
        setImmediate(callback);
      },
    };
    const pieces = await jsonPieces(RangeResponse, RangeResponse.encode(message), clock);
    const { kvs } = JSON.parse(utf8FromBytes(concatBytes(pieces))) as { kvs: unknown[] };
    assert.equal(kvs.length, message.kvs.length);
    assert.ok(turns >= 10, `${turns} turns`);
    assert.ok(pieces.every((piece) => piece.length < 2 * wholeBytesMax));
  }
});
