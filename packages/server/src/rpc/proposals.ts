import type { ErrorSymbol } from '@quorate/api';
import type { ApplyResult } from '@quorate/machine';
import type { Call } from '@quorate/transport';
import { failCall } from './answers.ts';

/** Hears what became of a proposal; one of the two, once. */
export interface ProposalOutcome {
  applied(result: ApplyResult): void;
  failed(symbol: ErrorSymbol): void;
}

/** The replica's side of writes. */
export interface Proposals {
  /** `field` is the number of the request's field in InternalRaftRequest; `request` is copied before this returns. */
  propose(field: number, request: Uint8Array, outcome: ProposalOutcome): void;
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
    else if (result.kind === 'unsupported') this.call.fail(12, 'authentication is not served yet');
    else this.answer(result);
  }

  failed(symbol: ErrorSymbol): void {
    failCall(this.call, symbol);
  }

  protected abstract answer(result: ApplyResult): void;
}
