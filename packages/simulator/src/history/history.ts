import type { etcdserverpb } from '@quorate/api';

/** A request of the key-value service, decoded. */
export type KeyValueRequest =
  | { readonly method: 'put'; readonly message: etcdserverpb.PutRequest }
  | { readonly method: 'range'; readonly message: etcdserverpb.RangeRequest }
  | { readonly method: 'delete'; readonly message: etcdserverpb.DeleteRangeRequest }
  | { readonly method: 'txn'; readonly message: etcdserverpb.TxnRequest }
  | { readonly method: 'compact'; readonly message: etcdserverpb.CompactionRequest };

export type KeyValueResponse =
  | { readonly method: 'put'; readonly message: etcdserverpb.PutResponse }
  | { readonly method: 'range'; readonly message: etcdserverpb.RangeResponse }
  | { readonly method: 'delete'; readonly message: etcdserverpb.DeleteRangeResponse }
  | { readonly method: 'txn'; readonly message: etcdserverpb.TxnResponse }
  | { readonly method: 'compact'; readonly message: etcdserverpb.CompactionResponse };

/**
 * What a client learned of a call. `refused`: the member answered that it was not done (bad request, compacted, future revision, no
 * space, permission); `unknown`: anything else, so it may have been done, at any time from its beginning on, or never.
 */
export type Outcome =
  | { readonly kind: 'ok'; readonly response: KeyValueResponse }
  | { readonly kind: 'refused'; readonly code: number; readonly text: string }
  | { readonly kind: 'unknown'; readonly code: number; readonly text: string };

/** A call of one client, which has one call under way at a time. Times are the world's, in milliseconds. */
export interface Operation {
  readonly id: number;
  readonly client: number;
  /** Name of the member that was asked, with the number of its life: what a member told, it may not know after a crash. */
  readonly member: string;
  readonly request: KeyValueRequest;
  readonly invokedMs: number;
  /** When the client had the answer; Infinity for an unknown outcome. */
  readonly returnedMs: number;
  readonly outcome: Outcome;
}

/** A watch from its creation to its end, on one stream to one member. */
export interface WatchRecord {
  readonly id: number;
  readonly client: number;
  readonly member: string;
  readonly request: etcdserverpb.WatchCreateRequest;
  readonly invokedMs: number;
  /** All answers in the order of their arrival, the one that says created first. */
  readonly responses: readonly { readonly atMs: number; readonly message: etcdserverpb.WatchResponse }[];
  /** The stream was alive, to a member that keeps up, when the run ended: nothing up to this revision may be missing. 0 for all others. */
  readonly completeTo: number;
}

/** A lease as its holder saw it. Times are the world's, in milliseconds. */
export interface LeaseRecord {
  readonly id: bigint;
  readonly client: number;
  /** As granted. */
  readonly ttlSeconds: number;
  /** The grant and each renewal that was answered with a time to live: when it was sent, and how it was answered. */
  readonly renewals: readonly { readonly sentMs: number; readonly answeredMs: number; readonly ttlSeconds: number }[];
  /** When a renewal was answered with no time to live, each time. */
  readonly losses: readonly { readonly sentMs: number; readonly answeredMs: number }[];
  /** When the holder asked for its revocation; undefined if it never did. */
  readonly revokedMs: number | undefined;
}

/** A write that was made under a lock or as an elected leader. */
export interface GuardedWrite {
  readonly what: 'lock' | 'election';
  readonly client: number;
  /** The fencing token: the create revision of the holder's key. */
  readonly token: number;
  /** Of the write. */
  readonly revision: number;
}

/** A change of what the guest may, from its first try to its success; Infinity while there was none. */
export interface PermissionChange {
  readonly isAllowed: boolean;
  readonly invokedMs: number;
  readonly returnedMs: number;
}

/** A put or a linearizable get of the guest that was done or denied. */
export interface GuestOperation {
  readonly what: 'put' | 'get';
  readonly member: string;
  readonly isDenied: boolean;
  readonly invokedMs: number;
  readonly returnedMs: number;
}

/** The copy that a client keeps of the keys under a prefix, at a revision: the last modification of each. */
export interface MirrorView {
  readonly client: number;
  readonly revision: number;
  readonly keys: ReadonlyMap<string, number>;
}

/** An entry of the replicated log as a member applied it. Data is the entry's: a raftpb entry's `data`, an InternalRaftRequest. */
export interface AppliedEntry {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

export interface TimedEntry extends AppliedEntry {
  /** When the first member applied it. */
  readonly appliedMs: number;
  /** Whether nothing came of it but an error. */
  readonly isRefused?: boolean;
}

/** What clients of keys and watches saw. */
export interface History {
  readonly operations: readonly Operation[];
  readonly watches: readonly WatchRecord[];
  /** Of the keys that clients of the key-value service write. */
  readonly mirrors?: readonly MirrorView[];
  /** The log as applied, ascending by index without gaps from the first entry on; on which all members were found to agree. */
  readonly log: readonly AppliedEntry[];
}

/** What a checker found: one line that says what is wrong, with the numbers to look for in a trace. */
export interface Violation {
  readonly checker: string;
  readonly text: string;
}
