import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concatBytes, type Metrics, nextBelow, noMetrics, SeededRandom } from '@quorate/base';
import { FrameFlag, FrameType, Http2Code } from '../http2/constants.ts';
import {
  clientPreface,
  frame,
  grpcHeaders,
  headerBlock,
  message,
  noPayload,
  type RawFrame,
  unaryRequest,
  word,
} from '../testing/raw-frames.ts';
import { ServerHarness } from '../testing/server-harness.ts';
import type { StreamCall, UnaryCall } from './calls.ts';
import type { HttpRequest, HttpResponse } from './http-fallback.ts';
import type { GrpcServerSettings, UnaryStats } from './server-options.ts';

function start(settings: GrpcServerSettings = {}, peerSettings: readonly number[] = []): ServerHarness {
  const harness = new ServerHarness(settings);
  harness.server.registerUnary('/t.T/Echo', (call, bytes) => call.reply(bytes, 0, bytes.length));
  return harness.connect(true, peerSettings);
}

function openHeaders(streamId: number, block: Uint8Array, ended = false): Uint8Array {
  return frame(FrameType.headers, FrameFlag.endHeaders | (ended ? FrameFlag.endStream : 0), streamId, block);
}

function ofType(frames: readonly RawFrame[], type: number): RawFrame[] {
  return frames.filter((one) => one.type === type);
}

