import type { Message } from '@quorate/raft';

/** Of one connection in one direction. */
export interface StreamEncoder {
  encode(message: Message): Uint8Array;
  /** What keeps the reader from giving up when there is nothing to say. */
  encodeHeartbeat(): Uint8Array;
}

/** Of one connection in one direction. After an error nothing more can be read. */
export interface StreamDecoder {
  /**
   * Takes the next bytes as they come and hands out the messages that are complete with them; heartbeats of the link are swallowed.
   * What messages hold is memory of their own.
   * @throws BadMessage
   */
  decode(chunk: Uint8Array, onMessage: (message: Message) => void): void;
}
