import type { Entry } from './entry.ts';
import type { Message } from './message.ts';
import type { HardState, ReadState, Snapshot, SoftState } from './state.ts';

/**
 * What is to be done now, as `RawNode.ready` returns it. All arrays and objects are the receiver's to read as long as it
 * likes, and nobody's to change.
 *
 * Without asynchronous storage writes, in this order: store `snapshot`, `entries` and `hardState` (durably if `mustSync`),
 * send `messages` (a leader may send them before it stored), apply `snapshot` and `committedEntries`, call `advance`.
 */
export interface Ready {
  /** When it changed: leader and role. Not to be stored. */
  readonly softState: SoftState | undefined;
  /** When it changed: to be stored before messages go out. */
  readonly hardState: HardState | undefined;
  /** Reads that may be answered once their index is applied. */
  readonly readStates: readonly ReadState[];
  /** To be stored before messages go out; they replace what is stored from the index of the first on. */
  readonly entries: readonly Entry[];
  /** To be stored before messages go out, in place of the whole log, and to be applied. */
  readonly snapshot: Snapshot | undefined;
  /** To be applied; all stored before, or among `entries`. */
  readonly committedEntries: readonly Entry[];
  /** To be sent after all the above is stored; with asynchronous storage writes at once, to local threads too. */
  readonly messages: readonly Message[];
  /** `hardState` or `entries` must be durable before going on; else a later flush will do. */
  readonly mustSync: boolean;
}
