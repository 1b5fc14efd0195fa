import { concatBytes, copyBytes, nextBelow, type Random, utf8ToBytes } from '@quorate/base';
import { rule, type Target } from '../engine/target.ts';
import { type Conversation, type ConversationOptions, converse, framesOf } from './http2-conversation.ts';
import { FrameFlag, FrameType, HpackEncoder, raw } from './inside.ts';

const { frame, word } = raw;
const preface = raw.clientPreface().subarray(0, 24);
const paths = ['/t.T/Echo', '/t.T/Fail', '/t.T/Stream', '/t.T/None', '/plain'];
const headBytes = 1;

/** The first byte says how the client behaves. */
function optionsOf(input: Uint8Array): ConversationOptions {
  const byte = input[0] ?? 0;
  const sizes = [1, 2, 9, 10, 33, 100, 1000, 100_000];
  return { chunkBytes: sizes[byte & 7] as number, reads: (byte & 8) === 0 };
}

function headers(random: Random, encoder: HpackEncoder): Uint8Array {
  encoder.begin();
  const path = paths[nextBelow(random, paths.length)] as string;
  encoder.addIndexed(':method', nextBelow(random, 8) === 0 ? 'GET' : 'POST');
  encoder.addIndexed(':scheme', 'http');
  encoder.addIndexed(':path', path);
  if (path !== '/plain') encoder.addIndexed('content-type', 'application/grpc');
  encoder.addIndexed('te', 'trailers');
  if (nextBelow(random, 3) === 0) encoder.addLiteral('grpc-timeout', `${nextBelow(random, 100)}m`);
  if (nextBelow(random, 4) === 0) encoder.addLiteral('content-length', String(nextBelow(random, 50)));
  if (nextBelow(random, 4) === 0) encoder.addIndexed('x-bin', 'abc'.repeat(nextBelow(random, 100)));
  if (nextBelow(random, 6) === 0) encoder.addIndexed('grpc-encoding', 'gzip');
  return copyBytes(encoder.end());
}

/** What a client says for one call, and things in between. */
function callFrames(random: Random, streamId: number, encoder: HpackEncoder): Uint8Array[] {
  const block = headers(random, encoder);
  const frames: Uint8Array[] = [];
  const end = nextBelow(random, 10) === 0 ? FrameFlag.endStream : 0;
  const form = nextBelow(random, 4);
  if (form === 0) {
    const at = nextBelow(random, block.length);
    frames.push(frame(FrameType.headers, end, streamId, block.subarray(0, at)));
    frames.push(frame(FrameType.continuation, FrameFlag.endHeaders, streamId, block.subarray(at)));
  } else if (form === 1) {
    const padded = concatBytes([Uint8Array.of(3, 0, 0, 0, 0, 16), block, new Uint8Array(3)]);
    const flags = end | FrameFlag.endHeaders | FrameFlag.padded | FrameFlag.priority;
    frames.push(frame(FrameType.headers, flags, streamId, padded));
  } else frames.push(frame(FrameType.headers, end | FrameFlag.endHeaders, streamId, block));
  for (let count = nextBelow(random, 3); count > 0; count--) {
    const message = raw.message(new Uint8Array(nextBelow(random, nextBelow(random, 6) === 0 ? 6000 : 40)).fill(count));
    frames.push(frame(FrameType.data, nextBelow(random, 2) * FrameFlag.endStream, streamId, message));
  }
  return frames;
}

function between(random: Random, streamId: number): Uint8Array {
  switch (nextBelow(random, 7)) {
    case 0:
      return frame(FrameType.ping, nextBelow(random, 2), 0, new Uint8Array(8));
    case 1:
      return frame(FrameType.windowUpdate, 0, nextBelow(random, 2) * streamId, word(1 + nextBelow(random, 70_000)));
    case 2:
      return frame(FrameType.rstStream, 0, streamId, word(8));
    case 3:
      return frame(FrameType.priority, 0, streamId, new Uint8Array(5));
    case 4:
      return raw.clientPreface([1 + nextBelow(random, 6), nextBelow(random, 70_000)]).subarray(24);
    case 5:
      return frame(FrameType.data, FrameFlag.endStream, streamId);
    default:
      return frame(nextBelow(random, 2) === 0 ? FrameType.goaway : 0xbb, 0, 0, utf8ToBytes('12345678why'));
  }
}

function conversationBytes(random: Random): Uint8Array {
  const encoder = new HpackEncoder();
  const frames = [raw.clientPreface(nextBelow(random, 2) === 0 ? [] : [4, nextBelow(random, 200)])];
  const last = 1 + nextBelow(random, 12);
  for (let streamId = 1; streamId <= last; streamId += 2) {
    frames.push(...callFrames(random, streamId, encoder));
    while (nextBelow(random, 3) === 0) frames.push(between(random, streamId));
  }
  return concatBytes([Uint8Array.of(random.nextUint32()), ...frames]);
}

/** Exchanges, doubles, drops and changes whole frames, their lengths right; behind a preface of so many bytes. */
export function withOtherFrames(input: Uint8Array, random: Random, prefaceBytes: number): Uint8Array {
  const frames = framesOf(input.subarray(headBytes + prefaceBytes)).map((one) => ({ ...one }));
  const at = nextBelow(random, frames.length + 1);
  const chosen = frames[at];
  const streamId = 1 + 2 * nextBelow(random, 8);
  switch (nextBelow(random, 7)) {
    case 0:
      frames.splice(at, 1);
      break;
    case 1:
      if (chosen !== undefined) frames.splice(nextBelow(random, frames.length), 0, chosen);
      break;
    case 2:
      if (chosen !== undefined) chosen.streamId = nextBelow(random, 3) === 0 ? nextBelow(random, 20) : streamId;
      break;
    case 3:
      if (chosen !== undefined) chosen.flags ^= 1 << nextBelow(random, 8);
      break;
    case 4:
      if (chosen !== undefined) chosen.type = nextBelow(random, 12);
      break;
    default:
      frames.splice(at, 0, ...framesOf(between(random, streamId)));
  }
  const bytes = frames.map(({ type, flags, streamId: id, payload }) => frame(type, flags, id, payload));
  return concatBytes([input.subarray(0, headBytes), preface.subarray(0, prefaceBytes), ...bytes]);
}

/** An answer, as far as it does not depend on when the parts of the request came. */
function shown({ answers, goaway }: Conversation): string {
  const lines = [...answers].map(([id, { headers: text, data, ended, reset }]) =>
    JSON.stringify([id, text, data, ended, reset]),
  );
  return [`goaway ${goaway}`, ...lines.sort()].join('\n');
}

export const http2Target: Target = {
  name: 'http2',
  watches: ['/transport/dist/http2/', '/transport/dist/server/', '/transport/dist/hpack/', '/transport/dist/grpc/'],
  inputBytesMax: 12_000,
  testRuns: 3500,
  async seeds(random) {
    return Array.from({ length: 40 }, () => conversationBytes(random));
  },
  mutate: (input, random) => withOtherFrames(input, random, preface.length),
  run(input) {
    const options = optionsOf(input);
    const bytes = input.subarray(headBytes);
    const conversation = converse(bytes, options);
    if (options.reads) {
      const whole = converse(bytes, { ...options, chunkBytes: Math.max(1, bytes.length) });
      rule(shown(whole) === shown(conversation), `in chunks: ${shown(conversation)}\nwhole: ${shown(whole)}`);
    }
    const ended = [...conversation.answers.values()].filter((answer) => answer.ended).length;
    return `goaway ${conversation.goaway}${ended > 0 ? ', answered' : ''}`;
  },
};