describe('answers on the wire', () => {
  test('our first frames: SETTINGS and the connection window', () => {
    const harness = new ServerHarness({ limits: { streamsMax: 7 } });
    harness.connect(false);
    const [settings, window] = harness.frames();
    assert.equal(settings?.type, FrameType.settings);
    assert.equal(
      Buffer.from(settings?.payload ?? []).toString('hex'),
      '000300000007' + '000400080000' + '000600010000',
    );
    assert.deepEqual([window?.type, Buffer.from(window?.payload ?? []).readUInt32BE()], [8, 1_048_576 - 65_535]);
  });

  test('a whole unary answer is three frames in one write, and constant from the second on', () => {
    const harness = start();
    const blocks: string[] = [];
    for (const id of [1, 3, 5]) {
      harness.feed(unaryRequest(id, '/t.T/Echo', new Uint8Array([7, 8])));
      const writes = harness.stream.writes;
      const frames = harness.frames();
      assert.equal(harness.stream.writes, writes + 1);
      assert.deepEqual(
        frames.map((one) => [one.type, one.flags, one.streamId]),
        [
          [1, 4, id],
          [0, 0, id],
          [1, 5, id],
        ],
      );
      assert.equal(Buffer.from(frames[1]?.payload ?? []).toString('hex'), '00000000020708');
      blocks.push(
        `${Buffer.from(frames[0]?.payload ?? []).toString('hex')} ${Buffer.from(frames[2]?.payload ?? []).toString('hex')}`,
      );
    }
    assert.deepEqual(blocks.slice(1), ['88bf be', '88bf be']);
  });

  test('the blocks decode, with the default table and without one', () => {
    for (const settings of [[], [1, 0], [1, 100]]) {
      const harness = start({}, settings);
      for (const id of [1, 3, 5]) {
        harness.feed(unaryRequest(id, '/t.T/Echo'));
        assert.deepEqual(harness.headers(), [
          { ':status': '200', 'content-type': 'application/grpc' },
          { 'grpc-status': '0' },
        ]);
      }
    }
  });

  test('a table that the client takes away in between', () => {
    const harness = start();
    harness.feed(unaryRequest(1, '/t.T/Echo'));
    harness.headers();
    harness.feed(frame(FrameType.settings, 0, 0, concatBytes([new Uint8Array([0, 1]), word(0)])));
    harness.feed(unaryRequest(3, '/t.T/Echo'));
    const frames = ofType(harness.frames(), FrameType.headers);
    assert.equal(frames[0]?.payload[0], 0x20, 'announces size 0');
    harness.feed(unaryRequest(5, '/t.T/Echo'));
    assert.equal(harness.headers().length, 2);
  });

  test('all replies of a turn go out with one write', () => {
    const held: UnaryCall[] = [];
    const harness = new ServerHarness();
    harness.server.registerUnary('/t.T/Hold', (call) => held.push(call));
    harness.connect();
    for (let id = 1; id < 200; id += 2) harness.feed(unaryRequest(id, '/t.T/Hold'));
    harness.clock.settle();
    const writes = harness.stream.writes;
    for (const call of held) call.reply(noPayload, 0, 0);
    assert.equal(harness.stream.writes, writes);
    assert.equal(harness.frames().length, 300);
    assert.equal(harness.stream.writes, writes + 1);
    harness.server.flush();
  });

  test('a call that was slow is told of once its answer is written, with what it took', () => {
    const held: UnaryCall[] = [];
    const told: UnaryStats[] = [];
    const harness = new ServerHarness({ slowUnary: { ms: 100, answered: (stats) => told.push(stats) } });
    harness.server.registerUnary('/t.T/Hold', (call) => void held.push(call));
    harness.connect();
    const requests = [1, 3, 5].map((id) => unaryRequest(id, '/t.T/Hold'));
    harness.feed(concatBytes(requests));
    harness.clock.advance(100);
    held[0]?.reply(new Uint8Array(7), 0, 7);
    assert.deepEqual(told, []);
    harness.clock.advance(1);
    held[1]?.replyChunks([new Uint8Array(3), new Uint8Array(4)]);
    held[2]?.fail(5, 'no');
    assert.deepEqual(told, []);
    harness.server.flush();
    const stats = { path: '/t.T/Hold', tookMs: 101, requestBytes: 0 };
    const address = held[0]?.peer.address as string;
    const startedWallMs = harness.clock.wallMs() - 101;
    assert.deepEqual(told, [
      { ...stats, address, startedWallMs, responseBytes: 7 },
      { ...stats, address, startedWallMs, responseBytes: 0 },
    ]);
  });

  test('a call can be answered once, and not after the client has gone', () => {
    const held: UnaryCall[] = [];
    let cancelled = 0;
    const harness = new ServerHarness();
    harness.server.registerUnary('/t.T/Hold', (call) => {
      held.push(call);
      call.onCancel(() => cancelled++);
    });
    harness.connect();
    harness.feed(
      concatBytes([unaryRequest(1, '/t.T/Hold'), unaryRequest(3, '/t.T/Hold'), unaryRequest(5, '/t.T/Hold')]),
    );
    held[0]?.reply(noPayload, 0, 0);
    held[0]?.fail(5, 'too late');
    harness.feed(frame(FrameType.rstStream, 0, 3, word(8)));
    assert.equal(cancelled, 1);
    assert.equal(held[1]?.cancelled, true);
    held[1]?.reply(noPayload, 0, 0);
    assert.deepEqual(new Set(harness.frames().map((one) => one.streamId)), new Set([1]));
    harness.stream.close();
    assert.equal(cancelled, 2);
    held[2]?.reply(noPayload, 0, 0);
    assert.equal(harness.frames().length, 0);
    held[2]?.onCancel(() => cancelled++);
    assert.equal(cancelled, 3, 'late listeners are told at once');
  });
});

