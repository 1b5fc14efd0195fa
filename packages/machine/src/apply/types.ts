import type { ErrorSymbol, etcdserverpb } from '@quorate/api';
import type { AuthAnswer } from '../auth/index.ts';
import type { GrantResult } from '../lease/index.ts';
import type { ChangeOutcome } from '../membership/cluster.ts';
import type { Member } from '../membership/member.ts';

/** A committed entry of ordinary kind. */
export interface CommittedEntry {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

/**
 * What one applied request gives back to its caller. `revision` is the store's after it. Key-values and operations'
 * responses are encoded messages that belong to the store.
 */
export type ApplyResult =
  | { readonly kind: 'put'; readonly revision: number; readonly prevKv: Uint8Array | undefined }
  | {
      readonly kind: 'delete';
      readonly revision: number;
      readonly deleted: number;
      readonly prevKvs: Uint8Array[];
    }
  | {
      readonly kind: 'txn';
      readonly revision: number;
      readonly succeeded: boolean;
      /** Encoded ResponseOp each. */
      readonly responses: Uint8Array[];
    }
  /** `physical` resolves when the deletion is done and on disk. */
  | { readonly kind: 'compaction'; readonly revision: number; readonly physical: Promise<void> }
  | { readonly kind: 'lease-grant'; readonly revision: number; readonly id: bigint; readonly ttlSeconds: number }
  | { readonly kind: 'lease-revoke'; readonly revision: number }
  | { readonly kind: 'alarm'; readonly revision: number; readonly alarms: readonly etcdserverpb.AlarmMember[] }
  /** A change of the membership, also one that was refused; `members` is the list after it, ascending by id. */
  | {
      readonly kind: 'membership';
      readonly revision: number;
      readonly outcome: ChangeOutcome;
      readonly members: readonly Member[];
    }
  /** Lease checkpoints, cluster version, member attributes, downgrade: nothing to say. */
  | { readonly kind: 'done'; readonly revision: number }
  | (AuthAnswer & { readonly revision: number })
  | {
      readonly kind: 'error';
      readonly symbol: ErrorSymbol;
      readonly revision: number;
      /** Of a compaction refused as compacted: resolves when the one before it is on disk. */
      readonly physical?: Promise<void>;
    };

/** Hears the result of the request with that id, given as two 32-bit halves. */
export type Answer = (idHigh: number, idLow: number, result: ApplyResult) => void;

/** The lessor, as far as entries change it. */
export interface LeaseMachine {
  grant(id: bigint, ttlSeconds: number): GrantResult;
  revoke(id: bigint, deleteKeys: (keys: readonly string[]) => void): boolean;
  checkpoint(id: bigint, remainingTtlSeconds: number): void;
  has(id: bigint): boolean;
}

/** The member list, as far as ordinary entries change it. */
export interface MembershipMachine {
  setClusterVersion(version: string): void;
  setAttributes(memberId: bigint, name: string, clientUrls: readonly string[]): void;
  setDowngrade(enabled: boolean, targetVersion: string): void;
}
