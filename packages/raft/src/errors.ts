/**
 * Stable codes of {@link RaftError}; nobody parses the text.
 *
 * | code | what happened |
 * | --- | --- |
 * | `raft/stopped` | the `RaftNode` is stopped |
 * | `raft/aborted` | a waiting proposal was given up by its signal |
 * | `raft/proposal-dropped` | a proposal was not taken: no leader, a transfer, a limit, or forwarding is off |
 * | `raft/step-local-message` | a message that only the node itself may step came from outside |
 * | `raft/step-peer-not-found` | a response came from a node that is not in the configuration |
 * | `raft/invalid-message` | a message is malformed: gaps in its entries, a term or index that is no safe integer, … |
 * | `raft/invalid-config` | options that do not fit together |
 * | `raft/invalid-conf-change` | a configuration change is malformed, or not allowed |
 * | `raft/bootstrap` | bootstrap without peers, or with a log that is not empty |
 * | `raft/compacted` | the entry is older than what the log still holds |
 * | `raft/snapshot-out-of-date` | there is a newer snapshot already |
 * | `raft/unavailable` | the entry is not in the log yet |
 * | `raft/snapshot-temporarily-unavailable` | the snapshot is still being made |
 */
export type RaftErrorCode =
  | 'raft/stopped'
  | 'raft/aborted'
  | 'raft/proposal-dropped'
  | 'raft/step-local-message'
  | 'raft/step-peer-not-found'
  | 'raft/invalid-message'
  | 'raft/invalid-config'
  | 'raft/invalid-conf-change'
  | 'raft/bootstrap'
  | 'raft/compacted'
  | 'raft/snapshot-out-of-date'
  | 'raft/unavailable'
  | 'raft/snapshot-temporarily-unavailable';

/** An operational error: something asked of the library that it can not do, or that did not happen. */
export class RaftError extends Error {
  /** `RaftError`. */
  override readonly name = 'RaftError';
  /** What happened. */
  readonly code: RaftErrorCode;

  /** The message is for people, and may change. */
  constructor(code: RaftErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The proposal was not taken: there is no leader, leadership is being transferred, or a limit is reached. Try again later. */
export const proposalDropped = new RaftError('raft/proposal-dropped', 'raft proposal dropped');
/** A message that only the node itself may step came from outside. */
export const stepLocalMessage = new RaftError('raft/step-local-message', 'raft: cannot step raft local message');
/** A response came from a node that is not in the configuration. */
export const stepPeerNotFound = new RaftError('raft/step-peer-not-found', 'raft: cannot step as peer not found');
/** The asynchronous node is stopped. */
export const nodeStopped = new RaftError('raft/stopped', 'raft: stopped');
/** The entry asked for is older than what the log still holds. A new error each time, since it is thrown. */
export function logCompacted(): RaftError {
  return new RaftError('raft/compacted', 'requested index is unavailable due to compaction');
}

/** The snapshot offered is older than the one there is. */
export function snapshotOutOfDate(): RaftError {
  return new RaftError('raft/snapshot-out-of-date', 'requested index is older than the existing snapshot');
}

/** The entry asked for is not in the log yet. */
export function entryUnavailable(): RaftError {
  return new RaftError('raft/unavailable', 'requested entry at index is unavailable');
}

/** To be thrown by a `Storage` that is still making its snapshot: raft asks again later. */
export function snapshotTemporarilyUnavailable(): RaftError {
  return new RaftError('raft/snapshot-temporarily-unavailable', 'snapshot is temporarily unavailable');
}