describe('requests that are refused', () => {
  const cases: [string, readonly (readonly [string, string])[], Record<string, string>][] = [
    [
      'an unknown method',
      [[':path', '/t.T/Nope']],
      { 'grpc-status': '12', 'grpc-message': 'unknown method Nope for service t.T' },
    ],
    ['an unknown service', [[':path', '/t.U/Echo']], { 'grpc-status': '12', 'grpc-message': 'unknown service t.U' }],
    [
      'a malformed method',
      [[':path', '/nothing']],
      { 'grpc-status': '12', 'grpc-message': 'malformed method name: "/nothing"' },
    ],
    ['another method than POST', [[':method', 'PUT']], { ':status': '405', 'grpc-status': '13' }],
    ['a content type that is not gRPC', [['content-type', 'application/grpcish']], { ':status': '415' }],
    ['a malformed timeout', [['grpc-timeout', '5x']], { ':status': '400', 'grpc-status': '13' }],
    ['an unknown encoding', [['grpc-encoding', 'snappy']], { 'grpc-status': '12', 'grpc-accept-encoding': 'identity' }],
  ];
  for (const [name, changes, expected] of cases) {
    test(name, () => {
      const fields = new Map([
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', '/t.T/Echo'],
        ['content-type', 'application/grpc'],
        ...changes,
      ]);
      const harness = start();
      harness.feed(openHeaders(1, headerBlock([...fields])));
      const [answer] = harness.headers();
      for (const [key, value] of Object.entries(expected)) assert.equal(answer?.[key], value, key);
      // What the client still had on its way is ignored.
      harness.feed(frame(FrameType.data, FrameFlag.endStream, 1, message(noPayload)));
      assert.equal(harness.frames().length, 0);
    });
  }

  test('compressed without an encoding', () => {
    const harness = start();
    harness.feed(openHeaders(1, grpcHeaders('/t.T/Echo')));
    harness.feed(frame(FrameType.data, FrameFlag.endStream, 1, message(new Uint8Array(4), 1)));
    assert.equal(harness.headers()[0]?.['grpc-message'], 'grpc: compressed flag set with identity or empty encoding');
  });

  test('no message at all', () => {
    const harness = start();
    harness.feed(openHeaders(1, grpcHeaders('/t.T/Echo'), true));
    assert.equal(harness.headers()[0]?.['grpc-status'], '13');
  });
});

describe('deadlines', () => {
  test('a unary call is answered with status 4 and cancelled', () => {
    const harness = new ServerHarness();
    let cancelled = false;
    let deadlineMs = 0;
    harness.server.registerUnary('/t.T/Hold', (call) => {
      deadlineMs = call.deadlineMs;
      call.onCancel(() => {
        cancelled = true;
      });
    });
    harness.connect();
    const nowMs = harness.clock.nowMs();
    harness.feed(openHeaders(1, grpcHeaders('/t.T/Hold', [['grpc-timeout', '100m']])));
    harness.feed(frame(FrameType.data, FrameFlag.endStream, 1, message(noPayload)));
    assert.equal(deadlineMs, nowMs + 100);
    harness.clock.advance(99);
    assert.equal(harness.frames().length, 0);
    harness.clock.advance(2);
    assert.deepEqual([harness.headers()[0]?.['grpc-status'], cancelled], ['4', true]);
  });

  test('a stream with data that cannot go out is reset', () => {
    const harness = new ServerHarness();
    harness.server.registerStream('/t.T/Watch', (call) => call.write(new Uint8Array(100)));
    harness.connect(true, [4, 10]);
    harness.feed(openHeaders(1, grpcHeaders('/t.T/Watch', [['grpc-timeout', '1S']])));
    harness.clock.advance(1001);
    const reset = ofType(harness.frames(), FrameType.rstStream)[0];
    assert.equal(reset?.payload[3], Http2Code.cancel);
  });
});

