import { etcdserverpb } from '@quorate/api';
import { emptyBytes } from '@quorate/base';
import type { MvccStore } from '@quorate/machine';
import type { Call } from '@quorate/transport';

/** Keys whose size is looked at, to guess that of a range. */
const sampledKeys = 8;
/** Smaller answers are not worth holding for. */
const smallBytes = 64 * 1024;

/**
 * Holds for an answer that is made when an entry is applied, which cannot wait for room then: calls behind it on the connection wait
 * as if it were made already.
 */
export function holdAhead(call: Call, bytes: number): void {
  if (bytes > smallBytes) call.hold(bytes);
}

/** About how many bytes of key-values there are between the keys: as if all were as large as the first few. */
export function rangeBytes(store: MvccStore, key: Uint8Array, rangeEnd: Uint8Array): number {
  if (rangeEnd.length === 0) return store.get(key)?.length ?? 0;
  const reader = store.openRange(etcdserverpb.RangeRequest.create({ key, rangeEnd, limit: sampledKeys }));
  if (typeof reader === 'string') return 0;
  reader.step(sampledKeys);
  const { kvs, count } = reader.result;
  reader.close();
  return kvs.length === 0 ? 0 : (reader.keptBytes / kvs.length) * count;
}

/** The same of all that a transaction may answer with. */
export function txnBytes(store: MvccStore, { success, failure }: etcdserverpb.TxnRequest): number {
  return Math.max(operationsBytes(store, success), operationsBytes(store, failure));
}

function operationsBytes(store: MvccStore, operations: readonly etcdserverpb.RequestOp[]): number {
  let bytes = 0;
  for (const { requestRange, requestPut, requestDeleteRange, requestTxn } of operations) {
    if (requestRange !== undefined && !requestRange.countOnly && !requestRange.keysOnly) {
      bytes += rangeBytes(store, requestRange.key, requestRange.rangeEnd);
    } else if (requestPut?.prevKv === true) {
      bytes += rangeBytes(store, requestPut.key, emptyBytes);
    } else if (requestDeleteRange?.prevKv === true) {
      bytes += rangeBytes(store, requestDeleteRange.key, requestDeleteRange.rangeEnd);
    } else if (requestTxn !== undefined) {
      bytes += txnBytes(store, requestTxn);
    }
  }
  return bytes;
}
