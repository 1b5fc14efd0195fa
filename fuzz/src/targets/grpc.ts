import { equalBytes, nextBelow } from '@quorate/base';
import { rule, type Target } from '../engine/target.ts';
import { MessageReader, ReadResult, raw } from './inside.ts';

const messageBytesMax = 1000;

interface Cut {
  readonly messages: Uint8Array[];
  readonly end: 'more' | 'idle' | 'too-large' | 'bad-flag';
}

/** As the format is described (gRPC over HTTP/2: Length-Prefixed-Message). */
function cutDumbly(bytes: Uint8Array): Cut {
  const messages: Uint8Array[] = [];
  for (let position = 0; ; ) {
    if (position === bytes.length) return { messages, end: 'idle' };
    if ((bytes[position] as number) > 1) return { messages, end: 'bad-flag' };
    if (position + 5 > bytes.length) return { messages, end: 'more' };
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(position + 1);
    if (length > messageBytesMax) return { messages, end: 'too-large' };
    if (position + 5 + length > bytes.length) return { messages, end: 'more' };
    messages.push(bytes.subarray(position, position + 5 + length));
    position += 5 + length;
  }
}

function cutInChunks(bytes: Uint8Array, chunkBytes: number): Cut {
  const reader = new MessageReader(messageBytesMax);
  const messages: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    // The chunk's memory is reused, as a socket's is.
    const chunk = bytes.slice(at, at + chunkBytes);
    for (let position = 0; ; position = reader.position) {
      const result = reader.read(chunk, position, chunk.length);
      if (result === ReadResult.badFlag) return { messages, end: 'bad-flag' };
      if (result === ReadResult.tooLarge) return { messages, end: 'too-large' };
      if (result === ReadResult.needMore) break;
      messages.push(raw.message(reader.message, reader.compressed ? 1 : 0));
    }
    chunk.fill(0xee);
    rule(reader.bufferedBytes <= Math.max(16_384, messageBytesMax), 'holds more than a message');
  }
  return { messages, end: reader.isIdle ? 'idle' : 'more' };
}

export const grpcTarget: Target = {
  name: 'grpc',
  watches: ['/transport/dist/grpc/'],
  inputBytesMax: 4096,
  testRuns: 5000,
  async seeds(random) {
    return Array.from({ length: 8 }, () => {
      const lengths = Array.from({ length: 1 + nextBelow(random, 5) }, () => nextBelow(random, 400));
      const messages = lengths.map((length) => raw.message(new Uint8Array(length).fill(length), length & 1));
      return Uint8Array.from(messages.flatMap((message) => [...message]));
    });
  },
  run(input) {
    const expected = cutDumbly(input);
    for (const chunkBytes of [Math.max(1, input.length), 1, 6, 97]) {
      const { messages, end } = cutInChunks(input, chunkBytes);
      rule(end === expected.end, `in chunks of ${chunkBytes}: ${end}, not ${expected.end}`);
      rule(messages.length === expected.messages.length, `in chunks of ${chunkBytes}: another number of messages`);
      const isSame = messages.every((message, i) => equalBytes(message, expected.messages[i] as Uint8Array));
      rule(isSame, `in chunks of ${chunkBytes}: another message`);
    }
    return `${expected.end} ${Math.min(3, expected.messages.length)}`;
  },
};
