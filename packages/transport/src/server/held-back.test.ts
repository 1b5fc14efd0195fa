import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concatBytes } from '@quorate/base';
import { FrameFlag, FrameType, Http2Code } from '../http2/constants.ts';
import { frame, grpcHeaders, headerBlock, message, unaryRequest, word } from '../testing/raw-frames.ts';
import { ServerHarness } from '../testing/server-harness.ts';
import type { StreamCall, UnaryCall } from './calls.ts';
import type { GrpcServerSettings } from './server-options.ts';

/** Settings of the client: what it lets a stream send at first. */
const initialWindow = 4;
const endOfBlockAndStream = FrameFlag.endHeaders | FrameFlag.endStream;
const answerBytes = 1000;
const answerBytesMax = 5000;

interface World {
  readonly harness: ServerHarness;
  /** Ids of calls in the order in which their answers were made. */
  readonly served: string[];
  /** Calls of `/t.T/Hold`, which the test answers. */
  readonly held: UnaryCall[];
}

/** A client that lets nothing out, and a server whose handlers answer with {@link answerBytes}. */
function start(settings: GrpcServerSettings = {}, window = 0): World {
  const harness = new ServerHarness({ ...settings, limits: { answerBytesMax, ...settings.limits } });
  const served: string[] = [];
  const held: UnaryCall[] = [];
  harness.server.registerUnary('/t.T/Get', (call, bytes) => {
    served.push(String(bytes[0]));
    call.reply(new Uint8Array(answerBytes), 0, answerBytes);
  });
  harness.server.registerUnary('/t.T/Hold', (call) => held.push(call));
  harness.connect(true, [initialWindow, window]);
  return { harness, served, held };
}

function ask(world: World, count: number, path = '/t.T/Get'): void {
  for (let i = 0; i < count; i++) world.harness.feed(unaryRequest(2 * i + 1, path, new Uint8Array([i])));
  world.harness.clock.settle();
}

const windowFor = (streamId: number, bytes: number): Uint8Array =>
  frame(FrameType.windowUpdate, 0, streamId, word(bytes));

function resets(world: World): (readonly [number, number | undefined])[] {
  const frames = world.harness.frames().filter((one) => one.type === FrameType.rstStream);
  return frames.map((one) => [one.streamId, one.payload[3]] as const);
}

describe('answers that are not read', () => {
  test('beyond the bound no request is served, and what was asked first is served first when the client reads', () => {
    const world = start();
    ask(world, 20);
    assert.equal(world.served.length, 5, 'five of 1,005 bytes are more than the bound');
    world.harness.feed(windowFor(1, 100_000));
    world.harness.clock.settle();
    assert.deepEqual(world.served, ['0', '1', '2', '3', '4', '5']);
    for (let i = 1; i < 20; i++) world.harness.feed(windowFor(2 * i + 1, 100_000));
    const frames = world.harness.frames();
    assert.deepEqual(
      world.served,
      Array.from({ length: 20 }, (_, i) => String(i)),
    );
    const ends = frames.filter((one) => one.type === FrameType.headers && (one.flags & FrameFlag.endStream) !== 0);
    assert.equal(ends.length, 20, 'all are answered to the end');
    assert.deepEqual(resets(world), []);
  });

  test('pings, settings, resets and stream calls are served meanwhile', () => {
    const world = start();
    let watches = 0;
    world.harness.server.registerStream('/t.T/Watch', () => watches++);
    ask(world, 20);
    world.harness.frames();
    world.harness.feed(frame(FrameType.ping, 0, 0, new Uint8Array(8)));
    world.harness.feed(frame(FrameType.settings, 0, 0));
    world.harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 101, grpcHeaders('/t.T/Watch')));
    const answered = world.harness.frames().map((one) => [one.type, one.flags]);
    assert.deepEqual(answered, [
      [FrameType.ping, FrameFlag.ack],
      [FrameType.settings, FrameFlag.ack],
    ]);
    assert.equal(watches, 1);
    // An answer that nobody wants any more makes room, a request that waits is forgotten.
    world.harness.feed(frame(FrameType.rstStream, 0, 11, word(8)));
    world.harness.feed(frame(FrameType.rstStream, 0, 1, word(8)));
    world.harness.clock.settle();
    assert.deepEqual(world.served.slice(5), ['6']);
  });

  test('a larger initial window is room, too', () => {
    const world = start();
    ask(world, 20);
    world.harness.feed(frame(FrameType.settings, 0, 0, new Uint8Array([0, initialWindow, 0, 1, 0, 0])));
    for (let turn = 0; turn < 10; turn++) world.harness.frames();
    assert.equal(world.served.length, 20);
  });

  test('requests that wait are bounded in number: more are refused', () => {
    const world = start({ limits: { waitingRequestsMax: 3 } });
    ask(world, 20);
    assert.equal(world.served.length, 5);
    assert.deepEqual(
      resets(world),
      Array.from({ length: 12 }, (_, i) => [17 + 2 * i, Http2Code.refusedStream]),
    );
  });

  test('and in bytes', () => {
    const world = start({ limits: { unfinishedBytesMax: 20_000 } });
    ask(world, 5);
    for (let id = 11; id <= 29; id += 2) world.harness.feed(unaryRequest(id, '/t.T/Get', new Uint8Array(3000)));
    assert.deepEqual(
      resets(world).map(([id]) => id),
      [17, 19, 21, 23, 25, 27, 29],
    );
    assert.ok(!world.harness.stream.closed);
  });

  test('a request that waits has its deadline', () => {
    const world = start();
    ask(world, 5);
    const headers = grpcHeaders('/t.T/Get', [['grpc-timeout', '50m']]);
    world.harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 11, headers));
    world.harness.feed(frame(FrameType.data, FrameFlag.endStream, 11, message(new Uint8Array([9]))));
    world.harness.frames();
    world.harness.clock.advance(1000);
    assert.equal(world.harness.headers()[0]?.['grpc-status'], '4');
    for (let id = 1; id < 11; id += 2) world.harness.feed(windowFor(id, 100_000));
    world.harness.clock.settle();
    assert.equal(world.served.length, 5);
  });

  test('a client that never reads is sent away in the end', () => {
    const world = start();
    ask(world, 20);
    world.harness.clock.advance(62_000);
    const goaway = world.harness.goaway();
    assert.deepEqual([goaway?.code, goaway?.debug], [Http2Code.enhanceYourCalm, 'responses are not read']);
    assert.ok(world.harness.stream.closed);
    assert.equal(world.served.length, 5);
  });
});

