import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, membershippb } from '@quorate/api';
import { InvariantError, latin1FromBytes, latin1ToBytes, utf8ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createMemoryBackend } from '@quorate/storage';
import { TestMachine } from './testing/test-machine.ts';
import type { ApplyResult } from './types.ts';

const clock = new NodeClock();
const { InternalRaftRequest, PutRequest, Request, RequestHeader } = etcdserverpb;

function putEntry(
  id: bigint,
  init: Partial<etcdserverpb.PutRequest>,
  header: Partial<etcdserverpb.RequestHeader> = {},
) {
  const put = PutRequest.create({ key: latin1ToBytes('k'), value: latin1ToBytes('v'), ...init });
  return InternalRaftRequest.encode(
    InternalRaftRequest.create({ header: RequestHeader.create({ id, ...header }), put }),
  );
}

test('a put is applied alike whether its entry is read by hand or by the codec', async () => {
  const ids = [1n, 127n, 128n, 0xffff_ffffn, 0x1_0000_0000n, 0x8123_4567_89ab_cdefn, 0xffff_ffff_ffff_ffffn];
  const inits: Partial<etcdserverpb.PutRequest>[] = [
    {},
    { value: latin1ToBytes('') },
    { key: latin1ToBytes('x'.repeat(300)), value: latin1ToBytes('y'.repeat(70_000)) },
    { lease: 5n },
    { lease: -5n, prevKv: true },
    { prevKv: true, ignoreLease: true },
    { value: latin1ToBytes(''), ignoreValue: true, prevKv: true },
  ];
  const machines = await Promise.all([TestMachine.open(clock), TestMachine.open(clock)]);
  for (const machine of machines) for (const lease of [5n, -5n]) machine.grant(lease);
  for (const id of ids) {
    for (const init of inits) {
      const byHand = machines[0]?.applyBytes(putEntry(id, init), id);
      // A user name in the header is for the codec.
      const byCodec = machines[1]?.applyBytes(putEntry(id, init, { username: 'u' }), id);
      assert.deepEqual(byHand, byCodec);
    }
  }
  const [first, second] = machines.map((machine) => {
    const records: string[] = [];
    machine.backend.rangeRevisions(0, 0, 1e9, (main, sub, tombstone, value) => {
      records.push(`${main} ${sub} ${tombstone} ${latin1FromBytes(value)}`);
      return true;
    });
    return records;
  });
  assert.deepEqual(first, second);
});

test('odd but valid forms of a put are applied too', async () => {
  const machine = await TestMachine.open(clock);
  const header = [0xa2, 6, 2, 8, 9];
  const forms: number[][] = [
    // Fields of the put in another order.
    [0x22, 6, 0x12, 1, 118, 0x0a, 1, 97, ...header],
    // The header first.
    [...header, 0x22, 3, 0x0a, 1, 98],
    // A flag that is written though false.
    [0x22, 5, 0x0a, 1, 99, 0x20, 0, ...header],
    // A key that is there twice: the last counts.
    [0x22, 6, 0x0a, 1, 97, 0x0a, 1, 100, ...header],
    // A length in more bytes than needed.
    [0x22, 0x84, 0, 0x0a, 0x81, 0, 101, ...header],
  ];
  for (const form of forms) machine.applyBytes(Uint8Array.from(form), 9n);
  const range = machine.range({ key: latin1ToBytes('\0'), rangeEnd: latin1ToBytes('\0') });
  assert.ok(typeof range !== 'string');
  assert.deepEqual(range.kvs.map((kv) => latin1FromBytes(kv.key)).join(''), 'abcde');
});

test('entries that the backend has are not applied again', async () => {
  const backend = createMemoryBackend({ clock });
  const entries = Array.from({ length: 9 }, (_, i) => ({ index: i + 1, term: 2, data: putEntry(BigInt(i + 1), {}) }));
  entries.splice(4, 0, { index: 5, term: 3, data: new Uint8Array(0) });
  for (let i = 5; i < entries.length; i++) (entries[i] as { index: number }).index = i + 1;
  const first = await TestMachine.open(clock, { backend });
  first.applier.applyAll(entries.slice(0, 6), () => {});
  assert.deepEqual([backend.consistentIndex, backend.consistentTerm, first.store.currentRevision], [6, 2, 6]);
  const again = await TestMachine.open(clock, { backend });
  again.applier.appliedIndex = 0;
  const answered: number[] = [];
  again.applier.applyAll(entries, (_high, low, result: ApplyResult) => {
    assert.equal(result.kind, 'put');
    answered.push(low);
  });
  assert.deepEqual(answered, [6, 7, 8, 9]);
  assert.deepEqual([again.applier.appliedIndex, again.store.currentRevision], [10, 10]);
  assert.throws(() => again.applier.advance(12, 3), InvariantError);
});

test('requests of the version 2 store reach membership', async () => {
  const machine = await TestMachine.open(clock);
  const send = (init: Partial<etcdserverpb.Request>) =>
    machine.applyBytes(Request.encode(Request.create({ id: 77n, method: 'PUT', ...init })), 77n);
  send({
    path: '/0/members/8211f1d0f64f3269/attributes',
    val: '{"name":"n1","clientURLs":["http://a:1","http://b:2"]}',
  });
  send({ path: '/0/version', val: '3.4.0' });
  const other = send({ path: '/0/other', val: '1' });
  assert.equal(other.kind, 'done');
  machine.applyBytes(
    InternalRaftRequest.encode(
      InternalRaftRequest.create({
        id: 3n,
        clusterVersionSet: membershippb.ClusterVersionSetRequest.create({ ver: '3.6.0' }),
      }),
    ),
    3n,
  );
  assert.deepEqual(machine.membership, [
    'attributes 8211f1d0f64f3269 n1 http://a:1,http://b:2',
    'version 3.4.0',
    'version 3.6.0',
  ]);
});

test('an authentication request is answered, an unknown one stops the member', async () => {
  const machine = await TestMachine.open(clock);
  const enable = InternalRaftRequest.create({ id: 5n, authEnable: etcdserverpb.AuthEnableRequest.create() });
  assert.deepEqual(machine.applyBytes(InternalRaftRequest.encode(enable), 5n), {
    kind: 'error',
    symbol: 'ErrGRPCRootUserNotExist',
    revision: 1,
  });
  const unknown = InternalRaftRequest.encode(InternalRaftRequest.create({ id: 6n, unknown: utf8ToBytes('') }));
  assert.throws(() => machine.applyBytes(unknown, 6n), InvariantError);
});
