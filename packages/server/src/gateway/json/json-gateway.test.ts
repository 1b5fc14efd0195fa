import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allMethods, etcdserverpb } from '@quorate/api';
import { silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createGrpcServer, type StreamCall, type UnaryCall } from '@quorate/transport';
import { FakeExchange } from '../testing/fake-exchange.ts';
import { JsonGateway } from './json-gateway.ts';

const { RangeRequest, RangeResponse, WatchRequest, WatchResponse, ResponseHeader } = etcdserverpb;
const messageBytesMax = 1000;

/** A server whose range says what it was asked, whose put waits, and whose watch is in the test's hands. */
function start() {
  const clock = new NodeClock();
  const server = createGrpcServer(
    { clock, logger: silentLogger },
    { limits: { messageBytesMax }, streamHighWaterBytes: 64 },
  );
  const world = {
    gateway: new JsonGateway(server.local, clock, { messageBytesMax }),
    asked: [] as etcdserverpb.RangeRequest[],
    metadata: {} as Record<string, string>,
    puts: [] as UnaryCall[],
    watches: [] as StreamCall[],
    watchRequests: [] as string[],
    watchEnded: false,
  };
  server.registerUnary('/etcdserverpb.KV/Range', (call, bytes) => {
    world.metadata = Object.fromEntries(call.metadata.entries());
    const request = RangeRequest.decode(bytes);
    world.asked.push(request);
    if (request.limit === 9) {
      call.fail(16, 'who <are> you');
      return;
    }
    const answer = RangeResponse.encode(
      RangeResponse.create({ header: ResponseHeader.create(), count: request.limit }),
    );
    call.reply(answer, 0, answer.length);
  });
  server.registerUnary('/etcdserverpb.KV/Put', (call) => void world.puts.push(call));
  server.registerStream('/etcdserverpb.Watch/Watch', (call) => {
    world.watches.push(call);
    call.onMessage((bytes) => {
      const { createRequest, cancelRequest } = WatchRequest.decode(bytes);
      world.watchRequests.push(createRequest === undefined ? `cancel ${cancelRequest?.watchId}` : 'create');
    });
    call.onEnd(() => {
      world.watchEnded = true;
    });
  });
  return world;
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
/** Local calls take a few turns. */
async function turns(): Promise<void> {
  for (let i = 0; i < 6; i++) await nextTurn();
}

async function ask(world: ReturnType<typeof start>, body: string, headers: Record<string, string> = {}) {
  const exchange = new FakeExchange('POST', '/v3/kv/range', headers);
  world.gateway.serve(exchange.request, exchange);
  if (body !== '') exchange.feed(body);
  exchange.endBody();
  await exchange.answered;
  return exchange;
}

test('a unary call', async () => {
  const world = start();
  const answered = await ask(world, '{"key":"Zm9v","limit":"3"} and what follows');
  assert.deepEqual(
    [answered.status, answered.headers, answered.body],
    [
      200,
      { 'Content-Type': 'application/json', 'Grpc-Metadata-Content-Type': 'application/grpc' },
      '{"header":{},"count":"3"}',
    ],
  );
  assert.deepEqual(world.asked[0]?.key, new TextEncoder().encode('foo'));
  assert.equal((await ask(world, '')).status, 200);
});

test('an error has its HTTP status, and the challenge of one who is not known', async () => {
  const refused = await ask(start(), '{"limit":9}');
  assert.deepEqual(
    [refused.status, refused.headers, refused.body],
    [
      401,
      { 'Content-Type': 'application/json', 'WWW-Authenticate': 'who <are> you' },
      '{"code":16,"message":"who <are> you"}',
    ],
  );
});

test('what is no request', async () => {
  const world = start();
  for (const body of ['x', 'null', '[]', '{"key":"*"}', '{', '{"key":"AA==","key":"AA=="}']) {
    const answered = await ask(world, body);
    assert.deepEqual([answered.status, JSON.parse(answered.body).code], [400, 3], body);
  }
  assert.equal(world.asked.length, 0);
  const large = await ask(world, `{"key":"${'A'.repeat(2000)}"}`);
  assert.deepEqual([large.status, JSON.parse(large.body).code], [429, 8]);
  const huge = await ask(world, `{"key":"${'A'.repeat(messageBytesMax * 6 + 70_000)}"}`);
  assert.deepEqual([huge.status, JSON.parse(huge.body).code], [429, 8]);
});

test('paths and methods', async () => {
  const { gateway } = start();
  for (const [method, target, status, body] of [
    ['GET', '/v3/kv/range', 501, '{"code":12,"message":"Method Not Allowed"}'],
    ['POST', '/v3/kv/range/', 404, '{"code":5,"message":"Not Found"}'],
    ['POST', '/v3/', 404, '{"code":5,"message":"Not Found"}'],
  ] as const) {
    const exchange = new FakeExchange(method, target);
    gateway.serve(exchange.request, exchange);
    assert.deepEqual([exchange.status, exchange.body], [status, body]);
  }
  // What is not registered here says so; that every route leads somewhere is what is asked.
  for (const { path } of allMethods.flatMap((method) => method.http)) {
    const exchange = new FakeExchange('POST', path);
    gateway.serve(exchange.request, exchange);
    exchange.feed('{"x":1}').endBody();
    exchange.leave();
    await turns();
    assert.notEqual(exchange.status, 404, path);
  }
});

test('headers become metadata', async () => {
  const world = start();
  await ask(world, '', {
    host: 'here:2379',
    authorization: 'tok',
    accept: '*/*',
    'grpc-metadata-hasleader': 'true',
    'x-forwarded-for': '1.2.3.4',
    'x-other': 'dropped',
  });
  assert.deepEqual(world.metadata, {
    'grpcgateway-host': 'here:2379',
    authorization: 'tok',
    'grpcgateway-authorization': 'tok',
    'grpcgateway-accept': '*/*',
    hasleader: 'true',
    'x-forwarded-host': 'here:2379',
    'x-forwarded-for': '1.2.3.4, 10.0.0.1',
  });
});

test('a deadline, and a client that leaves', async () => {
  const world = start();
  assert.equal(
    (await ask(world, '', { 'grpc-timeout': '1x' })).body,
    '{"code":3,"message":"invalid grpc-timeout: 1x"}',
  );
  assert.equal((await ask(world, '', { 'grpc-timeout': '0n' })).status, 200);
  assert.equal((await ask(world, '', { 'grpc-timeout': '1n' })).status, 504);
  const leaving = new FakeExchange('POST', '/v3/kv/put');
  world.gateway.serve(leaving.request, leaving);
  leaving.endBody();
  await turns();
  leaving.leave();
  assert.equal(world.puts[0]?.cancelled, true);
});

function openWatch(world: ReturnType<typeof start>): FakeExchange {
  const exchange = new FakeExchange('POST', '/v3/watch');
  world.gateway.serve(exchange.request, exchange);
  return exchange;
}

function sendCompacted(call: StreamCall | undefined, compactRevision: number): boolean | undefined {
  return call?.write(WatchResponse.encode(WatchResponse.create({ compactRevision })));
}

test('a stream: requests as they come, answers as lines', async () => {
  const world = start();
  const exchange = openWatch(world);
  exchange.feed('{"create_request":{}}{"cancel_re');
  await turns();
  assert.deepEqual([world.watchRequests, exchange.status], [['create'], 0]);
  exchange.feed('quest":{"watch_id":"7"}}');
  sendCompacted(world.watches[0], 5);
  await turns();
  assert.deepEqual(world.watchRequests, ['create', 'cancel 7']);
  assert.deepEqual([exchange.status, exchange.body], [200, '{"result":{"compact_revision":"5"}}\n']);
  exchange.endBody();
  await turns();
  assert.deepEqual([world.watchEnded, exchange.ended], [true, false]);
  world.watches[0]?.fail(14, 'a < b');
  await exchange.answered;
  assert.equal(exchange.body, '{"result":{"compact_revision":"5"}}\n{"error":{"code":14,"message":"a \\u003c b"}}\n');
});

test('a stream that fails before its first message has the status of the error', async () => {
  const world = start();
  const exchange = openWatch(world);
  await turns();
  world.watches[0]?.fail(14, 'gone');
  await exchange.answered;
  assert.deepEqual([exchange.status, exchange.body], [503, '{"error":{"code":14,"message":"gone"}}\n']);
});

test('a stream that ends without a message is empty', async () => {
  const world = start();
  const exchange = openWatch(world);
  await turns();
  world.watches[0]?.end();
  await exchange.answered;
  assert.deepEqual([exchange.status, exchange.headers, exchange.body], [200, {}, '']);
});

test('a malformed request of a stream counts as the end', async () => {
  for (const broken of ['{"create_request":3}', 'null', 'x']) {
    const world = start();
    const exchange = openWatch(world);
    exchange.feed(`{"create_request":{}}${broken}{"create_request":{}}`).feed('{"create_request":{}}');
    await turns();
    assert.deepEqual([world.watchRequests, world.watchEnded, exchange.status], [['create'], true, 0], broken);
  }
});

test('a slow client holds the call up, one that leaves ends it', async () => {
  const world = start();
  const exchange = openWatch(world);
  await turns();
  const call = world.watches[0];
  exchange.hasRoom = false;
  sendCompacted(call, 1);
  await turns();
  let sent = 1;
  for (; sendCompacted(call, sent + 1); sent++) assert.ok(sent < 1000);
  await turns();
  assert.equal(exchange.body.split('\n').length - 1, 1);
  exchange.drain();
  await turns();
  assert.equal(exchange.body.split('\n').length - 1, sent + 1);
  exchange.leave();
  assert.equal(call?.cancelled, true);
});

test('a slow handler holds the body up', async () => {
  const world = start();
  const exchange = openWatch(world);
  await turns();
  world.watches[0]?.pause();
  exchange.feed('{"create_request":{"key":"AAAA"}}'.repeat(20));
  assert.equal(exchange.bodyPaused, true);
  world.watches[0]?.resume();
  await turns();
  assert.deepEqual([exchange.bodyPaused, world.watchRequests.length], [false, 20]);
});

test('bodies and answers count to what the connection holds back, and wait for room', async () => {
  const world = start();
  const exchange = new FakeExchange('POST', '/v3/kv/range');
  const waiting: (() => void)[] = [];
  const held: number[] = [];
  exchange.room = { hold: (bytes) => held.push(bytes), whenRoom: (callback) => waiting.push(callback) };
  world.gateway.serve(exchange.request, exchange);
  exchange.feed('{"limit":');
  assert.deepEqual([held, exchange.bodyPaused], [[9], true]);
  waiting.shift()?.();
  assert.equal(exchange.bodyPaused, false);
  exchange.feed('"3"}');
  waiting.shift()?.();
  exchange.endBody();
  await turns();
  assert.equal(world.asked.length, 0, 'it is not asked before there is room for the answer');
  waiting.shift()?.();
  await exchange.answered;
  assert.deepEqual([exchange.body, held], ['{"header":{},"count":"3"}', [9, 13]]);
});
