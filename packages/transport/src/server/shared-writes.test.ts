import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, nextBelow, type Random, SeededRandom } from '@quorate/base';
import { FrameFlag, FrameType } from '../http2/constants.ts';
import { frame, grpcHeaders, message, word } from '../testing/raw-frames.ts';
import { ServerHarness } from '../testing/server-harness.ts';
import type { StreamCall } from './calls.ts';
import type { GrpcServerSettings } from './server-options.ts';

/** Settings of the client: what it lets a stream send at first, the largest frame it takes. */
const initialWindow = 4;
const frameBytesMax = 5;

function open(
  streams: number,
  settings: GrpcServerSettings = {},
  peerSettings: readonly number[] = [],
): [ServerHarness, StreamCall[]] {
  const harness = new ServerHarness(settings);
  const calls: StreamCall[] = [];
  harness.server.registerStream('/t.T/Watch', (call) => calls.push(call));
  harness.connect(true, peerSettings);
  for (let i = 0; i < streams; i++) {
    harness.feed(frame(FrameType.headers, FrameFlag.endHeaders, 1 + 2 * i, grpcHeaders('/t.T/Watch')));
  }
  return [harness, calls];
}

/** The DATA payloads of a stream that came out by now. */
function dataOf(harness: ServerHarness, streamId: number): Uint8Array[] {
  const frames = harness.frames().filter((one) => one.type === FrameType.data && one.streamId === streamId);
  return frames.map((one) => one.payload);
}

function bytesOf(length: number, first: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i);
}

test('a message in two parts is one frame, whatever is copied of it', () => {
  for (const [headBytes, bodyBytes] of [
    [0, 0],
    [20, 0],
    [0, 20],
    [20, 300],
    [20, 2048],
    [20, 2049],
    [0, 5000],
    [4000, 12_379],
  ] as const) {
    const [harness, calls] = open(1);
    const [head, body] = [bytesOf(headBytes, 1), bytesOf(bodyBytes, 2)];
    assert.equal(calls[0]?.writeShared(head, body), true);
    assert.deepEqual(dataOf(harness, 1), [message(concatBytes([head, body]))], `${headBytes} and ${bodyBytes}`);
    assert.equal(calls[0]?.queuedBytes, 0);
  }
});

test('many calls share the parts: small ones are copied at once, a large body is not copied', () => {
  const [small, large] = [bytesOf(2048, 1), bytesOf(2049, 2)];
  for (const body of [small, large]) {
    const [harness, calls] = open(3);
    const head = bytesOf(20, 3);
    const before = message(concatBytes([head, body]));
    for (const call of calls) call.writeShared(head, body);
    head.fill(0);
    body[7] = 0;
    if (body === large) before[5 + 20 + 7] = 0;
    const frames = harness.frames().filter((one) => one.type === FrameType.data);
    assert.deepEqual(
      frames.map((one) => [one.streamId, one.payload]),
      [1, 3, 5].map((id) => [id, before]),
    );
  }
});

test('what waits for the window keeps a copy of the head and shares the body', () => {
  const [harness, calls] = open(1, {}, [initialWindow, 10]);
  const [head, body] = [bytesOf(20, 1), bytesOf(30, 2)];
  const whole = message(concatBytes([head, body]));
  calls[0]?.writeShared(head, body);
  head.fill(0);
  body.fill(0, 29);
  whole[whole.length - 1] = 0;
  assert.equal(calls[0]?.queuedBytes, 45);
  harness.feed(frame(FrameType.windowUpdate, 0, 1, word(100)));
  assert.deepEqual(concatBytes(dataOf(harness, 1)), whole);
});

test('flow control may cut anywhere in prefix, head and body', () => {
  const [head, body] = [bytesOf(6, 1), bytesOf(9, 101)];
  const whole = message(concatBytes([head, body]));
  for (let first = 0; first <= whole.length; first++) {
    for (let second = first; second <= whole.length; second++) {
      const [harness, calls] = open(1, {}, [initialWindow, first]);
      calls[0]?.writeShared(head, body);
      const sent = dataOf(harness, 1);
      if (second > first) harness.feed(frame(FrameType.windowUpdate, 0, 1, word(second - first)));
      sent.push(...dataOf(harness, 1));
      assert.equal(calls[0]?.queuedBytes, whole.length - second);
      harness.feed(frame(FrameType.windowUpdate, 0, 1, word(1000)));
      sent.push(...dataOf(harness, 1));
      const cuts = [whole.slice(0, first), whole.slice(first, second), whole.slice(second)];
      assert.deepEqual(
        sent,
        cuts.filter((cut) => cut.length > 0),
        `cuts at ${first} and ${second}`,
      );
    }
  }
});

