import { DecodeError } from '@quorate/api';
import { CodedError } from '@quorate/base';

/** Bytes from another member that are not what they should be: the connection they came on is given up. */
export type BadMessage = CodedError<'peer/bad-message'>;

export function badMessage(what: string, cause?: unknown): BadMessage {
  return new CodedError('peer/bad-message', what, cause === undefined ? {} : { cause });
}

/** The error of a decoder as ours; anything else, a broken invariant for one, goes through. */
export function asBadMessage(error: unknown): unknown {
  return error instanceof DecodeError ? badMessage(error.message, error) : error;
}
