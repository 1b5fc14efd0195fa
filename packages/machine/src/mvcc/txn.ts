import { type ErrorSymbol, etcdserverpb, varintLength, writeVarint } from '@quorate/api';
import { compareBytes, emptyBytes } from '@quorate/base';
import { intervalEnd } from './interval.ts';
import type { MvccStore } from './store.ts';

const { CompareResult, CompareTarget } = etcdserverpb;

/** Answer of a transaction. The header of the whole is the caller's to add; the operations have theirs. */
export interface TxnResult {
  readonly succeeded: boolean;
  /** Encoded etcdserverpb.ResponseOp, one an operation of the branch that ran; empty when nobody wants them. */
  readonly responses: Uint8Array[];
}

/** Which branch each transaction takes, nested ones behind the one they are in, in order of their operations. */
type Path = boolean[];

/**
 * Runs a transaction that {@link checkTxnRequest} accepts. Compares and the conditions of all operations on the chosen path are
 * judged on the state before it; then nothing can fail any more, and the operations run in order at one revision.
 *
 * @param wantsResponses false on a member where nobody waits for the answer: ranges are then skipped.
 */
export function runTxn(
  store: MvccStore,
  request: etcdserverpb.TxnRequest,
  wantsResponses = true,
): TxnResult | ErrorSymbol {
  const path: Path = [];
  choose(store, request, path);
  const error = precheck(store, request, path, { next: 0 });
  if (error !== undefined) return error;
  store.begin();
  const result = execute(store, request, path, { next: 0 }, wantsResponses);
  store.end();
  if ((result.succeeded ? request.success : request.failure).length > 1) store.metrics.txns.add(1);
  return result;
}

/** Evaluates the compares of a transaction and of those nested on the chosen path. */
function choose(store: MvccStore, request: etcdserverpb.TxnRequest, path: Path): void {
  const succeeded = request.compare.every((compare) => holds(store, compare));
  path.push(succeeded);
  for (const { requestTxn } of succeeded ? request.success : request.failure) {
    if (requestTxn !== undefined) choose(store, requestTxn, path);
  }
}

function precheck(
  store: MvccStore,
  request: etcdserverpb.TxnRequest,
  path: Path,
  at: { next: number },
): ErrorSymbol | undefined {
  for (const operation of path[at.next++] ? request.success : request.failure) {
    const { requestRange, requestPut, requestTxn } = operation;
    let error: ErrorSymbol | undefined;
    if (requestRange !== undefined) error = precheckRange(store, requestRange.revision);
    else if (requestPut !== undefined) error = store.checkPutRequest(requestPut);
    else if (requestTxn !== undefined) error = precheck(store, requestTxn, path, at);
    if (error !== undefined) return error;
  }
  return undefined;
}

/** Unlike a plain range, a negative revision below the compacted one is refused. */
function precheckRange(store: MvccStore, revision: number): ErrorSymbol | undefined {
  if (revision === 0) return undefined;
  if (revision > store.currentRevision) return 'ErrGRPCFutureRev';
  return revision < store.compactRevision ? 'ErrGRPCCompacted' : undefined;
}

function execute(
  store: MvccStore,
  request: etcdserverpb.TxnRequest,
  path: Path,
  at: { next: number },
  wantsResponses: boolean,
): TxnResult {
  const succeeded = path[at.next++] as boolean;
  const responses: Uint8Array[] = [];
  for (const operation of succeeded ? request.success : request.failure) {
    const response = executeOperation(store, operation, path, at, wantsResponses);
    if (response !== undefined) responses.push(response);
  }
  return { succeeded, responses };
}