describe('streams', () => {
  test('a handler whose call is ended by a bad message is told, so that it lets go of what it holds', () => {
    const tooLarge = message(new Uint8Array(11));
    const badPrefix = Uint8Array.of(7, 0, 0, 0, 0);
    const cutShort = tooLarge.subarray(0, 3);
    for (const [bytes, ends] of [
      [tooLarge, false],
      [badPrefix, false],
      [cutShort, true],
    ] as const) {
      const harness = start({ limits: { messageBytesMax: 10 } });
      let told = 0;
      harness.server.registerStream('/t.T/Talk', (call) => {
        call.onMessage(() => {});
        call.onCancel(() => {
          told++;
        });
      });
      harness.feed(openHeaders(1, grpcHeaders('/t.T/Talk')));
      harness.feed(frame(FrameType.data, ends ? FrameFlag.endStream : 0, 1, bytes));
      assert.equal(told, 1);
    }
  });

  function watch(settings: GrpcServerSettings = {}, peerSettings: readonly number[] = []): [ServerHarness, StreamCall] {
    const harness = new ServerHarness(settings);
    const calls: StreamCall[] = [];
    harness.server.registerStream('/t.T/Watch', (call) => calls.push(call));
    harness.connect(true, peerSettings);
    harness.feed(openHeaders(1, grpcHeaders('/t.T/Watch')));
    return [harness, calls[0] as StreamCall];
  }

  test('write is refused above the high-water mark and drains with the window', () => {
    const [harness, call] = watch({ streamHighWaterBytes: 1000 }, [4, 100]);
    let drained = 0;
    call.onDrain(() => drained++);
    assert.equal(call.write(new Uint8Array(700)), true);
    assert.equal(call.write(new Uint8Array(700)), false);
    assert.equal(call.queuedBytes, 1310);
    harness.feed(frame(FrameType.windowUpdate, 0, 1, word(500)));
    assert.deepEqual([drained, call.queuedBytes], [0, 810]);
    harness.feed(frame(FrameType.windowUpdate, 0, 1, word(500)));
    assert.deepEqual([drained, call.queuedBytes], [1, 310]);
    call.end();
    harness.feed(frame(FrameType.windowUpdate, 0, 1, word(500)));
    const frames = harness.frames();
    const data = concatBytes(ofType(frames, FrameType.data).map((one) => one.payload));
    assert.equal(data.length, 1410);
    const last = frames.at(-2);
    assert.deepEqual(
      [last?.type, (last?.flags ?? 0) & 1, frames.at(-1)?.type],
      [FrameType.headers, 1, FrameType.rstStream],
    );
  });

  test('the connection window is shared in turns', () => {
    const harness = new ServerHarness();
    const calls: StreamCall[] = [];
    harness.server.registerStream('/t.T/Watch', (call) => calls.push(call));
    harness.connect(true, [4, 10_000_000]);
    for (const id of [1, 3, 5]) harness.feed(openHeaders(id, grpcHeaders('/t.T/Watch')));
    for (const call of calls) call.writeChunks([new Uint8Array(300_000)]);
    harness.frames();
    harness.feed(frame(FrameType.windowUpdate, 0, 0, word(200_000)));
    const sent = new Map<number, number>();
    for (const one of ofType(harness.frames(), FrameType.data)) {
      sent.set(one.streamId, (sent.get(one.streamId) ?? 0) + one.payload.length);
    }
    assert.equal(
      [...sent.values()].reduce((a, b) => a + b, 0),
      200_000,
    );
    for (const id of [1, 3, 5]) assert.ok((sent.get(id) ?? 0) > 40_000, `stream ${id}: ${sent.get(id)}`);
  });

  test('pause holds messages and window updates back', () => {
    const [harness, call] = watch({ limits: { streamWindowBytes: 65_535 } });
    const seen: number[] = [];
    call.onMessage((bytes) => {
      seen.push(bytes[0] as number);
      if (bytes[0] === 1) call.pause();
    });
    let ended = false;
    call.onEnd(() => {
      ended = true;
    });
    const body = (value: number) => message(new Uint8Array(15_000).fill(value));
    for (const value of [1, 2, 3]) harness.feed(frame(FrameType.data, 0, 1, body(value)));
    harness.feed(frame(FrameType.data, FrameFlag.endStream, 1, body(4)));
    assert.deepEqual([seen, ended], [[1], false]);
    assert.equal(ofType(harness.frames(), FrameType.windowUpdate).length, 0);
    call.resume();
    assert.deepEqual([seen, ended], [[1, 2, 3, 4], true]);
  });

  test('resume credits what was read', () => {
    const [harness, call] = watch({ limits: { streamWindowBytes: 65_535 } });
    call.pause();
    for (let i = 0; i < 4; i++) harness.feed(frame(FrameType.data, 0, 1, message(new Uint8Array(15_000))));
    harness.frames();
    call.resume();
    const update = ofType(harness.frames(), FrameType.windowUpdate)[0];
    assert.deepEqual([update?.streamId, Buffer.from(update?.payload ?? []).readUInt32BE()], [1, 60_020]);
  });

  test('long-lived streams survive thousands of short ones', () => {
    const [harness, call] = watch();
    harness.server.registerUnary('/t.T/Echo', (one, bytes) => one.reply(bytes, 0, bytes.length));
    for (let id = 3; id < 9000; id += 2) harness.feed(unaryRequest(id, '/t.T/Echo'));
    harness.frames();
    let seen = 0;
    call.onMessage(() => seen++);
    harness.feed(frame(FrameType.data, 0, 1, message(noPayload)));
    assert.equal(seen, 1);
    call.end();
    assert.equal(ofType(harness.frames(), FrameType.headers).length, 2);
  });
});

