import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, SeededRandom, silentLogger } from '@quorate/base';
import { FrameFlag, FrameType, Http2Code } from '../http2/constants.ts';
import { CapturedStream } from '../testing/captured-stream.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { frame, headerBlock, message, parseFrames, type RawFrame, word } from '../testing/raw-frames.ts';
import type { GrpcClientSettings } from './client-options.ts';
import { GrpcClient } from './grpc-client.ts';

const prefaceBytes = 24;
const okHeaders = headerBlock([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
const okTrailers = headerBlock([['grpc-status', '0']]);
const settings = frame(FrameType.settings, 0, 0);

/** A client on manual time whose server is the test. */
class ClientHarness {
  readonly clock = new ManualClock();
  readonly streams: CapturedStream[] = [];
  readonly client: GrpcClient;
  /** Attempts to connect fail with this, if not null. */
  refuseWith: string | null = null;
  attempts = 0;
  private seenPreface = new Set<CapturedStream>();

  constructor(options: Partial<GrpcClientSettings> = {}) {
    this.client = new GrpcClient(
      {
        clock: this.clock,
        logger: silentLogger,
        random: new SeededRandom(1),
        connect: (onConnected, onFailed) => {
          this.attempts++;
          const stream = new CapturedStream(this.clock);
          if (this.refuseWith !== null) {
            onFailed(this.refuseWith);
            return;
          }
          this.streams.push(stream);
          onConnected(stream);
        },
      },
      { authority: 'test', ...options },
    );
  }

  get last(): CapturedStream {
    return this.streams.at(-1) as CapturedStream;
  }

  frames(stream: CapturedStream = this.last): RawFrame[] {
    this.clock.settle();
    let output = stream.takeOutput();
    if (!this.seenPreface.has(stream) && output.length >= prefaceBytes) {
      this.seenPreface.add(stream);
      output = output.subarray(prefaceBytes);
    }
    return parseFrames(output);
  }

  /** Ids of the requests that came out. */
  requests(stream?: CapturedStream): number[] {
    return this.frames(stream)
      .filter((one) => one.type === FrameType.headers)
      .map((one) => one.streamId);
  }

  answer(id: number, body: Uint8Array = new Uint8Array(0)): void {
    this.last.feed(
      concatBytes([
        frame(FrameType.headers, FrameFlag.endHeaders, id, okHeaders),
        frame(FrameType.data, 0, id, message(body)),
        frame(FrameType.headers, FrameFlag.endHeaders | FrameFlag.endStream, id, okTrailers),
      ]),
    );
  }

  /** A unary call; `results` gets `code message` or `ok length`. */
  call(results: string[], options: Parameters<GrpcClient['unaryCallback']>[2] = {}): void {
    this.client.unaryCallback('/t.T/Echo', new Uint8Array(3), options, (code, text, answer) => {
      results.push(answer === null ? `${code} ${text}` : `ok ${answer.length}`);
    });
    this.clock.settle();
  }
}

test('calls wait for the server to say what it takes', () => {
  const harness = new ClientHarness();
  const results: string[] = [];
  for (let i = 0; i < 4; i++) harness.call(results);
  assert.deepEqual(harness.requests(), []);
  harness.last.feed(frame(FrameType.settings, 0, 0, concatBytes([new Uint8Array([0, 3]), word(2)])));
  assert.deepEqual(harness.requests(), [1, 3]);
  harness.answer(1, new Uint8Array(9));
  assert.deepEqual(results, ['ok 9']);
  assert.deepEqual(harness.requests(), [5]);
});

test('refused streams are sent again, a few times', () => {
  const harness = new ClientHarness();
  const results: string[] = [];
  harness.call(results);
  harness.last.feed(settings);
  for (let id = 1; id <= 7; id += 2) {
    assert.deepEqual(harness.requests(), [id]);
    harness.last.feed(frame(FrameType.rstStream, 0, id, word(Http2Code.refusedStream)));
  }
  assert.deepEqual(harness.requests(), []);
  assert.match(results[0] ?? '', /^14 /);
});

test('GOAWAY: what was not processed moves to a new connection, the rest finishes on the old', () => {
  const harness = new ClientHarness();
  const results: string[] = [];
  harness.call(results);
  harness.call(results);
  harness.last.feed(settings);
  assert.deepEqual(harness.requests(), [1, 3]);
  const old = harness.last;
  old.feed(frame(FrameType.goaway, 0, 0, concatBytes([word(1), word(0)])));
  harness.clock.settle();
  assert.equal(harness.streams.length, 2);
  harness.last.feed(settings);
  assert.deepEqual(harness.requests(), [1]);
  harness.answer(1, new Uint8Array(7));
  old.feed(
    frame(
      FrameType.headers,
      FrameFlag.endHeaders | FrameFlag.endStream,
      1,
      headerBlock([
        [':status', '200'],
        ['grpc-status', '5'],
      ]),
    ),
  );
  harness.clock.settle();
  assert.deepEqual(results, ['ok 7', '5 ']);
  assert.ok(old.closed);
});

test('failed attempts: calls fail at once while the pause lasts, those that wait go through', () => {
  const harness = new ClientHarness({ backoffMinMs: 100, backoffMaxMs: 1000 });
  harness.refuseWith = 'connect ECONNREFUSED';
  const results: string[] = [];
  harness.call(results);
  assert.deepEqual(results, ['14 connection error: connect ECONNREFUSED']);
  harness.call(results);
  assert.equal(harness.attempts, 1);
  assert.equal(results.length, 2);
  const patient: string[] = [];
  harness.call(patient, { waitForReady: true });
  harness.clock.advance(5000);
  assert.ok(harness.attempts >= 6 && harness.attempts <= 15, `${harness.attempts}`);
  harness.refuseWith = null;
  harness.clock.advance(1300);
  harness.last.feed(settings);
  harness.answer(harness.requests()[0] ?? 0);
  assert.deepEqual(patient, ['ok 0']);
});

test('a deadline covers the wait for the connection', () => {
  const harness = new ClientHarness();
  const results: string[] = [];
  harness.call(results, { timeoutMs: 50 });
  harness.clock.advance(51);
  assert.deepEqual(results, ['4 context deadline exceeded']);
  harness.last.feed(settings);
  assert.deepEqual(harness.requests(), []);
});

test('too many waiting calls', () => {
  const harness = new ClientHarness({ waitingCallsMax: 3 });
  const results: string[] = [];
  for (let i = 0; i < 5; i++) harness.call(results);
  assert.equal(results.length, 2);
  assert.match(results[0] ?? '', /^8 /);
});

test('answers that break the rules', () => {
  const cases: [string, Uint8Array[], RegExp][] = [
    [
      'no trailers',
      [frame(FrameType.headers, 4, 1, okHeaders), frame(FrameType.data, 1, 1, message(new Uint8Array(1)))],
      /^13 /,
    ],
    ['not gRPC', [frame(FrameType.headers, 4, 1, headerBlock([[':status', '502']]))], /^14 .*502/],
    [
      'no message',
      [frame(FrameType.headers, 4, 1, okHeaders), frame(FrameType.headers, 5, 1, okTrailers)],
      /^13 .*no answer/,
    ],
    [
      'a cut message',
      [
        frame(FrameType.headers, 4, 1, okHeaders),
        frame(FrameType.data, 0, 1, new Uint8Array(3)),
        frame(FrameType.headers, 5, 1, okTrailers),
      ],
      /^13 unexpected EOF/,
    ],
    [
      'a bad flag',
      [frame(FrameType.headers, 4, 1, okHeaders), frame(FrameType.data, 0, 1, new Uint8Array([9, 0, 0, 0, 0]))],
      /^13 /,
    ],
    ['a reset', [frame(FrameType.rstStream, 0, 1, word(Http2Code.enhanceYourCalm))], /^8 /],
    ['broken HPACK', [frame(FrameType.headers, 4, 1, new Uint8Array([0x80]))], /^14 bad header block/],
  ];
  for (const [name, frames, expected] of cases) {
    const harness = new ClientHarness();
    const results: string[] = [];
    harness.call(results);
    harness.last.feed(settings);
    assert.deepEqual(harness.requests(), [1]);
    for (const bytes of frames) harness.last.feed(bytes);
    assert.equal(results.length, 1, name);
    assert.match(results[0] ?? '', expected, name);
  }
});

test('keepalive: a server that does not answer is given up', () => {
  const harness = new ClientHarness({ keepaliveMs: 2000, keepaliveTimeoutMs: 6000 });
  const results: string[] = [];
  harness.call(results);
  harness.last.feed(settings);
  assert.deepEqual(harness.requests(), [1]);
  harness.clock.advance(3100);
  assert.ok(harness.frames().some((one) => one.type === FrameType.ping));
  harness.clock.advance(7000);
  assert.deepEqual(results, ['14 keepalive ping not answered']);
  assert.ok(harness.last.destroyed);
});

test('close ends everything', () => {
  const harness = new ClientHarness();
  const results: string[] = [];
  harness.call(results);
  harness.last.feed(settings);
  harness.call(results);
  harness.client.close();
  harness.call(results);
  assert.deepEqual(results, Array(3).fill('1 the client was closed'));
  harness.clock.advance(2000);
  assert.ok(harness.last.destroyed);
  assert.equal(harness.clock.timerCount, 0);
});
