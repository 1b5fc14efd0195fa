import { DecodeError, raftpb } from '@quorate/api';
import { CodedError, concatBytes, copyBytes, equalBytes, nextBelow } from '@quorate/base';
import { type Message, MessageType } from '@quorate/raft';
import { codeOf, rule, type Target } from '../engine/target.ts';
import {
  decodeMessage,
  encodeMessage,
  MessageStreamDecoder,
  MsgAppDecoder,
  MsgAppEncoder,
  messageStreamEncoder,
  randomAppends,
  randomRaftMessage,
  type StreamDecoder,
} from './inside.ts';

const from = 0x2737_ecedn;
const to = 0x4036_b1dbn;
const isTyped = (error: unknown): boolean => error instanceof CodedError && error.code === 'peer/bad-message';

/** The first byte chooses the stream's form, 0 and 1, or one message alone. */
const forms = 3;

interface Decoded {
  readonly messages: Message[];
  readonly code: string;
}

function decodeInChunks(decoder: StreamDecoder, bytes: Uint8Array, chunkBytes: number): Decoded {
  const messages: Message[] = [];
  try {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      decoder.decode(copyBytes(bytes, at, Math.min(bytes.length, at + chunkBytes)), (message) =>
        messages.push(message),
      );
    }
  } catch (error) {
    return { messages, code: codeOf(error, isTyped) };
  }
  return { messages, code: 'ok' };
}

/** Types that later versions may bring are read, and never written. */
function isKnown({ type }: Message): boolean {
  return type >= 0 && type <= MessageType.MsgForgetLeader;
}

function sameMessage(a: Message, b: Message): boolean {
  return a.type === b.type && (!isKnown(a) || equalBytes(encodeMessage(a), encodeMessage(b)));
}

/** However the bytes are cut, the same messages come out; they survive being written and read. */
function checkStream(makeDecoder: () => StreamDecoder, bytes: Uint8Array): string {
  const whole = decodeInChunks(makeDecoder(), bytes, Math.max(1, bytes.length));
  for (const chunkBytes of [1, 7, 64]) {
    const cut = decodeInChunks(makeDecoder(), bytes, chunkBytes);
    rule(cut.code === whole.code, `in chunks of ${chunkBytes}: ${cut.code}, whole: ${whole.code}`);
    // A frame that is too long ends the stream before others of its chunk are handed out; nobody misses them.
    const missing = cut.messages.length - whole.messages.length;
    rule(missing === 0 || (missing > 0 && whole.code !== 'ok'), `in chunks of ${chunkBytes}: ${missing} more messages`);
    for (const [i, message] of whole.messages.entries()) {
      rule(sameMessage(message, cut.messages[i] as Message), 'another message in chunks');
    }
  }
  for (const message of whole.messages.filter(isKnown)) {
    rule(sameMessage(decodeMessage(encodeMessage(message)), message), 'another message after writing and reading it');
  }
  return `${whole.code} ${Math.min(whole.messages.length, 3)}`;
}

/** What we read, the generated codec of the API reads too, to the same values. */
function checkMessage(bytes: Uint8Array): string {
  let message: Message;
  try {
    message = decodeMessage(bytes);
  } catch (error) {
    return `message: ${codeOf(error, isTyped)}`;
  }
  if (!isKnown(message)) return 'message: later type';
  const encoded = encodeMessage(message);
  let theirs: raftpb.Message;
  try {
    theirs = raftpb.Message.decode(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    rule(false, `read what the generated codec refuses: ${error.message}`);
  }
  const again = raftpb.Message.decode(encoded);
  for (const name of ['type', 'to', 'from', 'term', 'logTerm', 'index', 'commit', 'reject', 'rejectHint'] as const) {
    rule(theirs[name] === again[name], `another ${name} than the generated codec`);
  }
  rule(theirs.entries.length === again.entries.length, 'another number of entries');
  rule(equalBytes(theirs.context ?? new Uint8Array(0), again.context ?? new Uint8Array(0)), 'another context');
  return `message: ok${message.type === MessageType.MsgSnap ? ' snap' : ''}`;
}

export const peerTarget: Target = {
  name: 'peer',
  watches: ['/server/dist/peer/codec/'],
  inputBytesMax: 16 * 1024,
  testRuns: 4000,
  async seeds(random) {
    const seeds: Uint8Array[] = [];
    for (let i = 0; i < 8; i++) {
      const encoder = new MsgAppEncoder();
      const appends = randomAppends(random, from, to, 1 + nextBelow(random, 6));
      seeds.push(concatBytes([Uint8Array.of(0), ...appends.map((message) => encoder.encode(message))]));
      const others = Array.from({ length: 1 + nextBelow(random, 4) }, () => randomRaftMessage(random));
      const frames = others.map((message) => messageStreamEncoder.encode(message));
      seeds.push(concatBytes([Uint8Array.of(1), messageStreamEncoder.encodeHeartbeat(), ...frames]));
    }
    for (let type = 0; type < 24; type++) {
      seeds.push(concatBytes([Uint8Array.of(2), encodeMessage(randomRaftMessage(random, type as MessageType))]));
    }
    return seeds;
  },
  run(input) {
    const bytes = input.subarray(1);
    switch ((input[0] ?? 0) % forms) {
      case 0:
        return checkStream(() => new MsgAppDecoder(from, to), bytes);
      case 1:
        return checkStream(() => new MessageStreamDecoder(), bytes);
      default:
        return checkMessage(bytes);
    }
  },
};