test('a body beyond a frame goes out in frames of the largest size', () => {
  const [harness, calls] = open(1);
  const [head, body] = [bytesOf(20, 1), bytesOf(40_000, 2)];
  calls[0]?.writeShared(head, body);
  const sent = dataOf(harness, 1);
  assert.deepEqual(
    sent.map((payload) => payload.length),
    [16_384, 16_384, 7257],
  );
  assert.deepEqual(concatBytes(sent), message(concatBytes([head, body])));
});

test('a write above the high-water mark is refused and drains once', () => {
  const [harness, calls] = open(1, { streamHighWaterBytes: 1000 }, [initialWindow, 100]);
  const call = calls[0] as StreamCall;
  let drained = 0;
  call.onDrain(() => drained++);
  assert.equal(call.writeShared(new Uint8Array(20), new Uint8Array(680)), true);
  assert.equal(call.writeShared(new Uint8Array(20), new Uint8Array(680)), false);
  assert.equal(call.queuedBytes, 1310);
  harness.feed(frame(FrameType.windowUpdate, 0, 1, word(500)));
  assert.deepEqual([drained, call.queuedBytes], [0, 810]);
  harness.feed(frame(FrameType.windowUpdate, 0, 1, word(500)));
  assert.deepEqual([drained, call.queuedBytes], [1, 310]);
  assert.equal(concatBytes(dataOf(harness, 1)).length, 1100);
  harness.feed(frame(FrameType.rstStream, 0, 1, word(8)));
  assert.equal(call.writeShared(new Uint8Array(20), new Uint8Array(5000)), true);
  assert.deepEqual(dataOf(harness, 1), [], 'nothing follows the end of the call');
});

test('a reader that does not read holds large bodies back, and gets all in the end', () => {
  const [harness, calls] = open(1, { streamHighWaterBytes: 50_000 }, [initialWindow, 10_000_000]);
  harness.feed(frame(FrameType.windowUpdate, 0, 0, word(100_000_000)));
  harness.frames();
  harness.stream.drains = false;
  const call = calls[0] as StreamCall;
  let drained = 0;
  call.onDrain(() => drained++);
  const [head, body] = [bytesOf(20, 1), bytesOf(10_000, 2)];
  const whole = message(concatBytes([head, body]));
  let written = 0;
  do {
    written++;
    if (written > 10_000) throw new Error('no backpressure');
  } while (call.writeShared(head, body));
  assert.equal(drained, 0);
  const sent: Uint8Array[] = [];
  for (let turns = 0; turns < 1000 && (call.queuedBytes > 0 || sent.length < written); turns++) {
    sent.push(...dataOf(harness, 1));
    harness.stream.finishWrite();
  }
  assert.equal(drained, 1);
  const all = concatBytes(sent);
  assert.equal(all.length, written * whole.length);
  for (let i = 0; i < written; i++) assert.deepEqual(all.subarray(i * whole.length, (i + 1) * whole.length), whole);
});

/** Writes one random message one way or the other. @returns its bytes as they should come out */
function writeRandom(random: Random, call: StreamCall): Uint8Array {
  const [head, body] = [bytesOf(nextBelow(random, 40), 1), bytesOf(nextBelow(random, 3) * nextBelow(random, 3000), 7)];
  const whole = concatBytes([head, body]);
  const way = nextBelow(random, 4);
  if (way === 0) call.write(whole);
  else if (way === 1) call.writeChunks([head, body]);
  else call.writeShared(head, body);
  return message(whole);
}

test('random writes of every kind come out whole and in order, within window and frame size', () => {
  const seed = Number(process.env.QUORATE_SEED ?? 7);
  const random = new SeededRandom(seed);
  for (let round = 0; round < 60; round++) {
    let window = nextBelow(random, 6000);
    const [harness, calls] = open(1, {}, [initialWindow, window, frameBytesMax, 16_384]);
    harness.feed(frame(FrameType.windowUpdate, 0, 0, word(10_000_000)));
    const [expected, sent]: [Uint8Array[], Uint8Array[]] = [[], []];
    for (let step = 0; step < 40; step++) {
      if (nextBelow(random, 2) === 0) expected.push(writeRandom(random, calls[0] as StreamCall));
      else {
        const credit = 1 + nextBelow(random, 5000);
        window += credit;
        harness.feed(frame(FrameType.windowUpdate, 0, 1, word(credit)));
      }
      for (const payload of dataOf(harness, 1)) {
        window -= payload.length;
        assert.ok(window >= 0 && payload.length <= 16_384, `seed ${seed}, round ${round}`);
        sent.push(payload);
      }
    }
    harness.feed(frame(FrameType.windowUpdate, 0, 1, word(1_000_000)));
    sent.push(...dataOf(harness, 1));
    assert.deepEqual(concatBytes(sent), concatBytes(expected), `seed ${seed}, round ${round}: QUORATE_SEED=${seed}`);
  }
});
