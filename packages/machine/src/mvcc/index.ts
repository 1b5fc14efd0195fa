export type { CompactionHash } from './compaction-hashes.ts';
export * from './contract.ts';
export { hashKeys, type KeyHashResult } from './hash.ts';
export { intervalEnd } from './interval.ts';
export * from './key-index/index.ts';
export { KeyValueEncoder, KeyValueFields } from './key-value.ts';
export { PutCall } from './put-call.ts';
export { RangeReader, type RangeResult } from './range-reader.ts';
export {
  checkDeleteRangeRequest,
  checkPutRequest,
  checkRangeRequest,
  checkRangeStreamRequest,
  checkTxnRequest,
  isReadOnlyTxn,
  isSerializableTxn,
} from './request-checks.ts';
export { openStore } from './restore.ts';
export { type DeleteOutcome, MvccStore, type StoreDeps, type StoreOptions } from './store.ts';
export { runTxn, type TxnResult } from './txn.ts';