describe('answers being made', () => {
  test('what is made counts: others do not go on, the one that made it does', () => {
    const world = start();
    ask(world, 3, '/t.T/Hold');
    const [first, second, third] = world.held as [UnaryCall, UnaryCall, UnaryCall];
    const log: string[] = [];
    first.hold(4000);
    second.hold(2000);
    first.whenRoom(() => log.push('first'));
    second.whenRoom(() => log.push('second'));
    third.whenRoom(() => log.push('third'));
    assert.deepEqual(log, ['first', 'second'], 'what others have made is within the bound for these two');
    second.hold(6000);
    first.whenRoom(() => log.push('first again'));
    second.whenRoom(() => log.push('second again'));
    world.harness.clock.settle();
    assert.deepEqual(log, ['first', 'second', 'second again']);
    second.replyChunks([new Uint8Array(6000)]);
    world.harness.clock.settle();
    assert.equal(log.length, 3, 'it is made, whether it is being made or waits to be sent');
    world.harness.feed(windowFor(3, 100_000));
    world.harness.clock.settle();
    assert.deepEqual(log.slice(3), ['third', 'first again']);
  });

  test('a call that fails or is cancelled makes room and is called back', () => {
    const world = start();
    ask(world, 3, '/t.T/Hold');
    const [first, second, third] = world.held as [UnaryCall, UnaryCall, UnaryCall];
    const log: string[] = [];
    first.hold(9000);
    second.whenRoom(() => log.push(`second, cancelled: ${second.cancelled}`));
    third.whenRoom(() => log.push(`third, cancelled: ${third.cancelled}`));
    world.harness.feed(frame(FrameType.rstStream, 0, 3, word(8)));
    world.harness.clock.settle();
    assert.deepEqual(log, ['second, cancelled: true']);
    first.fail(2, 'no');
    world.harness.clock.settle();
    assert.deepEqual(log.slice(1), ['third, cancelled: false']);
  });

  test('a connection that is lost lets go of all that waits', () => {
    const world = start();
    ask(world, 3, '/t.T/Hold');
    const log: boolean[] = [];
    world.held[0]?.hold(9000);
    for (const call of world.held) call.whenRoom(() => log.push(call.cancelled));
    world.harness.stream.close();
    world.harness.clock.settle();
    assert.deepEqual(log, [false, true, true]);
  });
});

