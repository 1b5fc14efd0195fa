/**
 * What the store, the watch hub and the lessor know of each other. Keys travel as latin1 strings (one character a byte,
 * see `@quorate/base` bytes): they compare in byte order, hash fast and cost little memory.
 */

export const EventType = { put: 0, delete: 1 } as const;
export type EventType = (typeof EventType)[keyof typeof EventType];

/** One change of one key, made by a write transaction. */
export interface StoreEvent {
  readonly type: EventType;
  readonly key: string;
  /** An encoded mvccpb.KeyValue as a client sees it (of a delete: key and mod_revision only). Owned by the store; never changes. */
  readonly keyValue: Uint8Array;
  /** True when the put made the key anew: it has no previous key-value. */
  readonly isCreate: boolean;
}

/** Told once a write transaction, synchronously, after all its changes are readable. */
export interface ChangeSink {
  /** False while nobody watches: then the store makes no events and does not call {@link changed}. */
  readonly hasWatchers?: boolean;
  changed(revision: number, events: readonly StoreEvent[]): void;
  /** History below `revision` is no longer readable. */
  compacted(revision: number): void;
}

/** The past, for watchers that catch up and for previous values. */
export interface History {
  /** Revision of the last write transaction; 1 in an empty store. */
  readonly currentRevision: number;
  /** Reads below it fail; -1 before the first compaction. */
  readonly compactRevision: number;
  /**
   * Visits changes with `from <= revision <= to` in (revision, sub) order until `visit` returns false.
   * The caller bounds the slice with its visitor.
   */
  readChanges(from: number, to: number, visit: (revision: number, event: StoreEvent) => boolean): void;
  /** The encoded KeyValue of `key` as of `revision`; undefined when it did not exist or that is compacted. */
  keyValueAt(key: string, revision: number): Uint8Array | undefined;
}

/** Which keys hang on which lease; driven by the store while it applies. */
export interface LeaseAttachments {
  has(lease: bigint): boolean;
  attach(lease: bigint, key: string): void;
  detach(lease: bigint, key: string): void;
}