describe('draining', () => {
  test('two GOAWAYs around a ping, then the close when the last call is done', () => {
    const harness = new ServerHarness();
    const held: UnaryCall[] = [];
    harness.server.registerUnary('/t.T/Hold', (call) => held.push(call));
    harness.connect();
    harness.feed(unaryRequest(1, '/t.T/Hold'));
    void harness.server.drain(60_000);
    const [first, ping] = harness.frames();
    assert.deepEqual([first?.type, Buffer.from(first?.payload ?? []).readUInt32BE()], [FrameType.goaway, 0x7fff_ffff]);
    harness.feed(unaryRequest(3, '/t.T/Hold'));
    assert.equal(held.length, 2, 'what was on its way is served');
    harness.feed(frame(FrameType.ping, FrameFlag.ack, 0, ping?.payload));
    assert.equal(harness.goaway()?.lastStreamId, 3);
    harness.feed(unaryRequest(5, '/t.T/Hold'));
    assert.equal(held.length, 2);
    for (const call of held) call.reply(noPayload, 0, 0);
    assert.equal(ofType(harness.frames(), FrameType.headers).length, 4);
    assert.ok(harness.stream.ended);
  });

  test('calls that do not end are cut at the deadline', async () => {
    const harness = new ServerHarness();
    harness.server.registerUnary('/t.T/Hold', () => {});
    harness.connect();
    harness.feed(unaryRequest(1, '/t.T/Hold'));
    const drained = harness.server.drain(5000);
    harness.clock.advance(5001);
    await drained;
    assert.ok(harness.stream.destroyed);
  });
});

test('requests that are not gRPC go to the fallback', () => {
  const harness = new ServerHarness();
  harness.connect(true, [], (request, response) => {
    let length = 0;
    request.onData((chunk) => {
      length += chunk.length;
    });
    request.onEnd(() => {
      const text = `${request.method} ${request.path} ${request.headers.get('x-a') ?? '-'} ${length}`;
      response.send(207, [['content-type', 'text/plain']], Buffer.from(text));
    });
  });
  const fields = (method: string) =>
    headerBlock([
      [':method', method],
      [':scheme', 'http'],
      [':path', '/health?x=1'],
      ['x-a', 'b'],
    ]);
  harness.feed(openHeaders(1, fields('POST')));
  harness.feed(frame(FrameType.data, FrameFlag.endStream, 1, new Uint8Array(9)));
  let frames = harness.frames();
  assert.equal(Buffer.from(frames[1]?.payload ?? []).toString(), 'POST /health?x=1 b 9');
  harness.feed(openHeaders(3, fields('HEAD'), true));
  frames = harness.frames();
  assert.deepEqual([frames.length, (frames[0]?.flags ?? 0) & 1], [1, 1]);
});

