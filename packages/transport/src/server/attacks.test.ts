import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concatBytes } from '@quorate/base';
import { FrameFlag, FrameType, Http2Code } from '../http2/constants.ts';
import type { StreamCall, UnaryCall } from '../server/calls.ts';
import {
  clientPreface,
  frame,
  grpcHeaders,
  headerBlock,
  message,
  noPayload,
  unaryRequest,
  word,
} from '../testing/raw-frames.ts';
import { ServerHarness } from '../testing/server-harness.ts';
import type { GrpcServerSettings } from './server-options.ts';

const calm = Http2Code.enhanceYourCalm;

function start(settings: GrpcServerSettings = {}, peerSettings: readonly number[] = []): ServerHarness {
  const harness = new ServerHarness(settings);
  harness.server.registerUnary('/t.T/Echo', (call, bytes) => call.reply(bytes, 0, bytes.length));
  return harness.connect(true, peerSettings);
}

/** Feeds `bytes(i)` again and again until the connection closes; returns after how many, or -1. */
function floodUntilClosed(harness: ServerHarness, most: number, bytes: (i: number) => Uint8Array): number {
  for (let i = 0; i < most; i++) {
    harness.feed(bytes(i));
    harness.clock.settle();
    if (harness.stream.closed) return i;
  }
  harness.clock.settle();
  return harness.stream.closed ? most : -1;
}

function expectCalm(harness: ServerHarness, what: string): void {
  const goaway = harness.goaway();
  assert.equal(goaway?.code, calm);
  assert.match(goaway?.debug ?? '', new RegExp(what));
  assert.ok(harness.stream.closed);
}

