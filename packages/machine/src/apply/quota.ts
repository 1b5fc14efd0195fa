import type { etcdserverpb } from '@quorate/api';

/** Bytes that a key-value counts besides its key and value. */
const keyValueOverhead = 256;
export const leaseCost = 64;
export const defaultQuotaBytes = 2 * 1024 * 1024 * 1024;

/** What a put adds to the database, as the quota counts it; in bytes. */
export function putCost(keyLength: number, valueLength: number): number {
  return keyValueOverhead + keyLength + valueLength;
}

/** The dearer of the two branches, nested transactions counted alike; 0 when it puts nothing. */
export function txnCost(request: etcdserverpb.TxnRequest): number {
  return Math.max(operationsCost(request.success), operationsCost(request.failure));
}

function operationsCost(operations: readonly etcdserverpb.RequestOp[]): number {
  let cost = 0;
  for (const { requestPut, requestTxn } of operations) {
    if (requestPut !== undefined) cost += putCost(requestPut.key.length, requestPut.value.length);
    else if (requestTxn !== undefined) cost += txnCost(requestTxn);
  }
  return cost;
}

/** Whether the backend has room; asked before a request is proposed and again when it is applied. */
export class Quota {
  private readonly size: () => number;
  /** Infinity: no quota. */
  readonly bytes: number;

  /** @param configuredBytes as `--quota-backend-bytes`: 0 means 2 GiB, a negative number none. */
  constructor(size: () => number, configuredBytes: number) {
    this.size = size;
    this.bytes =
      configuredBytes === 0 ? defaultQuotaBytes : configuredBytes < 0 ? Number.POSITIVE_INFINITY : configuredBytes;
  }

  allows(cost: number): boolean {
    return cost === 0 || this.bytes === Number.POSITIVE_INFINITY || this.size() + cost < this.bytes;
  }
}
