import { allocate } from '@quorate/api';
import { writeUint64BE } from '@quorate/base';
import { draftMessage, type Message, MessageType } from '@quorate/raft';
import { asBadMessage } from './bad-message.ts';
import { FrameQueue } from './frame-queue.ts';
import { decodeMessage, messageLength, writeMessage } from './message-codec.ts';
import type { StreamDecoder, StreamEncoder } from './stream-codec.ts';

/*
 * The stream of all messages (peer protocol, 2.3)
 *
 *   size u64 big-endian   Message
 *
 * A heartbeat from nobody to nobody only says that the link is alive.
 */

/** What etcd takes at most. */
export const messageBytesMax = 512 * 1024 * 1024;

const linkHeartbeat: Message = draftMessage(MessageType.MsgHeartbeat, 0n);

export function isLinkHeartbeat(message: Message): boolean {
  return message.type === MessageType.MsgHeartbeat && message.from === 0n && message.to === 0n;
}

/** A message with its size in front, as it also begins the body of a snapshot. */
export function encodeSizedMessage(message: Message): Uint8Array {
  const length = messageLength(message);
  const bytes = allocate(8 + length);
  writeUint64BE(length, bytes, 0);
  writeMessage(message, bytes, 8);
  return bytes;
}

const linkHeartbeatBytes = encodeSizedMessage(linkHeartbeat);

/** Has no state, so that all connections share it. */
export const messageStreamEncoder: StreamEncoder = {
  encode: encodeSizedMessage,
  encodeHeartbeat: () => linkHeartbeatBytes,
};

export class MessageStreamDecoder implements StreamDecoder {
  private readonly queue = new FrameQueue(messageBytesMax);

  decode(chunk: Uint8Array, onMessage: (message: Message) => void): void {
    this.queue.push(chunk);
    try {
      this.queue.takeFrames(Number.POSITIVE_INFINITY, (bytes, start, end) => {
        const message = decodeMessage(bytes, start, end);
        if (!isLinkHeartbeat(message)) onMessage(message);
      });
    } catch (error) {
      throw asBadMessage(error);
    }
  }
}
