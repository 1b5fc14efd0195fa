import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBase64, encodeBase64 } from './base64.ts';
import type { AnyMessageCodec } from './codec.ts';
import * as etcdserverpb from './generated/etcdserverpb.ts';
import * as mvccpb from './generated/mvccpb.ts';
import * as v3electionpb from './generated/v3electionpb.ts';
import { fromJsonText, toJson } from './json.ts';
import { JsonError, parseJson } from './json-parse.ts';
import { allMethods } from './services.ts';
import { messageTypesOf, randomMessage, TestRandom } from './testing/random-message.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (type: AnyMessageCodec, text: string): object => fromJsonText(type, text);
const json = (type: AnyMessageCodec, message: object): string => JSON.stringify(toJson(type, message));
const refused = (type: AnyMessageCodec, text: string): void => {
  assert.throws(() => read(type, text), JsonError, text);
};

test('every message of the gateway survives JSON', () => {
  const types = [etcdserverpb, mvccpb, v3electionpb].flatMap(messageTypesOf);
  for (const { request, response } of allMethods) {
    if (request.name.startsWith('etcdserverpb')) assert.ok(types.includes(request) && types.includes(response));
  }
  for (const type of types.filter(({ name }) => !/\.(?:Metadata|Request)$/.test(name))) {
    for (let seed = 1; seed <= 30; seed++) {
      const message = randomMessage(new TestRandom(seed), type);
      const text = json(type, message);
      const back = read(type, text);
      assert.equal(json(type, back), text, `${type.name}, seed ${seed}`);
      assert.deepEqual([...type.encode(back)], [...type.encode(message)], `${type.name}, seed ${seed}`);
    }
  }
});

test('what output looks like', () => {
  const header = etcdserverpb.ResponseHeader.create({ clusterId: 14841639068965178418n, revision: 5, raftTerm: 2 });
  const kv = mvccpb.KeyValue.create({ key: utf8('foo'), lease: -1n });
  const response = etcdserverpb.WatchResponse.create({
    header,
    events: [mvccpb.Event.create({ kv }), mvccpb.Event.create({ type: mvccpb.EventType.DELETE, prevKv: kv })],
  });
  assert.equal(
    json(etcdserverpb.WatchResponse, response),
    '{"header":{"cluster_id":"14841639068965178418","revision":"5","raft_term":"2"},"events":[{"kv":{"key":"Zm9v","lease":"-1"}},{"type":"DELETE","prev_kv":{"key":"Zm9v","lease":"-1"}}]}',
  );
  assert.equal(json(etcdserverpb.PutResponse, etcdserverpb.PutResponse.create()), '{}');
  assert.equal(
    json(etcdserverpb.PutResponse, etcdserverpb.PutResponse.create({ header: etcdserverpb.ResponseHeader.create() })),
    '{"header":{}}',
  );
  assert.equal(json(etcdserverpb.Compare, etcdserverpb.Compare.create({ version: 0 })), '{"version":"0"}');
  assert.equal(json(mvccpb.Event, mvccpb.Event.create({ type: 7 })), '{"type":7}');
  const status = etcdserverpb.StatusResponse.create({ dbSize: 20480, isLearner: true, errors: ['a'] });
  assert.equal(json(etcdserverpb.StatusResponse, status), '{"dbSize":"20480","errors":["a"],"isLearner":true}');
});

test('what input may look like', () => {
  const range = (text: string): etcdserverpb.RangeRequest => fromJsonText(etcdserverpb.RangeRequest, text);
  assert.equal(range('{"range_end":"AA=="}').rangeEnd.length, 1);
  assert.equal(range('{"rangeEnd":"AA"}').rangeEnd.length, 1);
  for (const limit of ['3', '"3"', '3.0', '"3.00"', '0.3e1', '30e-1', '"3e0"']) {
    assert.equal(range(`{"limit":${limit}}`).limit, 3, limit);
  }
  assert.equal(range('{"limit":-1e3}').limit, -1000);
  // Zero has no digits to move: however large the exponent is, there is nothing to make room for.
  for (const limit of ['0e999999999', '-0.000e999999999', '0e-999999999']) {
    assert.equal(range(`{"limit":${limit}}`).limit, 0, limit);
  }
  assert.equal(range('{"sort_order":"DESCEND","sortTarget":4}').sortTarget, 4);
  assert.equal(range('{"sort_order":"toString"}').sortOrder, 0);
  assert.equal(range('{"sort_order":99}').sortOrder, 99);
  assert.deepEqual(range(' { "key" : null , "what" : [ { "x" : 1 } ] } rest'), etcdserverpb.RangeRequest.create());
  const alarm = fromJsonText(etcdserverpb.AlarmRequest, '{"memberID":14138984027333314880,"action":"GET"}');
  assert.equal(alarm.memberId, 14138984027333314880n);
  assert.equal(fromJsonText(etcdserverpb.LeaseGrantRequest, '{"ID":"-9223372036854775808","TTL":5}').id, -(2n ** 63n));
  const compare = fromJsonText(etcdserverpb.Compare, '{"version":null,"mod_revision":0}');
  assert.deepEqual([compare.version, compare.modRevision], [undefined, 0]);
});