describe('floods end with GOAWAY and ENHANCE_YOUR_CALM', () => {
  test('rapid reset', () => {
    const harness = start({ limits: { resetsMax: 200 } });
    const count = floodUntilClosed(harness, 1000, (i) =>
      concatBytes([unaryRequest(i * 2 + 1, '/t.T/None'), frame(FrameType.rstStream, 0, i * 2 + 1, word(8))]),
    );
    assert.ok(count >= 200 && count < 300, `${count}`);
    expectCalm(harness, 'RST_STREAM');
  });

  test('a slower client may reset as often', () => {
    const harness = start({ limits: { resetsMax: 200, floodWindowMs: 1000 } });
    for (let i = 0; i < 1000; i++) {
      const id = i * 2 + 1;
      harness.feed(concatBytes([unaryRequest(id, '/t.T/None'), frame(FrameType.rstStream, 0, id, word(8))]));
      harness.clock.advance(6);
    }
    assert.ok(!harness.stream.closed);
  });

  test('stream errors that make us reset', () => {
    const harness = start({ limits: { streamErrorsMax: 100 } });
    const block = headerBlock([[':method', 'POST']]);
    floodUntilClosed(harness, 500, (i) => frame(FrameType.headers, FrameFlag.endHeaders, i * 2 + 1, block));
    expectCalm(harness, 'stream errors');
  });

  test('SETTINGS', () => {
    const harness = start();
    floodUntilClosed(harness, 500, () => frame(FrameType.settings, 0, 0));
    expectCalm(harness, 'SETTINGS');
  });

  test('PING', () => {
    const harness = start({ keepalive: { minTimeMs: 0 }, limits: { pingsMax: 500 } });
    floodUntilClosed(harness, 2000, () => frame(FrameType.ping, 0, 0, new Uint8Array(8)));
    expectCalm(harness, 'PING');
  });

  test('PRIORITY', () => {
    const harness = start({ limits: { prioritiesMax: 500 } });
    floodUntilClosed(harness, 2000, () => frame(FrameType.priority, 0, 3, new Uint8Array(5)));
    expectCalm(harness, 'PRIORITY');
  });

  test('WINDOW_UPDATE', () => {
    const harness = start({ limits: { windowUpdatesMax: 500 } });
    floodUntilClosed(harness, 2000, () => frame(FrameType.windowUpdate, 0, 0, word(1)));
    expectCalm(harness, 'WINDOW_UPDATE');
  });

  test('window updates for data sent are earned', () => {
    const harness = start({ limits: { windowUpdatesMax: 50 } });
    for (let i = 0; i < 500; i++) {
      harness.feed(unaryRequest(i * 2 + 1, '/t.T/Echo'));
      harness.feed(frame(FrameType.windowUpdate, 0, 0, word(5)));
      harness.clock.settle();
    }
    assert.ok(!harness.stream.closed);
  });

  test('empty DATA', () => {
    const harness = start({ limits: { emptyDataMax: 100 } });
    harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 1, grpcHeaders('/t.T/Echo')));
    floodUntilClosed(harness, 500, () => frame(FrameType.data, 0, 1));
    expectCalm(harness, 'empty DATA');
  });

  test('unknown frames', () => {
    const harness = start({ limits: { unknownFramesMax: 100 } });
    floodUntilClosed(harness, 500, () => frame(0xbb, 0, 0, new Uint8Array(3)));
    expectCalm(harness, 'unknown');
  });

  test('CONTINUATION without end', () => {
    const harness = start();
    harness.feed(frame(FrameType.headers, 0, 1, grpcHeaders('/t.T/Echo')));
    const count = floodUntilClosed(harness, 100, () => frame(FrameType.continuation, 0, 1));
    assert.ok(count >= 31 && count <= 33, `${count}`);
    expectCalm(harness, 'header block');
  });

  test('a header block beyond all bounds', () => {
    const harness = start();
    harness.feed(frame(FrameType.headers, 0, 1, new Uint8Array(16_384).fill(0x82)));
    floodUntilClosed(harness, 10, () => frame(FrameType.continuation, 0, 1, new Uint8Array(16_384).fill(0x82)));
    expectCalm(harness, 'header block');
  });

  test('many messages that are begun and not ended', () => {
    const harness = start({ limits: { unfinishedBytesMax: 200_000 } });
    const prefix = new Uint8Array([0, 0, 0x0f, 0, 0, 1]);
    floodUntilClosed(harness, 100, (i) =>
      concatBytes([
        frame(FrameType.headers, FrameFlag.endHeaders, i * 2 + 1, grpcHeaders('/t.T/Echo')),
        frame(FrameType.data, 0, i * 2 + 1, prefix),
      ]),
    );
    expectCalm(harness, 'unfinished');
  });
});

test('messages to many streams that are paused end with calm, too', () => {
  const harness = new ServerHarness({ limits: { unfinishedBytesMax: 200_000 } });
  harness.server.registerStream('/t.T/Stream', (call) => call.pause());
  harness.connect();
  const count = floodUntilClosed(harness, 100, (i) =>
    concatBytes([
      frame(FrameType.headers, FrameFlag.endHeaders, i * 2 + 1, grpcHeaders('/t.T/Stream')),
      frame(FrameType.data, 0, i * 2 + 1, message(new Uint8Array(9995))),
    ]),
  );
  assert.equal(count, 20);
  expectCalm(harness, 'unfinished');
});

