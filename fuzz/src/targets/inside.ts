/** Parts that their packages keep to themselves: a fuzzer has to get at a decoder alone, nothing else outside its package has to. */
export { randomMessage, TestRandom } from '../../../packages/api/dist/testing/random-message.js';
export { decodeMessage, encodeMessage } from '../../../packages/server/dist/peer/codec/message-codec.js';
export {
  MessageStreamDecoder,
  messageStreamEncoder,
} from '../../../packages/server/dist/peer/codec/message-stream-codec.js';
export { MsgAppDecoder, MsgAppEncoder } from '../../../packages/server/dist/peer/codec/msgapp-codec.js';
export type { StreamDecoder } from '../../../packages/server/dist/peer/codec/stream-codec.js';
export { randomAppends, randomRaftMessage } from '../../../packages/server/dist/peer/testing/random-raft-message.js';
export { MessageReader, ReadResult } from '../../../packages/transport/dist/grpc/message-reader.js';
export type { HeaderField } from '../../../packages/transport/dist/hpack/header-field.js';
export { HpackDecoder } from '../../../packages/transport/dist/hpack/hpack-decoder.js';
export {
  HpackEncoder,
  writeHpackInteger,
  writeHpackText,
} from '../../../packages/transport/dist/hpack/hpack-encoder.js';
export { FrameFlag, FrameType } from '../../../packages/transport/dist/http2/constants.js';
export { CapturedStream } from '../../../packages/transport/dist/testing/captured-stream.js';
export { ManualClock } from '../../../packages/transport/dist/testing/manual-clock.js';
export * as raw from '../../../packages/transport/dist/testing/raw-frames.js';
