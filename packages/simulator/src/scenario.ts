import type { CrashMode } from '@quorate/base';
import type { DiskSpeed } from './disk/machine-disk.ts';
import type { CutKind, NetworkQuality } from './network/network.ts';

/** What a member tells another: that it has its vote, or, to one that is up, that a snapshot is about to come. */
export type Moment = 'vote' | 'snapshot';

/** When a fault begins. */
interface Timing {
  /** After the work. */
  readonly atMs: number;
  /** The next time after that that somebody sends such a message. */
  readonly when?: Moment;
  /** After that moment. */
  readonly afterMs?: number;
}

/** Machines are named by their place, from 0. */
export type Fault = Timing &
  /** Of a way in one direction. What comes late may come later still by `lateMs`. */
  (
    | {
        readonly kind: 'cut';
        readonly from: number;
        readonly to: number;
        readonly how: CutKind;
        readonly forMs: number;
        readonly lateMs?: number;
      }
    /** Between these and all others, both ways. */
    | {
        readonly kind: 'partition';
        readonly machines: readonly number[];
        readonly how: CutKind;
        readonly forMs: number;
      }
    /** Of whoever leads, from all other machines; its clients still reach it. It may be deaf at first, and then mute as well. */
    | { readonly kind: 'isolate-leader'; readonly how: CutKind; readonly forMs: number; readonly deafMs?: number }
    /** Between clients and a machine. */
    | { readonly kind: 'clients-cut'; readonly machine: number; readonly how: CutKind; readonly forMs: number }
    | { readonly kind: 'crash'; readonly machine: number; readonly mode: CrashMode; readonly downMs: number }
    /** In the middle of that operation of its disk, counted from now, or from the first on a file whose path ends with `after`. */
    | {
        readonly kind: 'crash-at';
        readonly machine: number;
        readonly operations: number;
        readonly after?: string;
        readonly mode: CrashMode;
        readonly downMs: number;
      }
    /** When so many more messages have left it, to other machines or to clients. */
    | {
        readonly kind: 'crash-at-send';
        readonly machine: number;
        readonly messages: number;
        readonly mode: CrashMode;
        readonly downMs: number;
      }
    | { readonly kind: 'crash-all'; readonly mode: CrashMode; readonly downMs: number }
    /** The next sync, write or read fails. */
    | {
        readonly kind: 'disk-error';
        readonly machine: number;
        readonly operation: 'datasync' | 'sync' | 'write' | 'read';
      }
    | { readonly kind: 'disk-full'; readonly machine: number; readonly forMs: number }
    | { readonly kind: 'disk-stall'; readonly machine: number; readonly forMs: number }
    /** Of whoever leads then. */
    | { readonly kind: 'stall-leader'; readonly forMs: number }
    /** Files whose path ends with `of` alone, as if they were on a disk of their own. */
    | {
        readonly kind: 'disk-slow';
        readonly machine: number;
        readonly times: number;
        readonly forMs: number;
        readonly of?: string;
      }
    | { readonly kind: 'hold'; readonly machine: number; readonly forMs: number }
    /** Of whoever leads. */
    | { readonly kind: 'hold-leader'; readonly forMs: number }
    | { readonly kind: 'clock-jump'; readonly machine: number; readonly ms: number }
    | { readonly kind: 'move-leader'; readonly to: number }
    | { readonly kind: 'defragment'; readonly machine: number }
    /** So many revisions before the newest that a member knows. */
    | { readonly kind: 'compact'; readonly machine: number; readonly revisionsBack: number }
    /** The guest may do more or less from then on. */
    | { readonly kind: 'permission'; readonly isAllowed: boolean }
    /** By the stream of a member, whose reader takes such a rest. */
    | { readonly kind: 'save-snapshot'; readonly machine: number; readonly restMs: number }
    /** All members that have a revision must have the same hash of it. */
    | { readonly kind: 'compare-hashes' }
    /**
     * Removed from the cluster, wiped, and added again; in between it may come back once with what it had, for so long that it must hear that
     * it is removed if `staleMs` says so. Before it is added for good it may be added twice and taken back.
     */
    | {
        readonly kind: 'replace';
        readonly machine: number;
        readonly asLearner: boolean;
        readonly isStale: boolean;
        readonly staleMs?: number;
        readonly isAddedInVain?: boolean;
      }
    /** A crash, and then bits of a file of its log or of a snapshot are others: it must notice, or it does not matter. */
    | { readonly kind: 'rot'; readonly machine: number; readonly bits: number }
    /** The same of its database, where it may not notice: it is found by others, or replaced after a while. */
    | { readonly kind: 'rot-database'; readonly machine: number; readonly bits: number; readonly forMs: number }
    /**
     * After so many more, from the next on a file of that ending on, a write goes so far beside its place, or into another file (`log`: the
     * first of its log), and soon the machine crashes. It may not notice either.
     */
    | {
        readonly kind: 'misdirect';
        readonly machine: number;
        readonly after: string;
        readonly skip: number;
        readonly byBytes: number;
        readonly into?: 'database' | 'log';
        readonly crashMs: number;
        readonly mode: CrashMode;
        readonly downMs: number;
        readonly forMs: number;
      }
  );

