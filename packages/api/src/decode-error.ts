/**
 * - `truncated`: a field or a varint reaches beyond the end.
 * - `varint-overflow`: a varint of more than 64 bits.
 * - `out-of-range`: a 64-bit integer that is no safe integer, in a field kept as `number` that does not saturate.
 * - `invalid-tag`: field number 0 or above 2^29-1, a reserved wire type, or a group that does not match.
 * - `invalid-utf8`: a proto3 string that is not UTF-8.
 * - `too-deep`: messages or groups nested beyond the limit, or messages that come twice within others that do.
 */
export type DecodeErrorCode =
  | 'truncated'
  | 'varint-overflow'
  | 'out-of-range'
  | 'invalid-tag'
  | 'invalid-utf8'
  | 'too-deep';

/** Bytes from outside that are not the message they should be. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code: DecodeErrorCode;
  /** Where in the given bytes; near it when duplicates of a field had to be merged first. */
  readonly offset: number;
  /** Full name of the message whose `decode` was called; empty when a reader was called directly. */
  readonly messageType: string;

  constructor(code: DecodeErrorCode, offset: number, messageType = '') {
    super(`${messageType === '' ? 'message' : messageType}: ${code} at byte ${offset}`);
    this.code = code;
    this.offset = offset;
    this.messageType = messageType;
  }
}

/** Gives a {@link DecodeError} its message type; anything else comes back as it is. */
export function inMessage(error: unknown, messageType: string): unknown {
  return error instanceof DecodeError ? new DecodeError(error.code, error.offset, messageType) : error;
}
