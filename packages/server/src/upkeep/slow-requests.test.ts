import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { utf8ToBytes } from '@quorate/base';
import { MetricsRegistry } from '../metrics/registry.ts';
import { SlowRequests } from './slow-requests.ts';
import { UpkeepWorld } from './testing/upkeep-world.ts';

const { InternalRaftRequest, PutRequest, DeleteRangeRequest, TxnRequest, LeaseRevokeRequest, RequestHeader } =
  etcdserverpb;

function start() {
  const world = new UpkeepWorld();
  const metrics = new MetricsRegistry();
  const slow = new SlowRequests({ ...world, metrics }, { warningApplyMs: 100, warningUnaryMs: 300 });
  return { world, slow, metrics };
}

const key = utf8ToBytes('a"b');
const requests: readonly [Partial<etcdserverpb.InternalRaftRequest>, string][] = [
  [{ put: PutRequest.create({ key, value: utf8ToBytes('secret') }) }, 'put:<key:"a\\"b" value_size:6 >'],
  [{ deleteRange: DeleteRangeRequest.create({ key }) }, 'delete_range:<key:"a\\"b" range_end:"" >'],
  [{ txn: TxnRequest.create() }, 'txn:<compares:0 success:0 failure:0 >'],
  [{ leaseRevoke: LeaseRevokeRequest.create({ id: 7n }) }, 'leaseRevoke of 9 bytes'],
];
for (const [request, shown] of requests) {
  test(`an entry that took long is told as ${shown}`, () => {
    const { world, slow, metrics } = start();
    const header = RequestHeader.create({ id: 1n });
    const data = InternalRaftRequest.encode(InternalRaftRequest.create({ header, ...request }));
    slow.applied(data, 100);
    assert.deepEqual(world.lines, []);
    slow.applied(data, 1234.5678);
    assert.deepEqual(world.lines, ['warn: apply request took too long']);
    const fields = { took: '1.234568s', 'expected-duration': '100ms', prefix: '', request: shown };
    assert.deepEqual(world.fields[0], fields);
    assert.match(metrics.expose(), /^etcd_server_slow_apply_total 1$/m);
  });
}

test('a call that took long is told with its sizes, a range also as slow to read', () => {
  const { world, slow } = start();
  const stats = { address: '10.0.0.1:5', startedWallMs: 0, requestBytes: 10, responseBytes: 20 };
  slow.answered({ ...stats, path: '/etcdserverpb.KV/Put', tookMs: 300 });
  slow.answered({ ...stats, path: '/etcdserverpb.KV/Range', tookMs: 200 });
  assert.deepEqual(world.lines, ['warn: apply request took too long']);
  assert.equal(world.fields[0]?.prefix, 'read-only range ');
  slow.answered({ ...stats, path: '/etcdserverpb.KV/Put', tookMs: 301 });
  assert.deepEqual(world.lines.slice(1), ['warn: request stats']);
  assert.deepEqual(world.fields[1], {
    'start time': '1970-01-01T00:00:00Z',
    'time spent': '301ms',
    remote: '10.0.0.1:5',
    'response type': '/etcdserverpb.KV/Put',
    'request size': 10,
    'response size': 20,
  });
});
