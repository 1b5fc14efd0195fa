import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, type DecodeErrorCode } from './decode-error.ts';
import * as etcdserverpb from './generated/etcdserverpb.ts';
import * as healthpb from './generated/healthpb.ts';
import * as mvccpb from './generated/mvccpb.ts';
import * as raftpb from './generated/raftpb.ts';
import * as snappb from './generated/snappb.ts';
import * as walpb from './generated/walpb.ts';
import { fromJsonText } from './json.ts';
import { nestingMax } from './wire.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function fails(code: DecodeErrorCode, body: () => unknown): void {
  assert.throws(body, (error) => error instanceof DecodeError && error.code === code);
}

const memberId = 0xc437c30fb21fc940n;

test('records of a real write-ahead log', () => {
  const metadata = etcdserverpb.Metadata.create({ nodeId: memberId, clusterId: 0x1801409957a4e74cn });
  const record = walpb.Record.create({ type: 1, crc: 0x7665b630, data: etcdserverpb.Metadata.encode(metadata) });
  const known = '080110b0ec96b3071a1508c092ff90fbe1f09bc40110ccce93bd9593d08018';
  assert.equal(hex(walpb.Record.encode(record)), known);
  assert.deepEqual(etcdserverpb.Metadata.decode(walpb.Record.decode(bytes(known)).data), metadata);
  assert.equal(hex(walpb.Record.encode(walpb.Record.create({ type: 4 }))), '08041000');
  assert.equal(hex(walpb.Record.encode(walpb.Record.create({ type: 4, crc: 0x8cf3ab88 }))), '08041088d7cee708');
  const first = walpb.Record.create({ type: 5, crc: 0xfe5a1494, data: walpb.Snapshot.encode(walpb.Snapshot.create()) });
  assert.equal(hex(walpb.Record.encode(first)), '08051094a9e8f20f1a0408001000');
  const state = raftpb.HardState.create({ term: 2, vote: memberId, commit: 6212 });
  assert.equal(hex(raftpb.HardState.encode(state)), '080210c092ff90fbe1f09bc40118c430');
});

test('messages of real members', () => {
  const metadata = raftpb.SnapshotMetadata.create({
    confState: raftpb.ConfState.create({ voters: [memberId] }),
    index: 6216,
    term: 2,
  });
  assert.equal(hex(raftpb.SnapshotMetadata.encode(metadata)), '0a0d08c092ff90fbe1f09bc401280010c8301802');
  // A heartbeat between links, as 3.4, 3.6 and 3.7 send it; ours is what all of them read.
  const forms = [
    '08081000180020002800300040004a0a12080a0228001000180050005800',
    '0808100018002000280030004000500058006800',
    '0808',
  ];
  for (const form of forms) {
    const { type, to, from, term, vote } = raftpb.Message.decode(bytes(form));
    assert.deepEqual({ type, to, from, term, vote }, { type: 8, to: 0n, from: 0n, term: 0, vote: 0n });
  }
  assert.equal(hex(raftpb.Message.encode(raftpb.Message.create({ type: 8 }))), '080810001800200028003000400050005800');
  assert.equal(hex(raftpb.Snapshot.encode(raftpb.Snapshot.create())), '12080a02280010001800');
  const entry = raftpb.Entry.decode(bytes('080010021806 2201ff'));
  assert.deepEqual(
    { ...entry, data: [...entry.data] },
    { type: 0, term: 2, index: 6, data: [255], unknown: undefined },
  );
  assert.equal(hex(raftpb.Entry.encode(raftpb.Entry.create({ term: 2, index: 3 }))), '080010021803');
  // The packed form of a proto2 list is read too.
  assert.deepEqual(raftpb.ConfState.decode(bytes('0a020102 0803 12020405')).voters, [1n, 2n, 3n]);
  assert.equal(hex(raftpb.ConfState.encode(raftpb.ConfState.create({ voters: [1n, 2n] }))), '080108022800');
  assert.equal(snappb.Snapshot.decode(bytes('08e181e45b')).crc, 192_479_457);
});

