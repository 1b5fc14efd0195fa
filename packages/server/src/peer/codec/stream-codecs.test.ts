import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concatBytes, hexFromBytes, nextBelow, SeededRandom, utf8ToBytes } from '@quorate/base';
import { createEntry, createMessage, type Message, MessageType } from '@quorate/raft';
import { randomAppends, randomRaftMessage } from '../testing/random-raft-message.ts';
import { MessageStreamDecoder, messageBytesMax, messageStreamEncoder } from './message-stream-codec.ts';
import { MsgAppDecoder, MsgAppEncoder } from './msgapp-codec.ts';
import type { StreamDecoder } from './stream-codec.ts';

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

function decodeAll(decoder: StreamDecoder, chunks: readonly Uint8Array[]): Message[] {
  const messages: Message[] = [];
  for (const chunk of chunks) {
    // As a socket does that uses its slab again: nothing may be left in it.
    const slab = chunk.slice();
    decoder.decode(slab, (message) => messages.push(message));
  }
  return messages;
}

function cut(whole: Uint8Array, sizeOf: () => number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < whole.length; ) {
    const size = sizeOf();
    chunks.push(whole.subarray(start, start + size));
    start += size;
  }
  return chunks;
}

describe('msgappv2 as etcd speaks it (peer protocol, 2.2)', () => {
  const data = utf8ToBytes('a put of twenty-five byte');
  const app = (index: number, commit: number, entries: Message['entries'] = [], term = 2) =>
    createMessage({ type: MessageType.MsgApp, from: 1n, to: 2n, term, logTerm: term, index, commit, entries });
  const entry = createEntry(2, 6, 0, data);

  test('the first message is whole; what goes on from it comes as entries, and none as a commit index', () => {
    const encoder = new MsgAppEncoder();
    const first = encoder.encode(app(4, 2, [createEntry(2, 5, 0, new Uint8Array(0))]));
    assert.equal(first[0], 2);
    assert.equal(
      hexFromBytes(encoder.encode(app(5, 5, [entry]))),
      `01 0000000000000001 0000000000000021 080010021806 2219 ${hexFromBytes(data)} 0000000000000005`.replaceAll(
        ' ',
        '',
      ),
    );
    assert.equal(hexFromBytes(encoder.encode(app(6, 6))), '0100000000000000000000000000000006');
    assert.equal(hexFromBytes(encoder.encodeHeartbeat()), '00');
    assert.equal(encoder.encode(app(5, 6))[0], 2, 'a step back is whole');
    assert.equal(encoder.encode(app(5, 6, [], 3))[0], 2, 'another term is whole');
    assert.equal(encoder.encode(app(5, 7, [], 3))[0], 1);
  });

  test('the reader counts on from what it got, by the number of entries', () => {
    const encoder = new MsgAppEncoder();
    const decoder = new MsgAppDecoder(1n, 2n);
    const whole = concatBytes([
      encoder.encode(app(5, 5)),
      bytes(`00 01 0000000000000001 0000000000000021 080010021806 2219 ${hexFromBytes(data)} 0000000000000005`),
      bytes('01 0000000000000000 0000000000000006'),
    ]);
    assert.deepEqual(decodeAll(decoder, [whole]), [app(5, 5), app(5, 5, [entry]), app(6, 6)]);
  });

  test('no entry shares memory with the chunks, whole or cut', () => {
    const messages = [app(4, 2, [createEntry(2, 5, 0, data)]), app(5, 2, [createEntry(2, 6, 0, data)])];
    for (const size of [1, 40, 1000]) {
      const encoder = new MsgAppEncoder();
      const whole = concatBytes(messages.map((message) => encoder.encode(message)));
      const decoder = new MsgAppDecoder(1n, 2n);
      const read: Message[] = [];
      for (const chunk of cut(whole, () => size)) {
        const slab = chunk.slice();
        decoder.decode(slab, (message) => read.push(message));
        if (read.length === messages.length) slab.fill(0xff);
      }
      assert.deepEqual(read, messages);
    }
  });

  test('other records, counts and sizes end the stream', () => {
    for (const hex of [
      '03',
      '02 ffffffffffffffff',
      `02 ${(messageBytesMax + 1).toString(16).padStart(16, '0')}`,
      '01 0020000000000000',
    ]) {
      assert.throws(() => decodeAll(new MsgAppDecoder(1n, 2n), [bytes(hex)]), { code: 'peer/bad-message' }, hex);
    }
    const brokenEntry = bytes('01 0000000000000001 0000000000000002 0809 0000000000000000');
    assert.throws(() => decodeAll(new MsgAppDecoder(1n, 2n), [brokenEntry]), { code: 'peer/bad-message' });
  });

  test('two ends agree over random streams, cut anywhere', () => {
    const random = new SeededRandom(99);
    for (let round = 0; round < 100; round++) {
      const messages = randomAppends(random, 1n, 2n, 30);
      const encoder = new MsgAppEncoder();
      const records = messages.flatMap((message) =>
        nextBelow(random, 4) === 0 ? [encoder.encodeHeartbeat(), encoder.encode(message)] : [encoder.encode(message)],
      );
      const whole = concatBytes(records);
      const sizes = [1, 7, 64, 1000, 70_000];
      const sizeMax = sizes[nextBelow(random, sizes.length)] as number;
      const step = round % 20 === 0 ? () => 1 : () => 1 + nextBelow(random, sizeMax);
      const read = decodeAll(new MsgAppDecoder(1n, 2n), cut(whole, step));
      assert.deepEqual(read, messages, `round ${round}`);
    }
  });

  test('every way to cut a short stream in two', () => {
    const encoder = new MsgAppEncoder();
    const messages = [
      app(4, 2, [createEntry(2, 5, 0, data)]),
      app(5, 3, [entry, createEntry(2, 7, 1, data)]),
      app(7, 7),
    ];
    const whole = concatBytes(messages.map((message) => encoder.encode(message)));
    for (let at = 0; at <= whole.length; at++) {
      const chunks = [whole.subarray(0, at), whole.subarray(at)];
      assert.deepEqual(decodeAll(new MsgAppDecoder(1n, 2n), chunks), messages, `cut at ${at}`);
    }
  });
});

describe('the stream of all messages (peer protocol, 2.3)', () => {
  test('two ends agree over random streams with heartbeats in between, cut anywhere', () => {
    const random = new SeededRandom(3);
    for (let round = 0; round < 40; round++) {
      const messages = Array.from({ length: 20 }, () => randomRaftMessage(random));
      const whole = concatBytes(
        messages.flatMap((message) => [messageStreamEncoder.encodeHeartbeat(), messageStreamEncoder.encode(message)]),
      );
      const sizeMax = [3, 50, 5000, 100_000][nextBelow(random, 4)] as number;
      const chunks = cut(whole, () => 1 + nextBelow(random, sizeMax));
      assert.deepEqual(decodeAll(new MessageStreamDecoder(), chunks), messages, `round ${round}`);
    }
  });

  test('a message above 512 MiB and one that is none end the stream', () => {
    assert.throws(() => decodeAll(new MessageStreamDecoder(), [bytes('0000000020000001')]), {
      code: 'peer/bad-message',
    });
    assert.deepEqual(decodeAll(new MessageStreamDecoder(), [bytes('0000000020000000')]), []);
    assert.throws(() => decodeAll(new MessageStreamDecoder(), [bytes('0000000000000001ff')]), {
      code: 'peer/bad-message',
    });
  });
});
