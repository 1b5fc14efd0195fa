import { CodedError } from '@quorate/base';

/**
 * `invalid`: no meta page validates; `version` and `checksum`: why it does not; `corrupt`: a page that cannot be; `timeout`: the file stayed
 * locked; `failed`: an earlier write or sync failed, nothing is known about the file and it must be opened anew; `incompatible`: a
 * bucket where a value is, or the other way round.
 */
export type BboltErrorCode =
  | 'bbolt/invalid'
  | 'bbolt/version'
  | 'bbolt/checksum'
  | 'bbolt/corrupt'
  | 'bbolt/timeout'
  | 'bbolt/failed'
  | 'bbolt/closed'
  | 'bbolt/read-only'
  | 'bbolt/transaction-over'
  | 'bbolt/transaction-open'
  | 'bbolt/bucket-not-found'
  | 'bbolt/bucket-exists'
  | 'bbolt/incompatible'
  | 'bbolt/key-required'
  | 'bbolt/key-too-large'
  | 'bbolt/value-too-large';

export function bboltError(code: BboltErrorCode, message: string, cause?: unknown): CodedError<BboltErrorCode> {
  return new CodedError(code, message, cause === undefined ? {} : { cause });
}