describe('keepalive enforcement', () => {
  const ping = frame(FrameType.ping, 0, 0, new Uint8Array(8));

  test('idle pings: the third strike ends it with too_many_pings', () => {
    const harness = start();
    harness.feed(ping);
    for (let strike = 1; strike <= 2; strike++) {
      harness.clock.advance(60_000);
      harness.feed(ping);
      assert.ok(!harness.stream.closed, `strike ${strike}`);
    }
    harness.feed(ping);
    const goaway = harness.goaway();
    assert.deepEqual([goaway?.code, goaway?.debug], [calm, 'too_many_pings']);
    assert.ok(harness.stream.closed);
  });

  test('with permission, only pings too close together count', () => {
    const harness = start({ keepalive: { permitWithoutStream: true } });
    for (let i = 0; i < 20; i++) {
      harness.feed(ping);
      harness.clock.advance(5000);
    }
    assert.ok(!harness.stream.closed);
    for (let i = 0; i < 4; i++) harness.feed(ping);
    assert.equal(harness.goaway()?.debug, 'too_many_pings');
  });

  test('an answer sent in between forgives', () => {
    const harness = start();
    for (let i = 0; i < 20; i++) {
      harness.feed(ping);
      harness.feed(unaryRequest(i * 2 + 1, '/t.T/Echo'));
      harness.clock.settle();
    }
    assert.ok(!harness.stream.closed);
  });

  test('the server pings a silent client and cuts it', () => {
    const harness = start({ keepalive: { intervalMs: 10_000, timeoutMs: 2000 } });
    harness.clock.advance(9000);
    assert.equal(harness.frames().length, 0);
    harness.clock.advance(2100);
    const pings = harness.frames().filter((one) => one.type === FrameType.ping);
    assert.equal(pings.length, 1);
    harness.feed(frame(FrameType.ping, FrameFlag.ack, 0, pings[0]?.payload));
    harness.clock.advance(9000);
    assert.ok(!harness.stream.closed);
    harness.clock.advance(6000);
    assert.ok(harness.stream.destroyed);
  });
});

describe('sizes', () => {
  test('HPACK: headers that unfold beyond the limit get 431, and the table stays right', () => {
    const harness = start();
    const value = 'v'.repeat(3000);
    // The field goes to the table once and is then named two hundred times.
    const adding = headerBlock([['x-big', value]]);
    adding[0] = 0x40;
    const bomb = concatBytes([grpcHeaders('/t.T/Echo'), adding, new Uint8Array(200).fill(0xbe)]);
    harness.feed(frame(FrameType.headers, FrameFlag.endHeaders | FrameFlag.endStream, 1, bomb));
    assert.equal(harness.headers()[0]?.[':status'], '431');
    harness.feed(unaryRequest(3, '/t.T/Echo'));
    assert.ok(harness.frames().some((one) => one.type === FrameType.data && one.streamId === 3));
  });

  test('HPACK: a table size update above ours is a compression error', () => {
    const harness = start();
    const block = concatBytes([new Uint8Array([0x3f, 0xe2, 0x1f]), grpcHeaders('/t.T/Echo')]);
    harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 1, block));
    assert.equal(harness.goaway()?.code, Http2Code.compressionError);
  });

  test('a frame above the limit', () => {
    const harness = start();
    harness.feed(frame(FrameType.data, 0, 1, new Uint8Array(16_385)));
    assert.equal(harness.goaway()?.code, Http2Code.frameSizeError);
  });

  test('more streams than allowed are refused, and the rest goes on', () => {
    const calls: UnaryCall[] = [];
    const harness = new ServerHarness({ limits: { streamsMax: 2 } });
    harness.server.registerUnary('/t.T/Hold', (call) => calls.push(call));
    harness.connect();
    for (const id of [1, 3, 5]) harness.feed(unaryRequest(id, '/t.T/Hold'));
    const refused = harness.frames();
    assert.deepEqual(
      refused.map((one) => [one.type, one.streamId, one.payload[3]]),
      [[FrameType.rstStream, 5, Http2Code.refusedStream]],
    );
    for (const call of calls) call.reply(noPayload, 0, 0);
    harness.feed(unaryRequest(7, '/t.T/Hold'));
    harness.clock.settle();
    assert.equal(calls.length, 3);
  });

  test('flow control: the stream window, then the connection window', () => {
    const harness = new ServerHarness({ limits: { streamWindowBytes: 65_535, connectionWindowBytes: 65_535 } });
    harness.server.registerStream('/t.T/Stream', (call) => call.pause());
    harness.connect();
    harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 1, grpcHeaders('/t.T/Stream')));
    for (let i = 0; i < 5; i++) harness.feed(frame(FrameType.data, 0, 1, new Uint8Array(13_108)));
    const reset = harness.frames().find((one) => one.type === FrameType.rstStream);
    assert.equal(reset?.payload[3], Http2Code.flowControlError);
  });

  test('a message of more than one gRPC frame in a unary call', () => {
    const harness = start();
    harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 1, grpcHeaders('/t.T/Echo')));
    const two = concatBytes([message(new Uint8Array(3)), message(new Uint8Array(3))]);
    harness.feed(frame(FrameType.data, FrameFlag.endStream, 1, two));
    assert.equal(harness.headers()[0]?.['grpc-status'], '13');
  });
});

