import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Metrics, noMetrics, silentLogger } from '@quorate/base';
import { GrpcStatusError } from '../grpc/status.ts';
import type { StreamCall, UnaryCall } from '../server/calls.ts';
import { createGrpcServer, type GrpcServer } from '../server/grpc-server.ts';
import type { GrpcServerSettings, UnaryStats } from '../server/server-options.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { Cancellation } from './cancellation.ts';
import type { LocalStream } from './local-stream-call.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

interface World {
  readonly clock: ManualClock;
  readonly server: GrpcServer;
  /** Calls of `/t.T/Hold` and `/t.T/Stream`. */
  readonly held: UnaryCall[];
  readonly streams: StreamCall[];
}

function start(settings: GrpcServerSettings = {}, metrics: Metrics = noMetrics): World {
  const clock = new ManualClock();
  const server = createGrpcServer({ clock, logger: silentLogger, metrics }, settings);
  const world: World = { clock, server, held: [], streams: [] };
  server.registerUnary('/t.T/Echo', (call, message) => call.reply(message, 0, message.length));
  server.registerUnary('/t.T/Chunks', (call) => call.replyChunks([bytes(1, 2), bytes(3)]));
  server.registerUnary('/t.T/Fail', (call) => call.fail(9, call.metadata.get('why') ?? ''));
  server.registerUnary('/t.T/Hold', (call) => void world.held.push(call));
  server.registerStream('/t.T/Stream', (call) => void world.streams.push(call));
  return world;
}

/** Ends turns and lets promises run. */
async function settle(clock: ManualClock): Promise<void> {
  for (let i = 0; i < 5; i++) {
    clock.settle();
    await Promise.resolve();
  }
}

function refusal(code: number, details: string | RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof GrpcStatusError);
    assert.equal(error.code, code);
    if (typeof details === 'string') assert.equal(error.details, details);
    else assert.match(error.details, details);
    return true;
  };
}

/** What a stream's caller was told. */
function listen(stream: LocalStream): { messages: number[][]; end: string | null; drains: number } {
  const heard: { messages: number[][]; end: string | null; drains: number } = { messages: [], end: null, drains: 0 };
  stream.onMessage((message) => heard.messages.push([...message]));
  stream.onEnd(({ code, message }) => {
    heard.end = `${code} ${message}`;
  });
  stream.onDrain(() => heard.drains++);
  return heard;
}

