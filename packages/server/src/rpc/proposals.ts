import type { ErrorSymbol } from '@quorate/api';
import type { ApplyResult, Identity } from '@quorate/machine';
import type { Call } from '@quorate/transport';
import { failCall } from './answers.ts';

/** Hears what became of a proposal; one of the two, once. */
export interface ProposalOutcome {
  applied(result: ApplyResult): void;
  failed(symbol: ErrorSymbol): void;
}

/** The replica's side of writes. */
export interface Proposals {
  /**
   * `field` is the number of the request's field in InternalRaftRequest; `request` is copied before this returns. `identity` says whose
   * request it is, where that matters.
   */
  propose(field: number, request: Uint8Array, outcome: ProposalOutcome, identity?: Identity): void;
}

/** Proposals of what a leader decides by itself. */
export interface LeaderProposals {
  /** As `propose`; fails unless this member still leads, in the same term, when raft takes it. */
  proposeAsLeader(field: number, request: Uint8Array, outcome: ProposalOutcome, identity?: Identity): void;
}

/** Proposals of entries that are no InternalRaftRequest, too. */
export interface EntryProposals extends Proposals {
  /** `encode` makes the whole data of the entry around the request id that its answer is told by. */
  proposeEntry(encode: (requestId: bigint) => Uint8Array, outcome: ProposalOutcome): void;
}

/** Field numbers of InternalRaftRequest. */
export const RequestField = {
  put: 4,
  deleteRange: 5,
  txn: 6,
  compaction: 7,
  leaseGrant: 8,
  leaseRevoke: 9,
  alarm: 10,
  leaseCheckpoint: 11,
  clusterVersionSet: 1300,
  clusterMemberAttrSet: 1301,
  downgradeInfoSet: 1302,
  authEnable: 1000,
  authDisable: 1011,
  authenticate: 1012,
  authStatus: 1013,
  authUserAdd: 1100,
  authUserDelete: 1101,
  authUserGet: 1102,
  authUserChangePassword: 1103,
  authUserGrantRole: 1104,
  authUserRevokeRole: 1105,
  authUserList: 1106,
  authRoleList: 1107,
  authRoleAdd: 1200,
  authRoleDelete: 1201,
  authRoleGet: 1202,
  authRoleGrantPermission: 1203,
  authRoleRevokePermission: 1204,
} as const;

/** Proposes what no client asked for. Resolves once it is applied, with why it was refused, if it was. */
export function proposeRequest(
  proposals: Proposals,
  field: number,
  request: Uint8Array,
): Promise<ErrorSymbol | undefined> {
  return new Promise((resolve) => {
    proposals.propose(field, request, {
      applied: (result) => resolve(result.kind === 'error' ? result.symbol : undefined),
      failed: resolve,
    });
  });
}

/** Answers a call with its result; refusals become the error of the table. `Context` is what the answer is made with. */
export abstract class CallOutcome<C extends Call, Context> implements ProposalOutcome {
  protected readonly call: C;
  protected readonly context: Context;

  constructor(call: C, context: Context) {
    this.call = call;
    this.context = context;
  }

  applied(result: ApplyResult): void {
    if (result.kind === 'error') failCall(this.call, result.symbol);
    else this.answer(result);
  }

  failed(symbol: ErrorSymbol): void {
    failCall(this.call, symbol);
  }

  protected abstract answer(result: ApplyResult): void;
}
