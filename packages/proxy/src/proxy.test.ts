import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdserverpb, services } from '@quorate/api';
import { copyBytes, silentLogger, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { createGrpcServer, type GrpcServer, type LocalStream } from '@quorate/transport';
import { type ProxyState, registerProxy } from './register-proxy.ts';
import { FakeEtcd, upstreamOf } from './testing/fake-etcd.ts';

const { RangeRequest, RangeResponse, PutRequest, WatchRequest, WatchResponse, WatchCreateRequest } = etcdserverpb;
const { Put, Range } = services.KV.methods;
const bytes = utf8ToBytes;

interface Rig {
  readonly etcd: FakeEtcd;
  readonly proxy: GrpcServer;
  readonly state: ProxyState;
}

function rig(namespace = ''): Rig {
  const etcd = new FakeEtcd();
  const proxy = createGrpcServer({ clock: etcd.clock, logger: silentLogger }, {});
  const options = { namespace: bytes(namespace), proxies: () => [] };
  return { etcd, proxy, state: registerProxy(proxy, { upstream: upstreamOf(etcd), clock: etcd.clock }, options) };
}

async function get({ proxy }: Rig, key: string, serializable = true, token = ''): Promise<string[]> {
  const request = RangeRequest.encode(RangeRequest.create({ key: bytes(key), serializable }));
  const metadata = token === '' ? [] : [['token', token] as const];
  const { kvs } = RangeResponse.decode(await proxy.local.unary(Range.path, request, { metadata }));
  return kvs.map((kv) => `${utf8FromBytes(kv.key)}=${utf8FromBytes(kv.value)}`);
}

async function put({ proxy }: Rig, key: string, value: string): Promise<void> {
  await proxy.local.unary(Put.path, PutRequest.encode(PutRequest.create({ key: bytes(key), value: bytes(value) })));
}

test('a serializable range is answered from the cache until its keys are written', async () => {
  const one = rig();
  await put(one, 'a', '1');
  assert.deepEqual(await get(one, 'a'), ['a=1']);
  assert.deepEqual(await get(one, 'a'), ['a=1']);
  assert.equal(one.etcd.ranges, 1);
  assert.equal(one.state.cachedRanges(), 1);
  await put(one, 'b', '1');
  await get(one, 'a');
  assert.equal(one.etcd.ranges, 1, 'another key changes nothing');
  await put(one, 'a', '2');
  assert.deepEqual(await get(one, 'a'), ['a=2']);
  assert.equal(one.etcd.ranges, 2);
});

test('a linearizable range always asks, and its answer serves others', async () => {
  const one = rig();
  await get(one, 'a', false);
  await get(one, 'a', false);
  assert.equal(one.etcd.ranges, 2);
  await get(one, 'a');
  assert.equal(one.etcd.ranges, 2);
});

test('a linearizable answer is found for a request with later fields, too', async () => {
  const one = rig();
  const ask = async (serializable: boolean) => {
    const request = RangeRequest.create({ key: bytes('a'), limit: 3, serializable, keysOnly: true, minModRevision: 1 });
    await one.proxy.local.unary(Range.path, RangeRequest.encode(request));
  };
  await ask(false);
  await ask(true);
  assert.equal(one.etcd.ranges, 1);
});

test('one user never gets the answer given to another', async () => {
  const one = rig();
  await get(one, 'a', true, 'of-alice');
  await get(one, 'a', true, 'of-bob');
  assert.equal(one.etcd.ranges, 2);
});

test('an answer that a write overtakes is not kept', async () => {
  const one = rig();
  await put(one, 'a', '1');
  one.etcd.held = [];
  const old = get(one, 'a');
  await until(() => one.etcd.held?.length === 1);
  await put(one, 'a', '2');
  for (const release of one.etcd.held.splice(0)) release();
  one.etcd.held = undefined;
  assert.deepEqual(await old, ['a=1']);
  assert.deepEqual(await get(one, 'a'), ['a=2']);
});

test('a namespace is put before keys and taken off answers', async () => {
  const one = rig('ns/');
  one.etcd.put(bytes('outside'), bytes('0'));
  await put(one, 'a', '1');
  assert.deepEqual(
    one.etcd.history.map((kv) => utf8FromBytes(kv.key)),
    ['outside', 'ns/a'],
  );
  assert.deepEqual(await get(one, 'a'), ['a=1']);
  const all = RangeRequest.encode(RangeRequest.create({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) }));
  assert.equal(RangeResponse.decode(await one.proxy.local.unary(Range.path, all)).kvs.length, 1);
  const client = new Watcher(one.proxy);
  client.create({ key: new Uint8Array(0), rangeEnd: Uint8Array.of(0), startRevision: 1 });
  assert.deepEqual(await client.next(2), ['0 created 3', '0 a=1@3']);
  client.stream.cancel();
});

/** A client of the proxy's watch service; what it hears, in words. */
class Watcher {
  readonly stream: LocalStream;
  readonly heard: string[] = [];

