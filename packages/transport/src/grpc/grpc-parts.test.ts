import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextBelow, SeededRandom } from '@quorate/base';
import { ManualClock } from '../testing/manual-clock.ts';
import { message } from '../testing/raw-frames.ts';
import { type DeadlineEntry, DeadlineWheel } from './deadline-wheel.ts';
import { MessageReader, ReadResult } from './message-reader.ts';
import { decodeGrpcMessage, encodeGrpcMessage } from './percent.ts';
import { formatGrpcTimeout, parseGrpcTimeout } from './timeout.ts';

test('grpc-timeout: all units, and what is malformed', () => {
  const cases: [string, number][] = [
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['30S', 30_000],
    ['250m', 250],
    ['1500u', 1.5],
    ['99999999n', 99.999_999],
    ['0n', 0],
  ];
  for (const [text, ms] of cases) assert.ok(Math.abs(parseGrpcTimeout(text) - ms) < 1e-6, text);
  for (const text of ['', 'S', '1', '1s', '-1S', '1.5S', '123456789S', ' 1S']) {
    assert.ok(Number.isNaN(parseGrpcTimeout(text)), text);
  }
});

test('grpc-timeout: formatting loses little and never shortens', () => {
  for (const ms of [0.0004, 0.5, 1, 37, 4999.25, 5000, 99_999, 100_000, 7_200_000, 1e8, 1e11, 3e11]) {
    const text = formatGrpcTimeout(ms);
    const back = parseGrpcTimeout(text);
    assert.ok(back >= ms - 1e-9 && back <= ms * 1.02 + 0.001, `${ms} ${text}`);
  }
});

test('grpc-message: percent encoding', () => {
  for (const text of ['', 'plain text "quoted" ~', '100%', 'größer\n', '\u{1f600} x', '%41']) {
    const encoded = encodeGrpcMessage(text);
    assert.match(encoded, /^[ -~]*$/);
    assert.equal(decodeGrpcMessage(encoded), text);
  }
  assert.equal(encodeGrpcMessage('a%b'), 'a%25b');
  assert.equal(decodeGrpcMessage('50% of %zz'), '50% of %zz');
});

test('message reader: any cut gives the same messages', () => {
  const seed = Number(process.env.QUORATE_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = new SeededRandom(seed);
  for (let round = 0; round < 200; round++) {
    const bodies = Array.from({ length: nextBelow(random, 6) }, () =>
      Uint8Array.from({ length: nextBelow(random, 60) }, () => nextBelow(random, 256)),
    );
    const whole = Buffer.concat(bodies.map((body) => message(body)));
    const reader = new MessageReader(100);
    const seen: string[] = [];
    let position = 0;
    while (position < whole.length) {
      const end = Math.min(whole.length, position + 1 + nextBelow(random, 30));
      while (reader.read(whole, position, end) === ReadResult.message) {
        seen.push(Buffer.from(reader.message).toString('hex'));
        position = reader.position;
      }
      position = end;
    }
    assert.deepEqual(
      seen,
      bodies.map((body) => Buffer.from(body).toString('hex')),
      `seed ${seed}`,
    );
    assert.ok(reader.isIdle);
  }
});

test('message reader: limits', () => {
  const large = new MessageReader(10);
  assert.equal(large.read(message(new Uint8Array(11)), 0, 16), ReadResult.tooLarge);
  assert.equal(large.length, 11);
  const bad = new MessageReader(10);
  assert.equal(bad.read(new Uint8Array([2, 0, 0, 0, 0]), 0, 5), ReadResult.badFlag);
  const lying = new MessageReader(0x7fff_ffff);
  assert.equal(lying.read(new Uint8Array([0, 0x7f, 0xff, 0xff, 0xff, 1]), 0, 6), ReadResult.needMore);
  assert.ok(lying.bufferedBytes <= 16_384, 'a declared length is not believed');
});

test('deadline wheel: a deadline years away sets no timer beyond a turn', () => {
  const clock = new ManualClock();
  const wheel = new DeadlineWheel(clock);
  const entry: DeadlineEntry = {
    deadlineMs: clock.nowMs() + 3e14,
    wheelNext: null,
    wheelPrevious: null,
    wheelBucket: -1,
    onDeadline: () => assert.fail('fired'),
  };
  wheel.add(entry);
  assert.ok(clock.nextTimerMs() <= 8192);
  clock.advance(100_000);
  assert.ok(clock.nextTimerMs() <= 8192);
});

test('deadline wheel: every deadline fires in time, removed ones never', () => {
  const seed = Number(process.env.QUORATE_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = new SeededRandom(seed);
  const clock = new ManualClock();
  const wheel = new DeadlineWheel(clock);
  let live = 0;
  const add = (delayMs: number) => {
    const entry: DeadlineEntry = {
      deadlineMs: clock.nowMs() + delayMs,
      wheelNext: null,
      wheelPrevious: null,
      wheelBucket: -1,
      onDeadline() {
        live--;
        const lateMs = clock.nowMs() - entry.deadlineMs;
        assert.ok(lateMs >= 0 && lateMs <= 1, `seed ${seed}: late by ${lateMs}`);
      },
    };
    wheel.add(entry);
    return entry;
  };
  for (let i = 0; i < 3000; i++) {
    const entry = add(nextBelow(random, 30_000) + nextBelow(random, 1000) / 1000);
    live++;
    if (nextBelow(random, 2) === 0) {
      wheel.remove(entry);
      live--;
    }
    if (i % 10 === 0) clock.advance(nextBelow(random, 40));
  }
  clock.advance(60_000);
  assert.equal(live, 0, `seed ${seed}`);
  assert.equal(clock.timerCount, 0);
});