/** A new cluster is made of a snapshot of the old one, when all is over. */
export interface RestorePlan {
  readonly members: number;
  /** Revisions are moved on by so many, and the past is marked as compacted; 0 for neither. */
  readonly bumpRevision: number;
  /** In the first life of a member, in the middle of that operation of its disk. */
  readonly crash?: { readonly machine: number; readonly operations: number; readonly mode: CrashMode };
}

export interface LeaderChange {
  /** After the leases were granted. */
  readonly atMs: number;
  readonly how: 'move' | 'hold' | 'crash-all';
}

/** Leases that outlast leaders, when all work is over. */
export interface VigilPlan {
  /** Whether leaders note down how long leases have. */
  readonly hasCheckpoints: boolean;
  /** Renewed so long after the grant. */
  readonly leases: readonly { readonly ttlSeconds: number; readonly renewedMs: readonly number[] }[];
  readonly changes: readonly LeaderChange[];
}

export type WriteTaste = 'usual' | 'big' | 'wide';

/** All that a run is, but the program: from the same scenario comes the same trace. */
export interface Scenario {
  readonly seed: number;
  readonly members: number;
  /** Work and faults begin when the cluster has a leader, or else with the machines. */
  readonly beginsInPeace: boolean;
  readonly clients: number;
  /** They do not wait long, and half of them only read. */
  readonly areHasty: boolean;
  /** They make each request of another member. */
  readonly areRestless?: boolean;
  readonly watchers: number;
  readonly leaseholders: number;
  /** They revoke their leases at once, and ask every member whether they are gone. */
  readonly areSuspicious?: boolean;
  /** Clients that keep a copy of all keys. */
  readonly mirrors: number;
  /** Clients that take locks and stand for elections. */
  readonly lockers: number;
  /** Clients must say who they are, and one of them may not always do what it tries. */
  readonly hasUsers: boolean;
  /** Operations of all clients together. */
  readonly operations: number;
  /** What clients like to write: values of several pages, say, or several keys at once. */
  readonly taste: WriteTaste;
  /** Mean pause of a client between two operations. */
  readonly thinkMs: number;
  readonly network: NetworkQuality;
  /** By machine. */
  readonly disks: readonly DiskSpeed[];
  /** Local milliseconds that pass in one of the world, by machine. */
  readonly clockRates: readonly number[];
  /** Of the log of each machine. */
  readonly walSegmentBytes: readonly number[];
  /** Entries that the log in memory of each machine grows by before it is cut, so that who is behind needs a snapshot. */
  readonly compactEveryEntries: readonly number[];
  /** Flags of each machine. */
  readonly flags: readonly (readonly string[])[];
  /** In the order of their times. */
  readonly faults: readonly Fault[];
  readonly vigil?: VigilPlan;
  readonly restore?: RestorePlan;
}