describe('streams that are not read', () => {
  const streamBytesMax = 10_000;

  function watch(settings: GrpcServerSettings, window: number, count: number): [ServerHarness, StreamCall[]] {
    const harness = new ServerHarness(settings);
    const calls: StreamCall[] = [];
    harness.server.registerStream('/t.T/Watch', (call) => calls.push(call));
    harness.connect(true, [initialWindow, window]);
    for (let i = 0; i < count; i++) {
      harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 2 * i + 1, grpcHeaders('/t.T/Watch')));
    }
    return [harness, calls];
  }

  /** Writes to all in turn until each has no room; how much they hold then. */
  function fill(calls: readonly StreamCall[]): number {
    for (let isGoing = true; isGoing; ) {
      isGoing = false;
      for (const call of calls) {
        if (!call.hasRoom()) continue;
        isGoing = true;
        call.write(new Uint8Array(answerBytes));
      }
    }
    return calls.reduce((sum, call) => sum + call.queuedBytes, 0);
  }

  for (const [name, settings] of [
    ['of a connection', { limits: { streamBytesMax } }],
    ['of all connections', { allStreamBytesMax: streamBytesMax }],
  ] as const) {
    test(`the streams ${name} hold the bound together, and a message each`, () => {
      const [harness, calls] = watch({ ...settings, streamHighWaterBytes: 5000 }, 0, 100);
      assert.equal(fill(calls), 10_050, 'without window only the first ten get a message');
      const drained: StreamCall[] = [];
      for (const call of calls) call.onDrain(() => drained.push(call));
      harness.feed(windowFor(1, 20));
      assert.deepEqual(drained, [], 'the first still has most of its message');
      harness.feed(windowFor(199, 1));
      assert.deepEqual(drained, [calls[99]], 'one that never had room has it with its window');
      assert.equal(fill(calls), 10_050 - 20 + 1004);
      harness.feed(windowFor(3, 1005));
      assert.deepEqual(drained, [calls[99]], 'the second has nothing left, but takes no more');
      harness.feed(windowFor(3, 1));
      assert.deepEqual(drained, [calls[99], calls[1]]);
    });
  }

  test('whoever reads is served, however much the others hold back', () => {
    const [harness, calls] = watch({ limits: { streamBytesMax } }, 0, 20);
    fill(calls.slice(0, 10));
    const reader = calls[10] as StreamCall;
    let got = 0;
    for (let i = 0; i < 100; i++) {
      for (const id of [0, 21]) harness.feed(windowFor(id, 2000));
      assert.ok(reader.hasRoom());
      reader.write(new Uint8Array(answerBytes));
      for (const one of harness.frames())
        if (one.type === FrameType.data && one.streamId === 21) got += one.payload.length;
    }
    assert.equal(got, 100 * 1005);
  });

  test('streams that go give back what they held', () => {
    const [harness, calls] = watch({ limits: { streamBytesMax } }, 0, 20);
    fill(calls);
    for (let i = 0; i < 19; i++) harness.feed(frame(FrameType.rstStream, 0, 2 * i + 1, word(8)));
    const last = calls[19] as StreamCall;
    assert.ok(last.hasRoom());
    assert.ok(last.write(new Uint8Array(answerBytes)), 'there is no pressure any more');
  });
});

describe('requests that are not gRPC', () => {
  const page = 3000;
  const block = headerBlock([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/metrics'],
  ]);

  test('their answers count, and beyond the bound they are refused', () => {
    const harness = new ServerHarness({ limits: { streamBytesMax: 10_000 } });
    harness.connect(true, [initialWindow, 0], (_request, response) => response.send(200, [], new Uint8Array(page)));
    const open = (id: number) => harness.feed(frame(FrameType.headers, endOfBlockAndStream, id, block));
    for (let id = 1; id <= 13; id += 2) open(id);
    const refused = harness.frames().filter((one) => one.type === FrameType.rstStream);
    assert.deepEqual(
      refused.map((one) => [one.streamId, one.payload[3]]),
      [9, 11, 13].map((id) => [id, Http2Code.refusedStream]),
    );
    harness.feed(windowFor(1, page));
    open(15);
    assert.ok(harness.frames().some((one) => one.type === FrameType.headers && one.streamId === 15));
  });

  test('a local call made for one waits with it', async () => {
    const world = start();
    const room = { asked: [] as (() => void)[], held: 0 };
    const called = world.harness.server.local.unary('/t.T/Hold', new Uint8Array(1), {
      room: {
        whenRoom: (callback) => room.asked.push(callback),
        hold: (bytes) => {
          room.held = bytes;
        },
      },
    });
    world.harness.clock.settle();
    const [call] = world.held as [UnaryCall];
    call.hold(700);
    call.whenRoom(() => call.reply(new Uint8Array(700), 0, 700));
    assert.deepEqual([room.held, room.asked.length], [700, 1]);
    room.asked[0]?.();
    assert.equal((await called).length, 700);
  });

  test('a large answer to a local call is put together in turns', async () => {
    const world = start();
    const called = world.harness.server.local.unary('/t.T/Hold', new Uint8Array(1));
    world.harness.clock.settle();
    const chunks = Array.from({ length: 40 }, (_, i) => new Uint8Array(100_000).fill(i));
    let isOver = false;
    void called.then(() => {
      isOver = true;
    });
    world.held[0]?.replyChunks(chunks);
    await Promise.resolve();
    assert.ok(!isOver);
    world.harness.clock.settle();
    assert.deepEqual(await called, concatBytes(chunks));
  });
});