describe('unary', () => {
  test('who it is made for can be told to the handler, of both kinds of calls', async () => {
    const { clock, server, held, streams } = start();
    const peer = { address: 'a client', secure: true, certificate: null };
    const answer = server.local.unary('/t.T/Hold', bytes(), { peer });
    server.local.stream('/t.T/Stream', { peer });
    server.local.stream('/t.T/Stream');
    await settle(clock);
    assert.equal(held[0]?.peer, peer);
    assert.deepEqual(
      streams.map((call) => call.peer.address),
      ['a client', 'in-process'],
    );
    held[0]?.reply(bytes(), 0, 0);
    await answer;
  });

  test('answers, in a later turn and in memory of its own', async () => {
    const { clock, server } = start();
    const request = bytes(7, 8);
    const answer = server.local.unary('/t.T/Echo', request);
    await settle(clock);
    request[0] = 0;
    assert.deepEqual(await answer, bytes(7, 8));
    const chunks = server.local.unary('/t.T/Chunks', bytes());
    await settle(clock);
    assert.deepEqual(await chunks, bytes(1, 2, 3));
  });

  test('metadata reaches the handler, its status the caller', async () => {
    const { clock, server } = start();
    const failed = server.local.unary('/t.T/Fail', bytes(), { metadata: [['why', 'so']] });
    await Promise.all([assert.rejects(failed, refusal(9, 'so')), settle(clock)]);
    await assert.rejects(server.local.unary('/t.T/No', bytes()), refusal(12, 'unknown method No for service t.T'));
    await assert.rejects(server.local.unary('/t.T/Stream', bytes()), refusal(12, /Stream/));
  });

  test('the limit for messages holds', async () => {
    const { clock, server } = start({ limits: { messageBytesMax: 3 } });
    const fits = server.local.unary('/t.T/Echo', bytes(1, 2, 3));
    const large = server.local.unary('/t.T/Echo', bytes(1, 2, 3, 4));
    await Promise.all([
      fits,
      assert.rejects(large, refusal(8, 'grpc: received message larger than max (4 vs. 3)')),
      settle(clock),
    ]);
  });

  test('a deadline and a cancellation tell both sides', async () => {
    const { clock, server, held } = start();
    const cancellation = new Cancellation();
    const late = server.local.unary('/t.T/Hold', bytes(), { timeoutMs: 50 });
    const unwanted = server.local.unary('/t.T/Hold', bytes(), { cancellation });
    const ends = Promise.all([
      assert.rejects(late, refusal(4, 'context deadline exceeded')),
      assert.rejects(unwanted, refusal(1, 'context canceled')),
    ]);
    await settle(clock);
    let told = 0;
    for (const call of held) call.onCancel(() => told++);
    assert.equal((held[0]?.deadlineMs ?? 0) - clock.nowMs(), 50);
    clock.advance(100);
    cancellation.cancel();
    await ends;
    assert.deepEqual([told, held.map((call) => call.cancelled)], [2, [true, true]]);
    // What comes too late does nothing.
    held[0]?.reply(bytes(1), 0, 1);
    held[1]?.fail(5, 'x');
  });

  test('what is late before it begins never reaches the handler', async () => {
    const { clock, server, held, streams } = start();
    const call = server.local.unary('/t.T/Hold', bytes(), { timeoutMs: 0 });
    const heard = listen(server.local.stream('/t.T/Stream', { timeoutMs: 0 }));
    await Promise.all([assert.rejects(call, refusal(4, 'context deadline exceeded')), settle(clock)]);
    assert.deepEqual([heard.end, held.length, streams.length], ['4 context deadline exceeded', 0, 0]);
  });

  test('what was cancelled before never reaches the handler', async () => {
    const { clock, server, held } = start();
    const cancellation = new Cancellation();
    const call = server.local.unary('/t.T/Hold', bytes(), { cancellation });
    cancellation.cancel();
    await Promise.all([assert.rejects(call, refusal(1, 'context canceled')), settle(clock)]);
    assert.equal(held.length, 0);
  });
});

test('a slow call is told of', async () => {
  const slow: UnaryStats[] = [];
  const { clock, server, held } = start({ slowUnary: { ms: 100, answered: (stats) => slow.push(stats) } });
  const calls = [server.local.unary('/t.T/Hold', bytes(1, 2)), server.local.unary('/t.T/Hold', bytes())];
  await settle(clock);
  held[1]?.reply(bytes(), 0, 0);
  clock.advance(150);
  held[0]?.reply(bytes(7), 0, 1);
  await Promise.all(calls);
  assert.deepEqual(
    slow.map(({ path, tookMs, requestBytes, responseBytes }) => [path, tookMs, requestBytes, responseBytes]),
    [['/t.T/Hold', 150, 2, 1]],
  );
});