  constructor(proxy: GrpcServer) {
    this.stream = proxy.local.stream(services.Watch.methods.Watch.path);
    this.stream.onMessage((message) => this.heard.push(...inWords(WatchResponse.decode(copyBytes(message)))));
    this.stream.onEnd(({ code, message }) => this.heard.push(`ended ${code} ${message}`));
  }

  create(init: Partial<etcdserverpb.WatchCreateRequest>): void {
    this.send({ createRequest: WatchCreateRequest.create(init) });
  }

  send(init: Partial<etcdserverpb.WatchRequest>): void {
    this.stream.write(WatchRequest.encode(WatchRequest.create(init)));
  }

  async next(count: number): Promise<string[]> {
    await until(() => this.heard.length >= count);
    return this.heard.splice(0, count);
  }
}

function inWords(response: etcdserverpb.WatchResponse): string[] {
  const { watchId, header, created, canceled, cancelReason, events } = response;
  if (canceled) return [`${watchId} cancelled ${cancelReason}`.trim()];
  if (created) return [`${watchId} created ${header?.revision}`];
  if (events.length === 0) return [`${watchId} progress ${header?.revision}`];
  return events.map(
    ({ kv }) =>
      `${watchId} ${utf8FromBytes(kv?.key ?? bytes(''))}=${utf8FromBytes(kv?.value ?? bytes(''))}@${kv?.modRevision}`,
  );
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, 'gave up waiting');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('watchers of the same keys share one watch', async () => {
  const one = rig();
  const clients = [new Watcher(one.proxy), new Watcher(one.proxy), new Watcher(one.proxy)];
  for (const client of clients) {
    client.create({ key: bytes('a') });
    await client.next(1);
  }
  assert.equal(one.etcd.watches, 1);
  one.etcd.put(bytes('a'), bytes('1'));
  for (const client of clients) assert.deepEqual(await client.next(1), ['0 a=1@2']);
  for (const client of clients) client.stream.cancel();
  await until(() => one.etcd.watches === 0);
  assert.equal(one.state.watches(), 0);
});

test('who joins later gets nothing from before, who wants history gets all of it and then shares', async () => {
  const one = rig();
  const first = new Watcher(one.proxy);
  first.create({ key: bytes('a') });
  await first.next(1);
  one.etcd.put(bytes('a'), bytes('1'));
  await first.next(1);
  const later = new Watcher(one.proxy);
  later.create({ key: bytes('a') });
  assert.deepEqual(await later.next(1), ['0 created 2']);
  const historian = new Watcher(one.proxy);
  historian.create({ key: bytes('a'), startRevision: 1 });
  assert.deepEqual(await historian.next(2), ['0 created 2', '0 a=1@2']);
  one.etcd.put(bytes('a'), bytes('2'));
  for (const client of [first, later, historian]) assert.deepEqual(await client.next(1), ['0 a=2@3']);
  await until(() => one.etcd.watches === 1);
  one.etcd.put(bytes('a'), bytes('3'));
  for (const client of [first, later, historian]) assert.deepEqual(await client.next(1), ['0 a=3@4']);
  for (const client of [first, later, historian]) client.stream.cancel();
});

test('a watch goes on behind what it has passed on when its stream is lost', async () => {
  const one = rig();
  const client = new Watcher(one.proxy);
  client.create({ key: bytes('a') });
  await client.next(1);
  one.etcd.put(bytes('a'), bytes('1'));
  await client.next(1);
  one.etcd.cutWatches();
  one.etcd.put(bytes('a'), bytes('2'));
  assert.deepEqual(await client.next(1), ['0 a=2@3']);
  client.stream.cancel();
});

test('requests are answered in order: ids, duplicates, cancellations, progress', async () => {
  const one = rig();
  const client = new Watcher(one.proxy);
  client.create({ key: bytes('a') });
  client.create({ key: bytes('b'), watchId: 7 });
  client.create({ key: bytes('c'), watchId: 7 });
  client.create({ key: bytes('a') });
  client.send({ cancelRequest: { watchId: 0 } });
  client.send({ cancelRequest: { watchId: 99 } });
  client.send({ progressRequest: {} });
  assert.deepEqual(await client.next(6), [
    '0 created 1',
    '7 created 1',
    '-1 cancelled mvcc: duplicate watch ID provided on the WatchStream',
    '1 created 1',
    '0 cancelled',
    '-1 progress 1',
  ]);
  client.stream.cancel();
});

test('a client that does not read holds up nobody, and misses nothing', async () => {
  const one = rig();
  const quick = new Watcher(one.proxy);
  const slow = new Watcher(one.proxy);
  for (const client of [quick, slow]) {
    client.create({ key: bytes('a') });
    await client.next(1);
  }
  slow.stream.pause();
  const value = bytes('v'.repeat(100_000));
  for (let i = 0; i < 40; i++) one.etcd.put(bytes('a'), value);
  assert.equal((await quick.next(40)).length, 40);
  assert.equal(one.state.watches(), 1);
  slow.stream.resume();
  const heard = await slow.next(40);
  assert.deepEqual(
    heard.map((line) => line.split('@')[1]),
    Array.from({ length: 40 }, (_, i) => String(i + 2)),
  );
  for (const client of [quick, slow]) client.stream.cancel();
});
