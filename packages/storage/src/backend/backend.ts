import type { PlainBucketId } from './bucket-id.ts';

/**
 * Told pairs in ascending key order; `false` ends the walk. The bytes never change and stay valid for ever, but a value may
 * be a view that keeps a page of some KiB alive: copy what is kept for long. The visitor must not write to the backend.
 */
export type PairVisitor = (key: Uint8Array, value: Uint8Array) => boolean | undefined;

/** Told records of bucket `key` in ascending (main, sub) order, under the rules of {@link PairVisitor}. */
export type RevisionVisitor = (main: number, sub: number, tombstone: boolean, value: Uint8Array) => boolean | undefined;

/** What can be read. Everything is synchronous. */
export interface BackendReader {
  get(bucket: PlainBucketId, key: Uint8Array): Uint8Array | undefined;

  /** Visits at most `limit` pairs with `start <= key < end` (no upper bound when `end` is undefined). */
  range(bucket: PlainBucketId, start: Uint8Array, end: Uint8Array | undefined, limit: number, visit: PairVisitor): void;

  /** The record at exactly this revision and kind. */
  getRevision(main: number, sub: number, tombstone?: boolean): Uint8Array | undefined;

  /** Visits records from (fromMain, fromSub) on, up to but without revision `toMain`. The caller bounds the slice with its visitor. */
  rangeRevisions(fromMain: number, fromSub: number, toMain: number, visit: RevisionVisitor): void;

  /**
   * {@link rangeRevisions} for a walk over much of the bucket, which leaves the page cache alone: a value is valid only during the visit.
   */
  scanRevisions(fromMain: number, fromSub: number, toMain: number, visit: RevisionVisitor): void;
}

/** Committed content as of one moment; later writes do not show. Holds back the reuse of pages until closed. */
export interface BackendView extends BackendReader {
  /** Of the content shown; 0 when there is none. */
  readonly consistentIndex: number;
  readonly consistentTerm: number;
  close(): void;
}

/** A database image as of one moment: a complete bbolt file. */
export interface BackendSnapshot {
  /** Bytes of the whole image. */
  readonly sizeBytes: number;
  /** The entry up to which the image holds everything: at least that of the moment it was asked for. */
  readonly consistentIndex: number;
  readonly consistentTerm: number;
  /** The image from its beginning, once; each chunk belongs to the receiver. Read in slices, off the event loop. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Lets its pages be reused; also needed after the last chunk. Closing twice is fine. */
  close(): void;
}

export type BackendErrorCode = 'backend/closed' | 'backend/failed' | 'backend/corrupt' | 'backend/not-a-store';

/**
 * The store's file: writes gather in memory and are committed together, off the way of requests; reads see them at once.
 * After a failed commit it is dead: `onFatal` was told, every waiting promise rejects, writes throw `backend/failed`.
 */
export interface Backend extends BackendReader {
  /** Into the current batch; takes ownership of both. Keys are 1 to 32768 bytes. */
  put(bucket: PlainBucketId, key: Uint8Array, value: Uint8Array): void;
  /** A missing key is fine. The key is not kept. */
  delete(bucket: PlainBucketId, key: Uint8Array): void;

  /** Writes a record of bucket `key`; takes ownership of `value`. Cheapest when revisions ascend. */
  putRevision(main: number, sub: number, tombstone: boolean, value: Uint8Array): void;
  /** A missing record is fine. */
  deleteRevision(main: number, sub: number, tombstone: boolean): void;

  /**
   * Says that everything written so far is the effect of entries up to `index` (of `term`; 0 leaves the term out). Written in the
   * transaction that commits those writes, with the values as of the moment its batch was closed. An entry's writes and this call must be
   * one synchronous stretch: batches are closed by {@link commit} and between turns of the event loop. Shown by
   * {@link consistentIndex}; reads of bucket `meta` show the committed one. An index of 0 is never written.
   */
  setConsistentIndex(index: number, term: number): void;
  /** As last set; of the file until then (0 when it has none). */
  readonly consistentIndex: number;
  readonly consistentTerm: number;

  /** Makes everything written before the call durable. */
  commit(): Promise<void>;

  /** Bytes written and not yet committed, with an allowance for each operation. */
  pendingBytes(): number;
  /**
   * Resolves once the pending bytes are at or below the bound (`pendingBytesMax`); the caller holds back work until then.
   * Undefined when they are so already, so that the usual case costs nothing.
   */
  whenBelow(): Promise<void> | undefined;

  /** Logical size of the file in bytes (etcd's `dbSize`). */
  size(): number;
  /** {@link size} without free pages (etcd's `dbSizeInUse`). */
  sizeInUse(): number;

  /** CRC-32C over all committed buckets without `consistent_index`, `term` and `storageVersion` of `meta`. Commits first; works in slices. */
  hash(): Promise<number>;
  /** Commits first, then fixes that moment. */
  openView(): Promise<BackendView>;
  /** Commits first, then fixes that moment. */
  snapshot(): Promise<BackendSnapshot>;
  /** Rewrites the file without its free pages. Reads and writes go on meanwhile; only commits wait. */
  defragment(): Promise<void>;

  /**
   * Before another database gets the name of the file. A defragmentation would take the name back: the one under way is over when this
   * resolves, and others are refused.
   */
  retire(): Promise<void>;

  /**
   * Commits nothing any more, for a member that has to stop in the middle of an entry: what is half applied must not become durable. Writes
   * throw from here on; {@link close} then only closes.
   */
  abandon(): void;

  /** Commits what is pending and closes the file; reads and writes then throw `backend/closed`. */
  close(): Promise<void>;
}

/** When batches are committed without being asked, and how much may wait. */
export interface BatchOptions {
  /** Milliseconds after the first write of a batch; 100 as etcd's. */
  readonly batchIntervalMs?: number;
  /** Operations in a batch that start its commit at once; 10000 as etcd's. */
  readonly batchLimit?: number;
  /** See {@link Backend.whenBelow}; 64 MiB. */
  readonly pendingBytesMax?: number;
}
