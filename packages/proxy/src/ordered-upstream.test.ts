import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, services } from '@quorate/api';
import { silentLogger } from '@quorate/base';
import { createGrpcServer } from '@quorate/transport';
import { OrderedUpstream } from './ordered-upstream.ts';
import { registerProxy } from './register-proxy.ts';
import { FakeEtcd, upstreamOf } from './testing/fake-etcd.ts';
import type { Upstream } from './upstream.ts';

const { RangeRequest, RangeResponse } = etcdserverpb;
const { Range, RangeStream } = services.KV.methods;
const key = Uint8Array.of(1);

/** A proxy whose reads never go back, before servers that are asked in turn. */
function rig(...servers: readonly FakeEtcd[]) {
  let turn = 0;
  const next = () => upstreamOf(servers[turn++ % servers.length] as FakeEtcd);
  const upstream: Upstream = {
    unary: (...args) => next().unary(...args),
    stream: (...args) => next().stream(...args),
  };
  const { clock } = servers[0] as FakeEtcd;
  const proxy = createGrpcServer({ clock, logger: silentLogger }, {});
  const ordered = new OrderedUpstream(upstream, () => servers.length);
  registerProxy(proxy, { upstream, clock, ordered }, { namespace: new Uint8Array(0), proxies: () => [] });
  const read = async () => {
    const request = RangeRequest.create({ key, serializable: true });
    return RangeResponse.decode(await proxy.local.unary(Range.path, RangeRequest.encode(request))).header?.revision;
  };
  return { proxy, read };
}

test('an answer older than one before is asked for again, of the next server', async () => {
  const [current, behind] = [new FakeEtcd(), new FakeEtcd()];
  const { read } = rig(current, behind);
  current.revision = 7;
  assert.deepEqual([await read(), await read(), await read()], [7, 7, 7]);
  assert.equal(behind.ranges, 2, 'it was asked, and its answers were not taken');
  behind.revision = 8;
  assert.deepEqual([await read(), await read()], [8, 8]);
});

test('when no server has caught up the read fails', async () => {
  const one = new FakeEtcd();
  const { read } = rig(one);
  one.revision = 5;
  await read();
  one.revision = 4;
  await assert.rejects(read(), { code: 2, message: /no cluster members have a revision higher/ });
  assert.equal(one.ranges, 1 + 6);
});

test('a stream of a range is refused', async () => {
  const { proxy } = rig(new FakeEtcd());
  const stream = proxy.local.stream(RangeStream.path);
  const code = await new Promise((resolve) => stream.onEnd((status) => resolve(status.code)));
  assert.equal(code, 12);
});