test('key-values of a real store', () => {
  const put = mvccpb.KeyValue.create({
    key: utf8('bar'),
    createRevision: 7,
    modRevision: 12,
    version: 2,
    value: utf8('b2'),
  });
  assert.equal(hex(mvccpb.KeyValue.encode(put)), `0a03${hex(utf8('bar'))}1007180c20022a02${hex(utf8('b2'))}`);
  assert.equal(hex(mvccpb.KeyValue.encode(mvccpb.KeyValue.create({ key: utf8('foo') }))), '0a03666f6f');
  assert.equal(
    hex(mvccpb.KeyValue.encode(mvccpb.KeyValue.create({ lease: -2n, version: -1 }))),
    '20ffffffffffffffffff0130feffffffffffffffff01',
  );
});

test('members of a oneof are written last and even when zero, and the last one read counts', () => {
  const compare = etcdserverpb.Compare.create({ key: utf8('a'), rangeEnd: utf8('b'), createRevision: 0 });
  assert.equal(hex(etcdserverpb.Compare.encode(compare)), '1a0161 82040162 2800'.replaceAll(' ', ''));
  const older = etcdserverpb.Compare.decode(bytes('1a0161 2800 82040162'));
  assert.deepEqual(older.createRevision, 0);
  assert.equal(older.version, undefined);
  const twice = etcdserverpb.Compare.decode(bytes('2805 2006'));
  assert.deepEqual([twice.version, twice.createRevision], [6, undefined]);
  const put = etcdserverpb.RequestOp.create({ requestPut: etcdserverpb.PutRequest.create() });
  assert.equal(hex(etcdserverpb.RequestOp.encode(put)), '1200');
  assert.ok(etcdserverpb.RequestOp.decode(bytes('1200')).requestPut);
});

test('a sub-message that comes twice is merged; of a oneof only what came last', () => {
  const response = etcdserverpb.PutResponse.decode(bytes('0a020805 7a0141 0a021003 0a0408071801'));
  assert.equal(response.header?.clusterId, 7n);
  assert.equal(response.header?.memberId, 3n);
  assert.equal(response.header?.revision, 1);
  assert.deepEqual(response.unknown, bytes('7a0141'));
  const raw = etcdserverpb.PutResponseRaw.decode(bytes('0a020805 0a021003'));
  assert.deepEqual(raw.header, bytes('08051003'));
  const op = etcdserverpb.RequestOp.decode(bytes('1203 0a0161  0a00  1203 120162'));
  assert.equal(op.requestRange, undefined);
  assert.deepEqual([op.requestPut?.key, op.requestPut?.value], [new Uint8Array(0), utf8('b')]);
  const merged = etcdserverpb.RequestOp.decode(bytes('0a00  1203 0a0161  1203 120162'));
  assert.deepEqual([merged.requestPut?.key, merged.requestPut?.value], [utf8('a'), utf8('b')]);
  assert.equal(merged.requestRange, undefined);
  const restarted = etcdserverpb.RequestOp.decode(bytes('1203 0a0161  0a00  1203 120162  1202 1801'));
  assert.deepEqual(
    { ...restarted.requestPut },
    { ...etcdserverpb.PutRequest.create({ value: utf8('b'), lease: 1n }) },
    'what came before the other member is gone',
  );
  const switched = etcdserverpb.RequestOp.decode(bytes('1200 0a00'));
  assert.deepEqual([switched.requestPut, switched.requestRange !== undefined], [undefined, true]);
});

test('what is merged or displaced must be well-formed by itself', () => {
  // The first header ends within a field that the second would complete; the displaced range request has field number 0.
  fails('truncated', () => etcdserverpb.PutResponse.decode(bytes('0a0108 0a0105')));
  fails('invalid-tag', () => etcdserverpb.RequestOp.decode(bytes('1200 1200 0a020001 1200')));
});

test('unknown fields and fields of an unexpected wire type are kept and come out again', () => {
  const request = etcdserverpb.PutRequest.decode(bytes('a80601 0a0161 0805 7b0801 7c 120162 9d0601020304'));
  assert.deepEqual([request.key, request.value], [utf8('a'), utf8('b')]);
  assert.equal(hex(request.unknown as Uint8Array), 'a8060108057b08017c9d0601020304');
  assert.equal(hex(etcdserverpb.PutRequest.encode(request)), '0a0161120162a8060108057b08017c9d0601020304');
  const neighbours = bytes('0a0161 a80601 0805 7b0801 7c');
  const kept = etcdserverpb.PutRequest.decode(neighbours).unknown;
  assert.ok(kept?.buffer === neighbours.buffer && kept.length === 9, 'neighbours stay a view');
  assert.equal(hex(etcdserverpb.HashRequest.encode(etcdserverpb.HashRequest.decode(bytes('0801')))), '0801');
  // The v2 request that entries of older releases carry.
  assert.equal(hex(etcdserverpb.InternalRaftRequest.decode(bytes('0807 12020807')).unknown as Uint8Array), '12020807');
});

