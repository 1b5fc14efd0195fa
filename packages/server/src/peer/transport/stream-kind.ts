import { MessageStreamDecoder, messageStreamEncoder } from '../codec/message-stream-codec.ts';
import { MsgAppDecoder, MsgAppEncoder } from '../codec/msgapp-codec.ts';
import type { StreamDecoder, StreamEncoder } from '../codec/stream-codec.ts';

/** The two streams in each direction; the last part of their path. */
export type StreamKind = 'msgapp' | 'message';

export function isStreamKind(name: string): name is StreamKind {
  return name === 'msgapp' || name === 'message';
}

/** What etcd's logs call them. */
export function streamName(kind: StreamKind): string {
  return kind === 'msgapp' ? 'stream MsgApp v2' : 'stream Message';
}

export function newEncoder(kind: StreamKind): StreamEncoder {
  return kind === 'msgapp' ? new MsgAppEncoder() : messageStreamEncoder;
}

export function newDecoder(kind: StreamKind, from: bigint, to: bigint): StreamDecoder {
  return kind === 'msgapp' ? new MsgAppDecoder(from, to) : new MessageStreamDecoder();
}
