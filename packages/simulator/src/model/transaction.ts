import { type ErrorSymbol, etcdserverpb, type mvccpb } from '@quorate/api';
import { compareBytes, emptyBytes } from '@quorate/base';
import { type Draft, headerOf, refusePut } from './draft.ts';
import { readRange } from './range.ts';
import { type ModelState, type Past, scanInterval } from './state.ts';

const { CompareResult, CompareTarget } = etcdserverpb;

/** A transaction whose compares are decided: operations in order, nested transactions decided as well. */
interface Plan {
  readonly succeeded: boolean;
  readonly steps: readonly Step[];
}

type Step =
  | { readonly kind: 'range'; readonly request: etcdserverpb.RangeRequest }
  | { readonly kind: 'put'; readonly request: etcdserverpb.PutRequest }
  | { readonly kind: 'delete'; readonly request: etcdserverpb.DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly plan: Plan };

/** Decides all compares on the chosen path; they look at the state before the transaction. */
export function planTransaction(state: ModelState, request: etcdserverpb.TxnRequest): Plan {
  const succeeded = request.compare.every((compare) => holds(state, compare));
  const steps: Step[] = [];
  for (const operation of succeeded ? request.success : request.failure) {
    const { requestRange, requestPut, requestDeleteRange, requestTxn } = operation;
    if (requestRange !== undefined) steps.push({ kind: 'range', request: requestRange });
    else if (requestPut !== undefined) steps.push({ kind: 'put', request: requestPut });
    else if (requestDeleteRange !== undefined) steps.push({ kind: 'delete', request: requestDeleteRange });
    else if (requestTxn !== undefined) steps.push({ kind: 'txn', plan: planTransaction(state, requestTxn) });
  }
  return { succeeded, steps };
}

/** Why one of the operations on the path cannot be done, judged on the state before the transaction. */
export function refusePlan(state: ModelState, plan: Plan): ErrorSymbol | undefined {
  for (const step of plan.steps) {
    let error: ErrorSymbol | undefined;
    if (step.kind === 'range') error = refuseRangeInTransaction(state, step.request.revision);
    else if (step.kind === 'put') error = refusePut(state, step.request);
    else if (step.kind === 'txn') error = refusePlan(state, step.plan);
    if (error !== undefined) return error;
  }
  return undefined;
}

/** Not as for a range by itself: a negative revision is compacted as soon as anything is. */
function refuseRangeInTransaction(state: ModelState, revision: number): ErrorSymbol | undefined {
  if (revision === 0) return undefined;
  if (revision > state.revision) return 'ErrGRPCFutureRev';
  return revision < state.compactRevision ? 'ErrGRPCCompacted' : undefined;
}

/** Does the operations one after the other; each sees what those before it did. */
export function runPlan(draft: Draft, plan: Plan, past: Past): etcdserverpb.TxnResponse {
  const responses = plan.steps.map((step) => runStep(draft, step, past));
  return etcdserverpb.TxnResponse.create({ header: headerOf(0), succeeded: plan.succeeded, responses });
}

function runStep(draft: Draft, step: Step, past: Past): etcdserverpb.ResponseOp {
  const { ResponseOp } = etcdserverpb;
  switch (step.kind) {
    case 'range': {
      const { request } = step;
      const keys = request.revision > 0 ? past(request.revision) : draft.keys;
      const range = readRange(keys ?? draft.keys, request);
      return ResponseOp.create({ responseRange: { ...range, header: headerOf(draft.revision) } });
    }
    case 'put':
      return ResponseOp.create({ responsePut: draft.put(step.request) });
    case 'delete':
      return ResponseOp.create({ responseDeleteRange: draft.deleteRange(step.request) });
    case 'txn':
      return ResponseOp.create({ responseTxn: runPlan(draft, step.plan, past) });
  }
}

/** Whether a compare holds for every key of its interval; without any, for a key of zeros that has no value at all. */
function holds({ keys }: ModelState, compare: etcdserverpb.Compare): boolean {
  let isEmpty = true;
  let all = true;
  scanInterval(keys, compare.key, compare.rangeEnd, (keyValue) => {
    isEmpty = false;
    all = holdsFor(keyValue, compare);
    return all;
  });
  return isEmpty ? holdsFor(undefined, compare) : all;
}

function holdsFor(keyValue: mvccpb.KeyValue | undefined, compare: etcdserverpb.Compare): boolean {
  switch (compare.target) {
    case CompareTarget.VERSION:
      return judge(compare.result, (keyValue?.version ?? 0) - (compare.version ?? 0));
    case CompareTarget.CREATE:
      return judge(compare.result, (keyValue?.createRevision ?? 0) - (compare.createRevision ?? 0));
    case CompareTarget.MOD:
      return judge(compare.result, (keyValue?.modRevision ?? 0) - (compare.modRevision ?? 0));
    case CompareTarget.VALUE:
      if (keyValue === undefined) return false;
      return judge(compare.result, compareBytes(keyValue.value, compare.value ?? emptyBytes));
    case CompareTarget.LEASE: {
      const difference = (keyValue?.lease ?? 0n) - (compare.lease ?? 0n);
      return judge(compare.result, difference === 0n ? 0 : difference > 0n ? 1 : -1);
    }
    default:
      return judge(compare.result, 0);
  }
}

function judge(result: etcdserverpb.CompareResult, order: number): boolean {
  switch (result) {
    case CompareResult.EQUAL:
      return order === 0;
    case CompareResult.NOT_EQUAL:
      return order !== 0;
    case CompareResult.GREATER:
      return order > 0;
    case CompareResult.LESS:
      return order < 0;
    default:
      return true;
  }
}