test('zeros that are spelled out read as zeros', () => {
  const request = etcdserverpb.RangeRequest.decode(bytes('0a00 1200 1800 2000 2800 3800 1880808000'));
  assert.deepEqual(request, etcdserverpb.RangeRequest.create());
  assert.equal(etcdserverpb.PutRequest.decode(bytes('1800')).lease, 0n);
});

test('bytes are views, strings and numbers are checked', () => {
  const input = bytes('ffff 0a0161 ffff');
  const { key } = etcdserverpb.PutRequest.decode(input, 2, 5);
  assert.equal(key.buffer, input.buffer);
  input[4] = 0x62;
  assert.deepEqual(key, utf8('b'));
  fails('invalid-utf8', () => etcdserverpb.AuthenticateRequest.decode(bytes('0a01ff')));
  assert.equal(etcdserverpb.Request.decode(bytes('1201ff')).method, '\ufffd');
  fails('out-of-range', () => etcdserverpb.ResponseHeader.decode(bytes('18ffffffffffffffff7f')));
  assert.equal(etcdserverpb.RangeRequest.decode(bytes('18ffffffffffffff0f')).limit, Number.MAX_SAFE_INTEGER);
  assert.equal(etcdserverpb.RangeRequest.decode(bytes('18ffffffffffffffffff01')).limit, -1);
  assert.throws(() => etcdserverpb.PutRequest.decode(input, 2, 8), RangeError);
  const error = (() => {
    try {
      return etcdserverpb.RangeResponse.decode(bytes('12030a0561'));
    } catch (thrown) {
      return thrown;
    }
  })();
  assert.ok(error instanceof DecodeError);
  assert.equal(error.message, 'etcdserverpb.RangeResponse: truncated at byte 3');
});

test('numbers that a client asks for saturate, answers and ids do not', () => {
  const largest = 'ffffffffffffffff7f';
  const smallest = '80808080808080808001';
  const { MAX_SAFE_INTEGER, MIN_SAFE_INTEGER } = Number;
  for (const [value, nearest] of [
    [largest, MAX_SAFE_INTEGER],
    [smallest, MIN_SAFE_INTEGER],
  ] as const) {
    const range = etcdserverpb.RangeRequest.decode(
      bytes(`18${value} 20${value} 50${value} 58${value} 60${value} 68${value}`),
    );
    assert.deepEqual([range.limit, range.revision, range.minModRevision], [nearest, nearest, nearest]);
    assert.deepEqual(
      [range.maxModRevision, range.minCreateRevision, range.maxCreateRevision],
      [nearest, nearest, nearest],
    );
    assert.equal(etcdserverpb.CompactionRequest.decode(bytes(`08${value}`)).revision, nearest);
    assert.equal(etcdserverpb.HashKVRequest.decode(bytes(`08${value}`)).revision, nearest);
    assert.equal(etcdserverpb.LeaseGrantRequest.decode(bytes(`08${value}`)).ttl, nearest);
    assert.equal(etcdserverpb.WatchCreateRequest.decode(bytes(`18${value}`)).startRevision, nearest);
    for (const tag of ['20', '28', '30']) {
      const { version, createRevision, modRevision } = etcdserverpb.Compare.decode(bytes(tag + value));
      assert.equal(version ?? createRevision ?? modRevision, nearest);
    }
    assert.equal(
      fromJsonText(
        etcdserverpb.RangeRequest,
        `{"limit":"${BigInt.asIntN(64, value === largest ? 2n ** 63n - 1n : 2n ** 63n)}"}`,
      ).limit,
      nearest,
    );
    // Cut off it would be another watch.
    fails('out-of-range', () => etcdserverpb.WatchCreateRequest.decode(bytes(`38${value}`)));
    fails('out-of-range', () => etcdserverpb.WatchCancelRequest.decode(bytes(`08${value}`)));
    fails('out-of-range', () => etcdserverpb.WatchResponse.decode(bytes(`10${value}`)));
    fails('out-of-range', () => etcdserverpb.LeaseGrantResponse.decode(bytes(`18${value}`)));
  }
  assert.equal(etcdserverpb.LeaseGrantRequest.decode(bytes(`10${largest}`)).id, 2n ** 63n - 1n);
  fails('out-of-range', () => raftpb.HardState.decode(bytes(`08${largest}`)));
});