test('metrics by method, type and code', () => {
  const counts = new Map<string, number>();
  const metrics: Metrics = {
    ...noMetrics,
    counter: (name, _help, labels) => ({
      add(amount) {
        const key = [name, ...Object.values(labels ?? {})].join(' ');
        counts.set(key, (counts.get(key) ?? 0) + amount);
      },
    }),
  };
  const harness = new ServerHarness({}, metrics);
  harness.server.registerUnary('/t.T/Echo', (call, bytes) => {
    if (bytes.length === 0) call.fail(5, 'empty');
    else call.reply(bytes, 0, bytes.length);
  });
  harness.server.registerStream('/t.T/Watch', (call) => {
    call.onMessage((bytes) => call.write(bytes));
    call.onEnd(() => call.end());
  });
  harness.connect();
  harness.feed(unaryRequest(1, '/t.T/Echo', new Uint8Array(7)));
  harness.feed(unaryRequest(3, '/t.T/Echo'));
  harness.feed(unaryRequest(5, '/t.T/Watch', new Uint8Array(3)));
  assert.deepEqual(Object.fromEntries(counts), {
    'grpc_server_started_total unary t.T Echo': 2,
    'grpc_server_msg_received_total unary t.T Echo': 2,
    'grpc_server_msg_sent_total unary t.T Echo': 2,
    'grpc_server_handled_total unary t.T Echo OK': 1,
    'grpc_server_handled_total unary t.T Echo NotFound': 1,
    'grpc_server_started_total bidi_stream t.T Watch': 1,
    'grpc_server_msg_received_total bidi_stream t.T Watch': 2,
    'grpc_server_msg_sent_total bidi_stream t.T Watch': 1,
    'grpc_server_handled_total bidi_stream t.T Watch OK': 1,
    etcd_network_client_grpc_received_bytes_total: 10,
    etcd_network_client_grpc_sent_bytes_total: 10,
  });
});

test('the fallback may answer with a body bit by bit', () => {
  const writers: HttpResponse[] = [];
  const harness = new ServerHarness({ streamHighWaterBytes: 10 });
  harness.connect(true, [4, 20], (_request, response) => {
    response.begin(200, []);
    writers.push(response);
  });
  const block = headerBlock([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/v3/watch'],
  ]);
  harness.feed(openHeaders(1, block, true));
  assert.deepEqual(harness.headers(), [{ ':status': '200' }]);
  let drained = 0;
  writers[0]?.onDrain(() => drained++);
  assert.equal(writers[0]?.write(new Uint8Array(5)), true);
  assert.equal(writers[0]?.write(new Uint8Array(50)), false);
  harness.feed(frame(FrameType.windowUpdate, 0, 1, word(100)));
  assert.equal(drained, 1);
  writers[0]?.end();
  const data = ofType(harness.frames(), FrameType.data);
  assert.equal(concatBytes(data.map((one) => one.payload)).length, 55);
  assert.equal(data.at(-1)?.flags, FrameFlag.endStream);
  harness.feed(openHeaders(3, block, true));
  let cancelled = 0;
  writers[1]?.onCancel(() => cancelled++);
  harness.feed(frame(FrameType.rstStream, 0, 3, word(8)));
  assert.equal(cancelled, 1);
});

test('the body of a request that is not gRPC comes bit by bit, and waits while its reader pauses', () => {
  const requests: HttpRequest[] = [];
  const seen: string[] = [];
  const harness = new ServerHarness();
  harness.connect(true, [], (request) => {
    requests.push(request);
    request.onData((chunk) => seen.push(Buffer.from(chunk).toString()));
    request.onEnd(() => seen.push('end'));
  });
  const block = headerBlock([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/v3/watch'],
  ]);
  const data = (text: string, flags = 0) => frame(FrameType.data, flags, 1, Buffer.from(text));
  harness.feed(openHeaders(1, block));
  harness.feed(data('a'));
  assert.deepEqual(seen, ['a']);
  requests[0]?.pause();
  harness.feed(data('b'));
  harness.feed(data('c', FrameFlag.endStream));
  assert.deepEqual(seen, ['a']);
  requests[0]?.resume();
  assert.deepEqual(seen, ['a', 'bc', 'end']);
});