describe('streams', () => {
  test('messages both ways, half-close, metadata, end', () => {
    const { clock, server } = start();
    server.registerStream('/t.T/Twice', (call) => {
      call.onMessage((message) => {
        call.write(message);
        call.writeShared(message, message);
        call.writeChunks([message, message, message]);
      });
      call.onEnd(() => call.fail(9, call.metadata.get('why') ?? ''));
    });
    const stream = server.local.stream('/t.T/Twice', { metadata: [['why', 'so']] });
    const heard = listen(stream);
    stream.write(bytes(1));
    stream.write(bytes(2));
    stream.end();
    clock.settle();
    assert.deepEqual(heard, { messages: [[1], [1, 1], [1, 1, 1], [2], [2, 2], [2, 2, 2]], end: '9 so', drains: 0 });
  });

  test('a caller that pauses holds the handler up, and the end comes last', () => {
    const { clock, server, streams } = start({ streamHighWaterBytes: 4 });
    const stream = server.local.stream('/t.T/Stream');
    const heard = listen(stream);
    stream.pause();
    clock.settle();
    const call = streams[0] as StreamCall;
    let drained = 0;
    call.onDrain(() => drained++);
    assert.deepEqual([call.write(bytes(1, 2, 3)), call.write(bytes(4, 5))], [true, false]);
    clock.settle();
    assert.deepEqual([heard.messages, call.queuedBytes, drained], [[], 5, 0]);
    call.fail(14, 'gone');
    clock.settle();
    assert.equal(heard.end, null);
    stream.resume();
    clock.settle();
    assert.deepEqual(
      [heard.messages, heard.end, call.queuedBytes],
      [
        [
          [1, 2, 3],
          [4, 5],
        ],
        '14 gone',
        0,
      ],
    );
  });

  test('a handler that pauses holds the caller up', () => {
    const { clock, server } = start({ streamHighWaterBytes: 4 });
    let call: StreamCall | undefined;
    const got: number[] = [];
    server.registerStream('/t.T/Slow', (opened) => {
      call = opened;
      opened.onMessage((message) => {
        got.push(message.length);
        opened.pause();
      });
    });
    const stream = server.local.stream('/t.T/Slow');
    const heard = listen(stream);
    assert.deepEqual([stream.write(bytes(1, 2, 3)), stream.write(bytes(4, 5, 6, 7))], [true, false]);
    clock.settle();
    assert.deepEqual([got, heard.drains], [[3], 0]);
    call?.resume();
    clock.settle();
    assert.deepEqual([got, heard.drains], [[3, 4], 1]);
  });

  test('cancel, deadline and the close of the server end a stream, whatever waits', () => {
    for (const [how, end] of [
      ['cancel', '1 context canceled'],
      ['deadline', '4 context deadline exceeded'],
      ['close', '14 server closed'],
    ] as const) {
      const { clock, server, streams } = start();
      const stream = server.local.stream('/t.T/Stream', { timeoutMs: 1000 });
      const heard = listen(stream);
      clock.settle();
      const call = streams[0] as StreamCall;
      let told = 0;
      call.onCancel(() => told++);
      if (how !== 'close') {
        stream.pause();
        call.write(bytes(1));
      }
      if (how === 'cancel') stream.cancel();
      else if (how === 'deadline') clock.advance(2000);
      else server.close();
      clock.settle();
      call.write(bytes(2));
      call.end();
      clock.settle();
      assert.deepEqual([heard.end, heard.messages, told, call.cancelled], [end, [], 1, true], how);
    }
  });

  test('a message over the limit ends the stream', () => {
    const { clock, server, streams } = start({ limits: { messageBytesMax: 1 } });
    const stream = server.local.stream('/t.T/Stream');
    const heard = listen(stream);
    stream.write(bytes(1, 2));
    clock.settle();
    assert.equal(heard.end, '8 grpc: received message larger than max (2 vs. 1)');
    assert.equal(streams[0]?.cancelled, true);
  });

  test('there is no stream where there is none, and none after the close', () => {
    const { server } = start();
    assert.throws(() => server.local.stream('/t.U/X'), refusal(12, 'unknown service t.U'));
    server.close();
    assert.throws(() => server.local.stream('/t.T/Stream'), refusal(14, 'the server is closed'));
  });
});

test('a drain waits for local calls', async () => {
  const { clock, server, held } = start();
  const call = server.local.unary('/t.T/Hold', bytes());
  await settle(clock);
  let drained = false;
  const drain = server.drain(1000).then(() => {
    drained = true;
  });
  await settle(clock);
  assert.equal(drained, false);
  held[0]?.reply(bytes(1), 0, 1);
  await Promise.all([call, drain]);
  assert.equal(drained, true);
});

test('calls are counted as on the wire', async () => {
  const counted = new Map<string, number>();
  const metrics: Metrics = {
    ...noMetrics,
    counter: (name, _help, labels) => ({
      add: (amount) => {
        const key = [
          name.replace(/^(etcd_network_client_)?grpc_(server_)?/, ''),
          labels?.grpc_method,
          labels?.grpc_code,
        ];
        const text = key.filter((part) => part !== undefined).join(' ');
        counted.set(text, (counted.get(text) ?? 0) + amount);
      },
    }),
  };
  const { clock, server } = start({}, metrics);
  const calls = [
    server.local.unary('/t.T/Echo', bytes(1, 2)),
    assert.rejects(server.local.unary('/t.T/Fail', bytes(1))),
  ];
  await settle(clock);
  await Promise.all(calls);
  assert.deepEqual(Object.fromEntries(counted), {
    'started_total Echo': 1,
    'msg_received_total Echo': 1,
    'msg_sent_total Echo': 1,
    'handled_total Echo OK': 1,
    'started_total Fail': 1,
    'msg_received_total Fail': 1,
    'msg_sent_total Fail': 1,
    'handled_total Fail FailedPrecondition': 1,
    received_bytes_total: 3,
    sent_bytes_total: 2,
  });
});
