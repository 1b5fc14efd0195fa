import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errors, etcdserverpb } from '@quorate/api';
import { concatBytes } from '@quorate/base';
import type { StreamCall } from '@quorate/transport';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import { SnapshotStreams } from './snapshot-streams.ts';

const kibibyte = 1024;
const chunk = 256 * kibibyte;

/** A reader that takes what it is told to take; its stream holds 256 KiB before it says that it is full. */
class SlowCall {
  readonly messages: etcdserverpb.SnapshotResponse[] = [];
  queued = 0;
  cancelled = false;
  ended: string | undefined;
  private drain = () => {};
  private cancel = () => {};

  readonly call = {
    writeChunks: (chunks: readonly Uint8Array[]) => {
      const message = concatBytes(chunks);
      this.messages.push(etcdserverpb.SnapshotResponse.decode(message));
      this.queued += message.length;
      return this.queued <= 256 * kibibyte;
    },
    onDrain: (callback: () => void) => {
      this.drain = callback;
    },
    onCancel: (callback: () => void) => {
      this.cancel = callback;
    },
    end: () => {
      this.ended = 'ok';
    },
    fail: (code: number, message: string) => {
      this.ended = `${code} ${message}`;
    },
  };

  asCall(): StreamCall {
    return Object.defineProperty({ ...this.call }, 'cancelled', { get: () => this.cancelled }) as unknown as StreamCall;
  }

  take(): void {
    this.queued = 0;
    this.drain();
  }

  leave(): void {
    this.cancelled = true;
    this.cancel();
  }
}

function start(chunks: number, streamsMax = 8) {
  const clock = new ManualClock();
  const counts = { read: 0, open: 0 };
  const streams = new SnapshotStreams(
    {
      clock,
      openSnapshot: async () => {
        counts.open++;
        return {
          sizeBytes: chunks * chunk,
          consistentIndex: 1,
          consistentTerm: 1,
          chunks: async function* () {
            for (let i = 0; i < chunks; i++) {
              counts.read++;
              yield new Uint8Array(chunk).fill(i);
            }
          },
          close: () => {
            counts.open--;
          },
        };
      },
      storageVersion: () => '3.7.0',
      sha256: () => ({ update() {}, finish: () => new Uint8Array(32).fill(7) }),
    },
    { streamsMax, stallMs: 60_000 },
  );
  return { clock, counts, streams };
}

test('what a reader does not take is not read from the database', async () => {
  const { streams, counts, clock } = start(1000);
  const slow = new SlowCall();
  const sent = streams.send(slow.asCall());
  await settle();
  assert.equal(counts.read, 1);
  assert.ok(slow.queued <= 256 * kibibyte + 33 * kibibyte, `${slow.queued} bytes wait`);
  slow.take();
  await settle();
  assert.equal(counts.read, 2);
  slow.leave();
  await sent;
  assert.deepEqual([counts.open, clock.timersSet, slow.ended], [0, 0, undefined]);
});

test('a reader that takes all gets the database in order, then its digest', async () => {
  const { streams, counts } = start(3);
  const slow = new SlowCall();
  const sent = streams.send(slow.asCall());
  while (slow.ended === undefined) {
    slow.take();
    await settle();
  }
  await sent;
  const blobs = slow.messages.map(({ blob }) => blob.length);
  assert.deepEqual(blobs, [...Array.from({ length: 24 }, () => 32 * kibibyte), 32]);
  assert.deepEqual(slow.messages.map(({ remainingBytes }) => Number(remainingBytes)).slice(-3), [32_768, 0, 0]);
  assert.equal(slow.messages[0]?.version, '3.7.0');
  assert.deepEqual([slow.ended, counts.open], ['ok', 0]);
});

test('a reader that stalls is given up, so that pages can be used again', async () => {
  const { streams, counts, clock } = start(1000);
  const slow = new SlowCall();
  const sent = streams.send(slow.asCall());
  await clock.advance(59_000);
  slow.take();
  await clock.advance(59_000);
  assert.deepEqual([slow.ended, counts.open], [undefined, 1]);
  await clock.advance(1_000);
  await sent;
  assert.deepEqual([slow.ended, counts.open], ['4 the reader of the snapshot has stalled', 0]);
  assert.ok(counts.read < 10, 'the rest is not read');
});

test('only so many at a time; the next is served when one has left', async () => {
  const { streams, counts } = start(1000, 2);
  const calls = [new SlowCall(), new SlowCall(), new SlowCall()] as const;
  for (const each of calls) void streams.send(each.asCall());
  await settle();
  const refusal = errors.ErrGRPCRequestTooManyRequests;
  assert.equal(calls[2].ended, `${refusal.sentCode} ${refusal.message}`);
  assert.equal(counts.open, 2);
  calls[0].leave();
  await settle();
  const late = new SlowCall();
  void streams.send(late.asCall());
  await settle();
  assert.deepEqual([counts.open, late.ended], [2, undefined]);
  calls[1].leave();
  late.leave();
  await settle();
  assert.equal(counts.open, 0);
});
