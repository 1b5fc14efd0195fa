import { allocate } from '@quorate/api';
import { assert, writeUint64BE } from '@quorate/base';
import { draftMessage, type Entry, type Message, MessageType } from '@quorate/raft';
import { asBadMessage, badMessage } from './bad-message.ts';
import { entryLength, readEntry, writeEntry } from './entry-codec.ts';
import { FrameQueue } from './frame-queue.ts';
import { decodeMessage, messageLength, writeMessage } from './message-codec.ts';
import { messageBytesMax } from './message-stream-codec.ts';
import type { StreamDecoder, StreamEncoder } from './stream-codec.ts';

/*
 * The stream of append messages, msgappv2 (peer protocol, 2.2). Integers are u64 big-endian:
 *
 *   heartbeat    00
 *   AppEntries   01   count   (size  Entry)*   commit
 *   MsgApp       02   size  Message
 *
 * Both ends remember the term and the index of the last entry that passed. A message that goes on from there needs only its entries and
 * commit index; any other goes as a whole.
 */

const Kind = { heartbeat: 0, appEntries: 1, msgApp: 2 } as const;

const heartbeatBytes = Uint8Array.of(Kind.heartbeat);

/** Where the stream is: what a record of entries alone goes on from. */
interface Position {
  term: number;
  index: number;
}

function moveBehind(position: Position, message: Message): void {
  position.term = message.term;
  position.index = message.entries.at(-1)?.index ?? message.index;
}

export class MsgAppEncoder implements StreamEncoder {
  private readonly position: Position = { term: 0, index: 0 };

  encode(message: Message): Uint8Array {
    assert(message.type === MessageType.MsgApp, 'only append messages go on the msgapp stream');
    const { position } = this;
    if (position.index === message.index && position.term === message.logTerm && message.logTerm === message.term) {
      position.index += message.entries.length;
      return encodeAppEntries(message.entries, message.commit);
    }
    moveBehind(position, message);
    return encodeMsgApp(message);
  }

  encodeHeartbeat(): Uint8Array {
    return heartbeatBytes;
  }
}

function encodeAppEntries(entries: readonly Entry[], commit: number): Uint8Array {
  let length = 17;
  for (let i = 0; i < entries.length; i++) length += 8 + entryLength(entries[i] as Entry);
  const bytes = allocate(length);
  bytes[0] = Kind.appEntries;
  writeUint64BE(entries.length, bytes, 1);
  let position = 9;
  for (let i = 0; i < entries.length; i++) {
    const end = writeEntry(entries[i] as Entry, bytes, position + 8);
    writeUint64BE(end - position - 8, bytes, position);
    position = end;
  }
  writeUint64BE(commit, bytes, position);
  return bytes;
}

function encodeMsgApp(message: Message): Uint8Array {
  const length = messageLength(message);
  const bytes = allocate(9 + length);
  bytes[0] = Kind.msgApp;
  writeUint64BE(length, bytes, 1);
  writeMessage(message, bytes, 9);
  return bytes;
}

/** What of a record is still to come. */
type Expected =
  | { readonly part: 'kind' }
  | { readonly part: 'message' }
  | { readonly part: 'count' }
  | { readonly part: 'entries'; readonly count: number; readonly entries: Entry[]; bytes: number }
  | { readonly part: 'commit'; readonly entries: readonly Entry[] };

const expectKind: Expected = { part: 'kind' };

export class MsgAppDecoder implements StreamDecoder {
  private readonly from: bigint;
  private readonly to: bigint;
  private readonly queue = new FrameQueue(messageBytesMax);
  private readonly position: Position = { term: 0, index: 0 };
  private expected: Expected = expectKind;

  /** @param from the member at the other end, @param to this one: entries alone come without ids. */
  constructor(from: bigint, to: bigint) {
    this.from = from;
    this.to = to;
  }

  decode(chunk: Uint8Array, onMessage: (message: Message) => void): void {
    this.queue.push(chunk);
    try {
      while (this.goOn(onMessage));
    } catch (error) {
      throw asBadMessage(error);
    }
  }

  /** Reads the next part; false when it is not all there. */
  private goOn(onMessage: (message: Message) => void): boolean {
    const { expected, queue } = this;
    switch (expected.part) {
      case 'kind':
        return this.readKind(queue.takeByte());
      case 'message':
        return this.readMessage(onMessage);
      case 'count': {
        const count = queue.takeUint64();
        if (count < 0) return false;
        this.expected = { part: 'entries', count, entries: [], bytes: 0 };
        return true;
      }
      case 'entries':
        return this.readEntries(expected);
      case 'commit': {
        const commit = queue.takeUint64();
        if (commit < 0) return false;
        this.expected = expectKind;
        onMessage(this.appMessage(expected.entries, commit));
        return true;
      }
      default:
        return expected satisfies never;
    }
  }

  private readKind(kind: number): boolean {
    if (kind < 0) return false;
    if (kind === Kind.appEntries) this.expected = { part: 'count' };
    else if (kind === Kind.msgApp) this.expected = { part: 'message' };
    else if (kind !== Kind.heartbeat) throw badMessage(`record of kind ${kind} on the msgapp stream`);
    return true;
  }

  private readMessage(onMessage: (message: Message) => void): boolean {
    let message: Message | undefined;
    this.queue.takeFrames(1, (bytes, start, end) => {
      message = decodeMessage(bytes, start, end);
    });
    if (message === undefined) return false;
    this.expected = expectKind;
    moveBehind(this.position, message);
    onMessage(message);
    return true;
  }

  private readEntries(expected: Expected & { readonly part: 'entries' }): boolean {
    const { entries, count } = expected;
    this.queue.takeFrames(count - entries.length, (bytes, start, end) => {
      expected.bytes += end - start;
      entries.push(readEntry(bytes, start, end));
    });
    if (expected.bytes > messageBytesMax) throw badMessage(`entries of more than ${messageBytesMax} bytes`);
    if (entries.length < count) return false;
    this.expected = { part: 'commit', entries };
    return true;
  }

  private appMessage(entries: readonly Entry[], commit: number): Message {
    const { term, index } = this.position;
    const message = draftMessage(MessageType.MsgApp, this.to);
    message.from = this.from;
    message.term = term;
    message.logTerm = term;
    message.index = index;
    message.entries = entries;
    message.commit = commit;
    this.position.index = index + entries.length;
    return message;
  }
}
