import { type ErrorSymbol, etcdserverpb } from '@quorate/api';
import { hasRevisionFilter } from './range-reader.ts';
import { findOverlap } from './txn-overlap.ts';

const { SortOrder, SortTarget } = etcdserverpb;

/** What is wrong with a range request by itself. */
export function checkRangeRequest(request: etcdserverpb.RangeRequest): ErrorSymbol | undefined {
  if (request.key.length === 0) return 'ErrGRPCEmptyKey';
  if (!isKnown(request.sortOrder, SortOrder.DESCEND) || !isKnown(request.sortTarget, SortTarget.VALUE)) {
    return 'ErrGRPCInvalidSortOption';
  }
  return undefined;
}

/** What RangeStream refuses besides what Range does. */
export function checkRangeStreamRequest(request: etcdserverpb.RangeRequest): ErrorSymbol | undefined {
  const error = checkRangeRequest(request);
  if (error !== undefined) return error;
  const isDefaultOrder =
    request.sortOrder === SortOrder.NONE ||
    (request.sortOrder === SortOrder.ASCEND && request.sortTarget === SortTarget.KEY);
  if (!isDefaultOrder) return 'RangeStreamSortOrder';
  return hasRevisionFilter(request) ? 'RangeStreamRevisionFilter' : undefined;
}

export function checkPutRequest(request: etcdserverpb.PutRequest): ErrorSymbol | undefined {
  if (request.key.length === 0) return 'ErrGRPCEmptyKey';
  if (request.ignoreValue && request.value.length > 0) return 'ErrGRPCValueProvided';
  if (request.ignoreLease && request.lease !== 0n) return 'ErrGRPCLeaseProvided';
  return undefined;
}

export function checkDeleteRangeRequest(request: etcdserverpb.DeleteRangeRequest): ErrorSymbol | undefined {
  return request.key.length === 0 ? 'ErrGRPCEmptyKey' : undefined;
}

/**
 * What is wrong with a transaction by itself: sizes and each part of both branches, all the way down; then keys changed twice, which
 * is looked for only in what is right otherwise, as in etcd.
 */
export function checkTxnRequest(request: etcdserverpb.TxnRequest, operationsMax: number): ErrorSymbol | undefined {
  const error = checkTxnParts(request, operationsMax);
  if (error !== undefined) return error;
  return findOverlap(request.success) || findOverlap(request.failure) ? 'ErrGRPCDuplicateKey' : undefined;
}

function checkTxnParts(request: etcdserverpb.TxnRequest, operationsMax: number): ErrorSymbol | undefined {
  const operations = Math.max(request.compare.length, request.success.length, request.failure.length);
  if (operations > operationsMax) return 'ErrGRPCTooManyOps';
  for (const compare of request.compare) if (compare.key.length === 0) return 'ErrGRPCEmptyKey';
  return (
    checkOperations(request.success, operationsMax - operations) ??
    checkOperations(request.failure, operationsMax - operations)
  );
}

function checkOperations(operations: readonly etcdserverpb.RequestOp[], nestedMax: number): ErrorSymbol | undefined {
  for (const operation of operations) {
    const error = checkOperation(operation, nestedMax);
    if (error !== undefined) return error;
  }
  return undefined;
}

function checkOperation(operation: etcdserverpb.RequestOp, nestedMax: number): ErrorSymbol | undefined {
  if (operation.requestRange !== undefined) return checkRangeRequest(operation.requestRange);
  if (operation.requestPut !== undefined) return checkPutRequest(operation.requestPut);
  if (operation.requestDeleteRange !== undefined) return checkDeleteRangeRequest(operation.requestDeleteRange);
  if (operation.requestTxn !== undefined) return checkTxnParts(operation.requestTxn, nestedMax);
  return 'ErrGRPCKeyNotFound';
}

/** Whether the transaction is answered without the log: both branches hold ranges only. A nested one is never. */
export function isReadOnlyTxn(request: etcdserverpb.TxnRequest): boolean {
  const isRange = (operation: etcdserverpb.RequestOp) => operation.requestRange !== undefined;
  return request.success.every(isRange) && request.failure.every(isRange);
}

/** Of a read-only transaction: whether all its ranges may be answered from local state. */
export function isSerializableTxn(request: etcdserverpb.TxnRequest): boolean {
  const isSerializable = (operation: etcdserverpb.RequestOp) => operation.requestRange?.serializable === true;
  return request.success.every(isSerializable) && request.failure.every(isSerializable);
}

function isKnown(value: number, last: number): boolean {
  return value >= 0 && value <= last;
}