function executeOperation(
  store: MvccStore,
  operation: etcdserverpb.RequestOp,
  path: Path,
  at: { next: number },
  wantsResponses: boolean,
): Uint8Array | undefined {
  const { requestRange, requestPut, requestDeleteRange, requestTxn } = operation;
  if (requestRange !== undefined) {
    if (!wantsResponses) return undefined;
    // Cannot be refused: the revision was checked, and a negative one means the present.
    const result = store.range(requestRange);
    if (typeof result === 'string') throw new Error(`range in a transaction failed: ${result}`);
    return wrap(1, etcdserverpb.RangeResponseRaw.encode({ ...result, header: header(store.readRevision) }));
  }
  if (requestPut !== undefined) {
    const prevKv = store.putRequest(requestPut);
    if (!wantsResponses) return undefined;
    return wrap(2, etcdserverpb.PutResponseRaw.encode({ header: header(store.readRevision), prevKv }));
  }
  if (requestDeleteRange !== undefined) {
    const { key, rangeEnd, prevKv } = requestDeleteRange;
    const { deleted, prevKvs } = store.deleteRange(key, rangeEnd, prevKv && wantsResponses);
    if (!wantsResponses) return undefined;
    const raw = { header: header(store.readRevision), deleted, prevKvs };
    return wrap(3, etcdserverpb.DeleteRangeResponseRaw.encode(raw));
  }
  if (requestTxn === undefined) return undefined;
  const { succeeded, responses } = execute(store, requestTxn, path, at, wantsResponses);
  if (!wantsResponses) return undefined;
  // The header of a nested transaction is there but empty.
  return wrap(4, etcdserverpb.TxnResponseRaw.encode({ header: emptyBytes, succeeded, responses }));
}

/** A ResponseHeader with the revision alone. */
function header(revision: number): Uint8Array {
  const bytes = new Uint8Array(1 + varintLength(revision));
  bytes[0] = 0x18;
  writeVarint(revision, bytes, 1);
  return bytes;
}

/** A ResponseOp with the one member `field`. */
function wrap(field: number, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + varintLength(message.length) + message.length);
  bytes[0] = (field << 3) | 2;
  bytes.set(message, writeVarint(message.length, bytes, 1));
  return bytes;
}

/** Whether a compare holds for every key of its interval, on the state as it is now. */
function holds(store: MvccStore, compare: etcdserverpb.Compare): boolean {
  const end = intervalEnd(compare.rangeEnd);
  const { index } = store;
  if (end === undefined) return holdsFor(store, compare, store.liveId(compare.key, 0, compare.key.length));
  let found = false;
  let all = true;
  index.scan(compare.key, end, (id) => {
    if (!index.isLive(id)) return true;
    found = true;
    all = holdsFor(store, compare, id);
    return all;
  });
  return found ? all : holdsFor(store, compare, 0);
}

/** `id` 0: no such key, which compares as zeros, except that its value compares as nothing at all. */
function holdsFor(store: MvccStore, compare: etcdserverpb.Compare, id: number): boolean {
  const { index } = store;
  switch (compare.target) {
    case CompareTarget.VERSION:
      return judge(compare.result, (id === 0 ? 0 : index.version(id)) - (compare.version ?? 0));
    case CompareTarget.CREATE:
      return judge(compare.result, (id === 0 ? 0 : index.create(id)) - (compare.createRevision ?? 0));
    case CompareTarget.MOD:
      return judge(compare.result, (id === 0 ? 0 : index.main(id)) - (compare.modRevision ?? 0));
    case CompareTarget.VALUE: {
      if (id === 0) return false;
      const record = store.record(index.main(id), index.sub(id));
      const { valueStart, valueEnd } = store.fields.read(record);
      return judge(compare.result, compareBytes(record.subarray(valueStart, valueEnd), compare.value ?? emptyBytes));
    }
    case CompareTarget.LEASE: {
      const lease = id === 0 ? 0n : store.leaseOf(id);
      const other = compare.lease ?? 0n;
      return judge(compare.result, lease === other ? 0 : lease > other ? 1 : -1);
    }
    default:
      return judge(compare.result, 0);
  }
}

function judge(result: number, order: number): boolean {
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
