import type { etcdserverpb } from '@quorate/api';
import { latin1FromBytes } from '@quorate/base';

/** [start, end) of latin1 keys; an interval to the end of all keys covers nothing here, as in etcd. */
interface Interval {
  readonly start: string;
  readonly end: string;
}

/** Keys that one branch changes, those of nested transactions included. */
interface Changes {
  readonly puts: Set<string>;
  readonly deletes: Interval[];
}

/**
 * Whether a branch may change a key twice: two puts at one level, a put and a delete at one level, or a clash with a nested
 * transaction. As in etcd, deletes may overlap deletes, the branches of one nested transaction may share keys, and a nested put may
 * be followed by a later nested delete.
 */
export function findOverlap(operations: readonly etcdserverpb.RequestOp[]): boolean {
  return collect(operations) === undefined;
}

function collect(operations: readonly etcdserverpb.RequestOp[]): Changes | undefined {
  const ownDeletes: Interval[] = [];
  let fromKeys: string[] | undefined;
  for (const { requestDeleteRange: request } of operations) {
    if (request === undefined) continue;
    const start = latin1FromBytes(request.key);
    const { rangeEnd } = request;
    if (rangeEnd.length === 1 && rangeEnd[0] === 0) {
      fromKeys ??= [];
      fromKeys.push(start);
    } else ownDeletes.push({ start, end: rangeEnd.length === 0 ? `${start}\0` : latin1FromBytes(rangeEnd) });
  }
  const nested: Changes = { puts: new Set(), deletes: [] };
  for (const { requestTxn: request } of operations) {
    if (request !== undefined && !addNested(request, nested, ownDeletes)) return undefined;
  }
  const puts = new Set<string>();
  for (const { requestPut: request } of operations) {
    if (request === undefined) continue;
    const key = latin1FromBytes(request.key);
    if (puts.has(key) || nested.puts.has(key) || covers(ownDeletes, key) || covers(nested.deletes, key))
      return undefined;
    // Harmless except for a put that needs what the delete may have removed before it.
    if ((request.ignoreValue || request.ignoreLease) && fromKeys?.some((start) => key >= start)) return undefined;
    puts.add(key);
  }
  for (const key of puts) nested.puts.add(key);
  nested.deletes.push(...ownDeletes);
  return nested;
}

/** Adds both branches of a nested transaction to what earlier ones change; false when they clash. */
function addNested(request: etcdserverpb.TxnRequest, earlier: Changes, ownDeletes: readonly Interval[]): boolean {
  const branches: Changes[] = [];
  for (const operations of [request.success, request.failure]) {
    const changes = collect(operations);
    if (changes === undefined) return false;
    for (const key of changes.puts) {
      if (earlier.puts.has(key) || covers(ownDeletes, key) || covers(earlier.deletes, key)) return false;
    }
    branches.push(changes);
  }
  for (const changes of branches) {
    for (const key of changes.puts) earlier.puts.add(key);
    earlier.deletes.push(...changes.deletes);
  }
  return true;
}

function covers(intervals: readonly Interval[], key: string): boolean {
  for (const { start, end } of intervals) if (key >= start && key < end) return true;
  return false;
}
