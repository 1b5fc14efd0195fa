import { CodedError } from '@quorate/base';

/**
 * - `wal/not-found`: no segment there, or none that reaches back to the snapshot.
 * - `wal/unexpected-eof`: the log ends in the middle of a record, as a crash leaves it: repair cuts it there.
 * - `wal/crc-mismatch`, `wal/corrupt`: what was written is not what is read. Never repaired.
 * - `wal/metadata-conflict`, `wal/snapshot-mismatch`, `wal/snapshot-not-found`, `wal/slice-out-of-range`: the records do not fit together.
 * - `wal/locked`: another process has the segment open for writing.
 * - `wal/record-too-large`: an entry that readers would refuse; nothing was appended.
 * - `wal/failed`: a write or sync failed before; the log takes nothing any more.
 * - `wal/closed`.
 */
export type WalErrorCode =
  | 'wal/not-found'
  | 'wal/unexpected-eof'
  | 'wal/crc-mismatch'
  | 'wal/corrupt'
  | 'wal/metadata-conflict'
  | 'wal/snapshot-mismatch'
  | 'wal/snapshot-not-found'
  | 'wal/slice-out-of-range'
  | 'wal/locked'
  | 'wal/record-too-large'
  | 'wal/failed'
  | 'wal/closed';

/** Where a record that cannot be read begins. */
export interface WalErrorData {
  readonly file: string;
  readonly position: number;
}

export type WalError = CodedError<WalErrorCode, WalErrorData>;

export function walError(
  code: WalErrorCode,
  message: string,
  options: { data?: WalErrorData; cause?: unknown } = {},
): WalError {
  return new CodedError(code, message, options);
}