describe('peers that stall', () => {
  test('no preface in time', () => {
    const harness = new ServerHarness();
    harness.connect(false);
    harness.feed(clientPreface().subarray(0, 10));
    harness.clock.advance(19_000);
    assert.ok(!harness.stream.closed);
    harness.clock.advance(2500);
    assert.ok(harness.stream.destroyed);
    assert.equal(harness.server.connectionCount, 0);
  });

  test('a wrong preface', () => {
    const harness = new ServerHarness();
    harness.connect(false);
    harness.feed(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    assert.equal(harness.goaway()?.code, Http2Code.protocolError);
  });

  test('a reader that does not read stops being read, and is cut in the end', () => {
    const harness = start({ limits: { outputBytesMax: 10_000 } });
    harness.stream.drains = false;
    let id = 1;
    for (; !harness.stream.readingPaused && id < 2000; id += 2) {
      harness.feed(unaryRequest(id, '/t.T/Echo', new Uint8Array(1000)));
      harness.clock.settle();
    }
    assert.ok(id > 20 && id < 60, `${id}`);
    harness.stream.finishWrite();
    assert.ok(!harness.stream.destroyed);
    harness.stream.finishWrite();
    assert.ok(!harness.stream.readingPaused);
    harness.feed(unaryRequest(id, '/t.T/Echo', new Uint8Array(1000)));
    harness.clock.advance(62_000);
    assert.ok(harness.stream.destroyed);
  });

  test('a watcher may stall as long as it likes', () => {
    const harness = new ServerHarness();
    let full = false;
    harness.server.registerStream('/t.T/Watch', (call) => {
      while (call.write(new Uint8Array(10_000)));
      full = true;
    });
    harness.connect(true, [4, 0]);
    harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 1, grpcHeaders('/t.T/Watch')));
    assert.ok(full);
    harness.clock.advance(300_000);
    assert.ok(!harness.stream.closed);
  });

  test('a unary request that never ends', () => {
    const harness = start();
    harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 1, grpcHeaders('/t.T/Echo')));
    harness.feed(frame(FrameType.data, 0, 1, message(new Uint8Array(10)).subarray(0, 7)));
    harness.clock.advance(160_000);
    assert.equal(harness.headers()[0]?.['grpc-status'], '4');
  });

  test('an idle connection is drained when it is told to', () => {
    const harness = start({ limits: { idleMs: 30_000 } });
    harness.clock.advance(33_000);
    assert.ok(harness.stream.closed);
    assert.equal(harness.server.connectionCount, 0);
  });

  test('a closed connection does not linger', () => {
    const harness = start();
    harness.feed(frame(FrameType.data, 0, 0));
    harness.clock.settle();
    assert.ok(harness.stream.ended && !harness.stream.destroyed);
    harness.clock.advance(2500);
    assert.ok(harness.stream.destroyed);
    assert.equal(harness.clock.timerCount, 0);
  });
});

test('a write that begins after a long silence is not taken for a stall', () => {
  const harness = new ServerHarness();
  const calls: StreamCall[] = [];
  harness.server.registerStream('/t.T/Watch', (call) => calls.push(call));
  harness.connect();
  harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 1, grpcHeaders('/t.T/Watch')));
  harness.clock.advance(600_000);
  harness.stream.drains = false;
  calls[0]?.write(new Uint8Array(10));
  harness.clock.advance(30_000);
  assert.ok(!harness.stream.closed);
  harness.clock.advance(32_000);
  assert.ok(harness.stream.destroyed);
});