test('any cut of the input into chunks gives the same output', () => {
  const seed = Number(process.env.QUORATE_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = new SeededRandom(seed);
  const input = concatBytes([
    clientPreface(),
    unaryRequest(1, '/t.T/Echo', new Uint8Array(3)),
    openHeaders(3, grpcHeaders('/t.T/Echo')),
    frame(FrameType.data, 0, 3, message(new Uint8Array(20_000)).subarray(0, 10_000)),
    frame(FrameType.ping, 0, 0, new Uint8Array(8)),
    frame(FrameType.data, 0, 3, message(new Uint8Array(20_000)).subarray(10_000)),
    frame(FrameType.data, FrameFlag.endStream, 3),
    unaryRequest(5, '/t.T/Nope'),
    frame(FrameType.data, 0, 0),
  ]);
  const outputs = new Set<string>();
  for (let round = 0; round < 60; round++) {
    const harness = new ServerHarness();
    harness.server.registerUnary('/t.T/Echo', (call, bytes) => call.reply(bytes, 0, bytes.length));
    harness.connect(false);
    const step = round === 0 ? input.length : round === 1 ? 1 : 1 + nextBelow(random, 3000);
    let position = 0;
    while (position < input.length) {
      const end = Math.min(input.length, position + (round < 2 ? step : 1 + nextBelow(random, step)));
      harness.feed(input.slice(position, end));
      position = end;
    }
    harness.clock.settle();
    outputs.add(Buffer.from(harness.stream.takeOutput()).toString('hex'));
  }
  assert.equal(outputs.size, 1, `seed ${seed}`);
});

test('random frames never break the server', () => {
  const seed = Number(process.env.QUORATE_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = new SeededRandom(seed);
  const rounds = Number(process.env.QUORATE_ROUNDS ?? 400);
  const blocks = [grpcHeaders('/t.T/Echo'), grpcHeaders('/t.T/Watch'), headerBlock([['x', 'y']]), noPayload];
  for (let round = 0; round < rounds; round++) {
    const harness = new ServerHarness({ limits: { streamsMax: 20 } });
    harness.server.registerUnary('/t.T/Echo', (call, bytes) => call.reply(bytes, 0, bytes.length));
    harness.server.registerStream('/t.T/Watch', (call) => {
      call.onMessage((bytes) => call.write(bytes));
      call.onEnd(() => call.end());
    });
    harness.connect();
    for (let i = 0; i < 60 && !harness.stream.closed; i++) {
      const type = nextBelow(random, 11);
      const id = nextBelow(random, 4) === 0 ? 0 : 1 + 2 * nextBelow(random, 15);
      let payload: Uint8Array = Uint8Array.from({ length: nextBelow(random, 24) }, () => nextBelow(random, 256));
      if (type === FrameType.headers && nextBelow(random, 8) > 0) payload = blocks[nextBelow(random, 4)] as Uint8Array;
      if (type === FrameType.data && nextBelow(random, 3) > 0) payload = message(payload);
      if (type === FrameType.windowUpdate && nextBelow(random, 3) > 0) payload = word(nextBelow(random, 70_000));
      const flags = nextBelow(random, 3) === 0 ? nextBelow(random, 256) : nextBelow(random, 2) + FrameFlag.endHeaders;
      harness.feed(frame(type, flags, id, payload));
      if (nextBelow(random, 4) === 0) harness.clock.advance(nextBelow(random, 2000));
    }
    harness.frames();
    harness.stream.close();
    harness.server.close();
    assert.equal(harness.clock.timerCount, 0, `seed ${seed} round ${round}`);
  }
});
