import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AnyMessageCodec, etcdserverpb, mvccpb, toJson } from '@quorate/api';
import type { Clock } from '@quorate/base';
import { ManualClock } from '../../testing/manual-clock.ts';
import { jsonInSlices } from './sliced-json.ts';

const { RangeResponse, ResponseHeader, AlarmResponse, WatchResponse } = etcdserverpb;
const bytes = (text: string) => new TextEncoder().encode(text);

test('the text is that of the message in one piece', async () => {
  const kvs = Array.from({ length: 300 }, (_, i) => mvccpb.KeyValue.create({ key: bytes(`k${i}`), modRevision: i }));
  const header = ResponseHeader.create({ revision: 7 });
  const cases: [AnyMessageCodec, object][] = [
    [RangeResponse, RangeResponse.create({ header, kvs, more: true, count: 300 })],
    [RangeResponse, RangeResponse.create()],
    [RangeResponse, RangeResponse.create({ header: ResponseHeader.create() })],
    [AlarmResponse, AlarmResponse.create({ alarms: [etcdserverpb.AlarmMember.create({ alarm: 1 })] })],
    [WatchResponse, WatchResponse.create({ cancelReason: 'a "b"', events: [mvccpb.Event.create({ type: 1 })] })],
  ];
  const clock = new ManualClock();
  for (const [type, message] of cases) {
    assert.equal(await jsonInSlices(type, message, clock), JSON.stringify(toJson(type, message)));
  }
});

test('a long list leaves the loop in between', async () => {
  const kvs = Array.from({ length: 10_000 }, (_, i) => mvccpb.KeyValue.create({ key: bytes(`k${i}`) }));
  let nowMs = 0;
  let turns = 0;
  const clock: Clock = {
    nowMs: () => nowMs++,
    wallMs: () => nowMs,
    setTimer: () => ({ cancel() {} }),
    defer: (callback) => {
      turns++;
      setImmediate(callback);
    },
  };
  const text = await jsonInSlices(RangeResponse, RangeResponse.create({ kvs }), clock);
  assert.equal((JSON.parse(text) as { kvs: unknown[] }).kvs.length, 10_000);
  assert.ok(turns > 20, `${turns} turns`);
});