test('three-valued booleans of the v2 API', () => {
  const request = etcdserverpb.Request.create({ prevExist: false });
  assert.equal(etcdserverpb.Request.decode(etcdserverpb.Request.encode(request)).prevExist, false);
  assert.equal(etcdserverpb.Request.decode(etcdserverpb.Request.encode(request)).refresh, undefined);
});

test('maps: the last value of a key counts, missing parts are defaults', () => {
  const { statuses } = healthpb.HealthListResponse.decode(bytes('0a050a01611200 0a070a016112020801 0a00'));
  assert.deepEqual(
    [...statuses].map(([key, { status }]) => [key, status]),
    [
      ['a', 1],
      ['', 0],
    ],
  );
});

test('transactions nest as far as the limit', () => {
  const nested = (depth: number): Uint8Array => {
    let inner = etcdserverpb.TxnRequestRaw.encode(etcdserverpb.TxnRequestRaw.create());
    for (let i = 0; i < depth; i++) {
      const op = etcdserverpb.RequestOpRaw.encode(etcdserverpb.RequestOpRaw.create({ requestTxn: inner }));
      inner = etcdserverpb.TxnRequestRaw.encode(etcdserverpb.TxnRequestRaw.create({ success: [op] }));
    }
    return inner;
  };
  const deepest = nested(nestingMax / 2);
  assert.deepEqual(etcdserverpb.TxnRequest.encode(etcdserverpb.TxnRequest.decode(deepest)), deepest);
  fails('too-deep', () => etcdserverpb.TxnRequest.decode(nested(nestingMax / 2 + 1)));
  const proposal = etcdserverpb.InternalRaftRequestRaw.create({ txn: nested(2000) });
  const proposalBytes = etcdserverpb.InternalRaftRequestRaw.encode(proposal);
  fails('too-deep', () => etcdserverpb.InternalRaftRequest.decode(proposalBytes));
});

test('input made to be slow takes linear time', () => {
  const repeat = (unit: string, size: number): Uint8Array => {
    const part = bytes(unit);
    const whole = new Uint8Array(Math.floor(size / part.length) * part.length);
    for (let i = 0; i < whole.length; i += part.length) whole.set(part, i);
    return whole;
  };
  const size = 2_000_000;
  // Unknown and known fields in turn; a header again and again, growing by an unknown field each time.
  const interleaved = etcdserverpb.PutRequest.decode(repeat('7801 2001', size));
  assert.equal(interleaved.unknown?.length, size / 2);
  const merged = etcdserverpb.PutResponse.decode(repeat('0a027801', size));
  assert.equal(merged.header?.unknown?.length, size / 2);
  const both = etcdserverpb.PutResponse.decode(repeat('0a027801 7801', size));
  assert.equal(both.unknown?.length, both.header?.unknown?.length);
  const alternating = etcdserverpb.RequestOp.decode(repeat('0a020801 12020801', size));
  assert.equal(alternating.requestRange, undefined);
});

test('messages that come twice within others that do are merged to a bound, not with twice the work for each level', () => {
  const field = (tag: number, content: Uint8Array): number[] => [
    tag,
    0x80 | (content.length & 0x7f),
    content.length >> 7,
    ...content,
  ];
  let operation = Uint8Array.of();
  for (let levels = 1; levels <= 40; levels++) {
    operation = Uint8Array.from([...field(0x22, Uint8Array.from(field(0x12, operation))), 0x22, 0]);
    const request = Uint8Array.from(field(0x12, operation));
    if (levels <= 3) assert.ok(etcdserverpb.TxnRequest.decode(request).success[0]?.requestTxn);
    if (levels > 4) fails('too-deep', () => etcdserverpb.TxnRequest.decode(request));
  }
});
