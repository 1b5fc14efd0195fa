import { noMetrics, readUint32BE, silentLogger } from '@quorate/base';
import { createGrpcServer, type HttpRequest, type HttpResponse } from '@quorate/transport';
import { rule } from '../engine/target.ts';
import { CapturedStream, FrameFlag, FrameType, type HeaderField, HpackDecoder, ManualClock, raw } from './inside.ts';

const defaultWindowBytes = 65_535;
/** Longer than any of the server's own waits, of which the longest is for a ping's answer. */
const everMs = 3 * 7_200_000;

export interface ConversationOptions {
  readonly chunkBytes: number;
  /** Whether the client reads what is sent. */
  readonly reads: boolean;
}

/** What came out for one stream. */
interface Answer {
  headers: string;
  dataBytes: number;
  data: string;
  ended: boolean;
  reset: number;
}

export interface Conversation {
  readonly answers: ReadonlyMap<number, Answer>;
  /** -1 without one. */
  readonly goaway: number;
  readonly closed: boolean;
}

/** Feeds all to a server and checks what comes out by the rules that hold whatever a client sends. */
export function converse(bytes: Uint8Array, { chunkBytes, reads }: ConversationOptions): Conversation {
  const clock = new ManualClock();
  const server = createGrpcServer(
    { clock, logger: silentLogger, metrics: noMetrics },
    { limits: { messageBytesMax: 8192, headerListBytesMax: 4096, unfinishedBytesMax: 64 * 1024, streamsMax: 20 } },
  );
  server.registerUnary('/t.T/Echo', (call, message) => call.reply(message, 0, message.length));
  server.registerUnary('/t.T/Fail', (call) => call.fail(5, 'not there'));
  server.registerStream('/t.T/Stream', (call) => {
    call.onMessage((message) => call.write(message));
    call.onEnd(() => call.end());
  });
  const stream = new CapturedStream(clock);
  stream.drains = reads;
  server.accept(stream, answerPlainly);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    // As from a socket: the memory is another's when the call is over.
    const chunk = bytes.slice(at, at + chunkBytes);
    stream.feed(chunk);
    chunk.fill(0xee);
    if (chunkBytes > 1) clock.settle();
  }
  clock.settle();
  const frames = raw.parseFrames(stream.takeOutput());
  const conversation = { ...checkOutput(frames, bytes), closed: stream.closed };
  rule(conversation.goaway <= 0 || stream.closed || !reads, 'a connection goes on behind its error');
  stream.close();
  clock.advance(everMs);
  rule(server.connectionCount === 0, 'a connection that is gone is kept');
  rule(clock.timerCount === 0, 'timers go on when all is over');
  return conversation;
}

function answerPlainly(request: HttpRequest, response: HttpResponse): void {
  let bytes = 0;
  request.onData((chunk) => {
    bytes += chunk.length;
  });
  request.onEnd(() => response.send(200, [['content-type', 'text/plain']], new Uint8Array(bytes)));
}

function checkOutput(frames: readonly raw.RawFrame[], input: Uint8Array): Omit<Conversation, 'closed'> {
  const answers = new Map<number, Answer>();
  const decoder = new HpackDecoder(4096, 1_000_000);
  let goaway = -1;
  for (const { type, flags, streamId, payload } of frames) {
    rule(goaway <= 0, 'a frame behind the GOAWAY of an error');
    rule(payload.length <= 16_384, 'a frame larger than the peer takes');
    if (type === FrameType.goaway) goaway = readUint32BE(payload, 4);
    if (streamId === 0) {
      const ofConnection = [FrameType.settings, FrameType.ping, FrameType.goaway, FrameType.windowUpdate] as number[];
      rule(ofConnection.includes(type), `a frame of type ${type} on stream 0`);
      continue;
    }
    // A priority of a wrong size is a stream's error, whatever the stream.
    rule(streamId % 2 === 1 || type === FrameType.rstStream, 'a stream that no client opens');
    let answer = answers.get(streamId);
    if (answer === undefined) {
      answer = { headers: '', dataBytes: 0, data: '', ended: false, reset: -1 };
      answers.set(streamId, answer);
    }
    // Each frame that comes on a closed stream may be answered by a reset.
    rule(answer.reset < 0 || type === FrameType.rstStream, 'a frame behind the reset of its stream');
    take(answer, type, flags, payload, decoder);
  }
  checkWindows(answers, input);
  return { answers, goaway };
}

function take(answer: Answer, type: number, flags: number, payload: Uint8Array, decoder: HpackDecoder): void {
  switch (type) {
    case FrameType.rstStream:
      answer.reset = readUint32BE(payload, 0);
      return;
    case FrameType.windowUpdate:
      rule(readUint32BE(payload, 0) > 0, 'a window update of nothing');
      return;
    case FrameType.headers: {
      rule(!answer.ended, 'headers behind the end of a stream');
      rule((flags & FrameFlag.endHeaders) !== 0, 'headers that go on');
      const fields: HeaderField[] = [];
      const count = decoder.decode(payload, 0, payload.length, fields);
      rule(count >= 0, 'headers that cannot be decoded');
      answer.headers += fields
        .slice(0, count)
        .map(({ name, value }) => `${name}: ${value}\n`)
        .join('');
      break;
    }
    case FrameType.data:
      rule(!answer.ended && answer.headers !== '', 'data without headers or behind the end');
      answer.dataBytes += payload.length;
      answer.data += Buffer.from(payload).toString('latin1');
      break;
    default:
      rule(false, `a frame of type ${type} on a stream`);
  }
  answer.ended = (flags & FrameFlag.endStream) !== 0;
}

/** The client's frames, as far as they are whole. */
export function framesOf(bytes: Uint8Array): raw.RawFrame[] {
  const frames: raw.RawFrame[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const end = at + 9 + (readUint32BE(bytes, at) >>> 8);
    if (end > bytes.length) break;
    const streamId = readUint32BE(bytes, at + 5) & 0x7fff_ffff;
    frames.push({
      type: bytes[at + 3] as number,
      flags: bytes[at + 4] as number,
      streamId,
      payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return frames;
}

/** No more data than the client ever allowed, by the most generous reading of what it sent. */
function checkWindows(answers: ReadonlyMap<number, Answer>, input: Uint8Array): void {
  let connection = defaultWindowBytes;
  let initial = defaultWindowBytes;
  const updates = new Map<number, number>();
  for (const { type, streamId, payload } of framesOf(input.subarray(raw.clientPreface().length - 9))) {
    if (type === FrameType.settings) {
      for (let at = 0; at + 6 <= payload.length; at += 6) {
        if (payload[at] === 0 && payload[at + 1] === 4) initial = Math.max(initial, readUint32BE(payload, at + 2));
      }
    } else if (type === FrameType.windowUpdate && payload.length === 4) {
      const more = readUint32BE(payload, 0) & 0x7fff_ffff;
      if (streamId === 0) connection += more;
      else updates.set(streamId, (updates.get(streamId) ?? 0) + more);
    }
  }
  let sent = 0;
  for (const [streamId, { dataBytes }] of answers) {
    sent += dataBytes;
    rule(dataBytes <= initial + (updates.get(streamId) ?? 0), `more data on stream ${streamId} than allowed`);
  }
  rule(sent <= connection, 'more data on the connection than allowed');
}