test('what input is refused', () => {
  const { RangeRequest, Compare, AuthUserAddRequest, TxnRequest, LeaseGrantRequest, AlarmRequest } = etcdserverpb;
  for (const text of ['', '  ', 'null', '[]', '3', '"a"', '{', '{"key"}', "{'key':1}", '{"key":"AA==",}', '{key:1}']) {
    refused(RangeRequest, text);
  }
  for (const limit of [
    '1.5',
    '"1 "',
    '" 1"',
    '""',
    '"0x10"',
    '01',
    'true',
    '9223372036854775808',
    '1e400',
    '{}',
    '[1]',
    '+1',
    '.5',
  ]) {
    refused(RangeRequest, `{"limit":${limit}}`);
  }
  refused(LeaseGrantRequest, '{"ID":"9223372036854775808"}');
  refused(etcdserverpb.WatchCancelRequest, '{"watch_id":"9007199254740992"}');
  refused(AlarmRequest, '{"memberID":-1}');
  refused(AlarmRequest, '{"memberID":"18446744073709551616"}');
  for (const key of ['"*"', '"A"', '"A==="', '"AA=A"', '"+-=="', '5', 'true']) refused(RangeRequest, `{"key":${key}}`);
  refused(RangeRequest, '{"keys_only":"true"}');
  refused(RangeRequest, '{"sort_order":1.5}');
  refused(RangeRequest, '{"sort_order":2147483648}');
  refused(RangeRequest, '{"range_end":"AA==","rangeEnd":"AA=="}');
  refused(RangeRequest, '{"key":"AA==","key":null}');
  refused(Compare, '{"version":"1","create_revision":"1"}');
  refused(AuthUserAddRequest, '{"name":"\\ud800"}');
  refused(AuthUserAddRequest, '{"name":"a\nb"}');
  refused(AuthUserAddRequest, '{"name":"\\x"}');
  refused(TxnRequest, '{"compare":{}}');
  refused(TxnRequest, '{"compare":[null]}');
  refused(TxnRequest, `{"compare":${'['.repeat(100_000)}`);
});

test('values of a sequence are read one by one, and an incomplete one says so', () => {
  const text = ' {"a":"\\u0041\\n\\ud83d\\ude00"}[1, -2.5e+3 ,true,false,null]{}';
  const ends: number[] = [];
  let end = 0;
  for (let parsed = parseJson(text); parsed !== undefined; parsed = parseJson(text, end)) {
    end = parsed.end;
    ends.push(end);
  }
  assert.deepEqual(ends, [text.indexOf('['), text.lastIndexOf('{'), text.length]);
  assert.equal(parseJson(' \n'), undefined);
  const complete = '{"a":["\\u0041\\"",-1.5,true,null]}';
  for (let length = 1; length < complete.length; length++) {
    assert.throws(
      () => parseJson(complete.slice(0, length)),
      (error) => error instanceof JsonError && error.incomplete,
      complete.slice(0, length),
    );
  }
  for (const broken of ['{"a":trux', '{"a":"\\q', '{"a":1 2', '{"a":-x', '{"a":"\\u00g']) {
    assert.throws(
      () => parseJson(broken),
      (error) => error instanceof JsonError && !error.incomplete,
      broken,
    );
  }
});

test('the parser agrees with JSON.parse on what is one value', () => {
  const pieces = ['{', '}', '[', ']', ',', ':', '"a"', '"\\u00e9"', '1', '-0.5e3', 'true', 'null', ' ', '"'];
  for (let seed = 1; seed <= 3000; seed++) {
    const random = new TestRandom(seed);
    const text = Array.from({ length: 1 + random.below(8) }, () => pieces[random.below(pieces.length)]).join('');
    let expected = true;
    try {
      JSON.parse(text);
    } catch {
      expected = false;
    }
    let actual = false;
    try {
      const parsed = parseJson(text);
      actual = parsed !== undefined && parseJson(text, parsed.end) === undefined;
    } catch (error) {
      assert.ok(error instanceof JsonError);
    }
    assert.equal(actual, expected, text);
  }
});

test('base64 as Node has it', () => {
  // Long ones are decoded another way.
  for (let length = 0; length < 800; length += length < 70 ? 1 : 89) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length * 11) & 255);
    const expected = Buffer.from(bytes).toString('base64');
    assert.equal(encodeBase64(bytes), expected);
    for (const text of [expected, expected.replaceAll('=', ''), Buffer.from(bytes).toString('base64url')]) {
      assert.deepEqual(decodeBase64(text), bytes, text);
    }
  }
  assert.deepEqual(decodeBase64('AAAA\r\nAAAA\r\n'), new Uint8Array(6));
});

test('what is no base64, short and long', () => {
  for (const length of [8, 256, 4000]) {
    const good = 'A'.repeat(length);
    for (const bad of ['*', ' ', '=', '\u0141', 'é', '\0']) {
      for (const at of [0, 5, length - 3]) {
        assert.equal(
          decodeBase64(good.slice(0, at) + bad + good.slice(at + 1)),
          undefined,
          `${bad} at ${at} of ${length}`,
        );
      }
    }
    assert.equal(decodeBase64(`${good}A`), undefined);
    assert.equal(decodeBase64(`+${good.slice(2)}-`), undefined);
    assert.equal(decodeBase64(`${good.slice(3)}===`), undefined);
    assert.equal(decodeBase64(`${good.slice(2)}==`)?.length, (length * 3) / 4 - 2);
    assert.equal(decodeBase64(good.slice(2))?.length, (length * 3) / 4 - 2);
    assert.equal(decodeBase64(`${good.slice(1)}\n`), undefined);
  }
});
