import { concatBytes, copyBytes, nextBelow, type Random, SeededRandom, silentLogger, utf8ToBytes } from '@quorate/base';
import { GrpcClient } from '@quorate/transport';
import { rule, type Target } from '../engine/target.ts';
import { withOtherFrames } from './http2.ts';
import { CapturedStream, FrameFlag, FrameType, HpackEncoder, ManualClock, raw } from './inside.ts';

const { frame, word } = raw;
const callMs = 1000;
const everMs = 3_600_000;
const settingsFrame = raw.clientPreface().subarray(24);

/** What one call came to, without what depends on when things came. */
interface Ended {
  readonly codes: readonly number[];
  readonly messages: number;
}

function answerFrames(random: Random, streamId: number, encoder: HpackEncoder): Uint8Array[] {
  const block = (end: boolean): Uint8Array => {
    encoder.begin();
    if (!end) encoder.addIndexed(':status', nextBelow(random, 8) === 0 ? '503' : '200');
    if (!end) encoder.addIndexed('content-type', 'application/grpc');
    if (end) encoder.addLiteral('grpc-status', String(nextBelow(random, 18)));
    if (end && nextBelow(random, 2) === 0) encoder.addLiteral('grpc-message', 'a%20b%zz');
    return copyBytes(encoder.end());
  };
  const frames = [frame(FrameType.headers, FrameFlag.endHeaders, streamId, block(false))];
  for (let count = nextBelow(random, 3); count > 0; count--) {
    frames.push(frame(FrameType.data, 0, streamId, raw.message(new Uint8Array(nextBelow(random, 60)).fill(count))));
  }
  if (nextBelow(random, 5) === 0) frames.push(frame(FrameType.rstStream, 0, streamId, word(nextBelow(random, 14))));
  else frames.push(frame(FrameType.headers, FrameFlag.endHeaders | FrameFlag.endStream, streamId, block(true)));
  return frames;
}

function connectionFrame(random: Random): Uint8Array {
  const frames = [
    frame(FrameType.ping, nextBelow(random, 2), 0, new Uint8Array(8)),
    frame(FrameType.windowUpdate, 0, nextBelow(random, 4), word(nextBelow(random, 70_000))),
    frame(FrameType.goaway, 0, 0, concatBytes([word(nextBelow(random, 6)), word(0), utf8ToBytes('bye')])),
    frame(FrameType.settings, FrameFlag.ack, 0),
    raw.clientPreface([3, nextBelow(random, 3), 4, nextBelow(random, 100)]).subarray(24),
  ];
  return frames[nextBelow(random, frames.length)] as Uint8Array;
}

/** The first byte says how the bytes are cut, the others are what the server sends. */
function answers(random: Random): Uint8Array {
  const encoder = new HpackEncoder();
  const frames = [settingsFrame];
  for (const streamId of [1, 3, 5]) {
    while (nextBelow(random, 3) === 0) frames.push(connectionFrame(random));
    frames.push(...answerFrames(random, streamId, encoder));
  }
  return concatBytes([Uint8Array.of(random.nextUint32()), ...frames]);
}

/** Three calls against a server that sends these bytes: each ends once, by its deadline at the latest, and nothing goes on when all is over. */
function call(bytes: Uint8Array, chunkBytes: number): Ended {
  const clock = new ManualClock();
  const streams: CapturedStream[] = [];
  const client = new GrpcClient(
    {
      clock,
      logger: silentLogger,
      random: new SeededRandom(1),
      connect: (onConnected) => {
        const stream = new CapturedStream(clock);
        streams.push(stream);
        onConnected(stream);
      },
    },
    { authority: 'test' },
  );
  const ends: number[][] = [[], [], []];
  let messages = 0;
  for (const codes of ends.slice(0, 2)) {
    client.unaryCallback('/t.T/Echo', Uint8Array.of(1, 2), { timeoutMs: callMs }, (code) => codes.push(code));
  }
  const stream = client.stream('/t.T/Stream', { timeoutMs: callMs });
  stream.onMessage(() => messages++);
  stream.onEnd(({ code }) => ends[2]?.push(code));
  stream.write(Uint8Array.of(3));
  stream.end();
  clock.settle();
  const first = streams[0] as CapturedStream;
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.slice(at, at + chunkBytes);
    first.feed(chunk);
    chunk.fill(0xee);
  }
  clock.settle();
  clock.advance(2 * callMs);
  for (const [i, codes] of ends.entries()) rule(codes.length === 1, `call ${i} ended ${codes.length} times`);
  raw.parseFrames(first.takeOutput().subarray(24));
  client.close();
  for (const one of streams) one.close();
  clock.advance(everMs);
  rule(clock.timerCount === 0, 'timers go on when all is over');
  return { codes: ends.flat(), messages };
}

export const http2ClientTarget: Target = {
  name: 'http2-client',
  watches: ['/transport/dist/http2/', '/transport/dist/client/', '/transport/dist/hpack/', '/transport/dist/grpc/'],
  inputBytesMax: 4000,
  testRuns: 3000,
  async seeds(random) {
    return Array.from({ length: 30 }, () => answers(random));
  },
  mutate: (input, random) => withOtherFrames(input, random, 0),
  run(input) {
    const bytes = input.subarray(1);
    const sizes = [1, 2, 9, 10, 33, 100];
    const cut = call(bytes, sizes[(input[0] ?? 0) % sizes.length] as number);
    const whole = call(bytes, Math.max(1, bytes.length));
    rule(
      JSON.stringify(cut) === JSON.stringify(whole),
      `in chunks ${JSON.stringify(cut)}, whole ${JSON.stringify(whole)}`,
    );
    return `${whole.codes.join(' ')}, ${Math.min(2, whole.messages)}`;
  },
};
