export { AlarmStore } from './alarm-store.ts';
export { Applier, type ApplierDeps } from './applier.ts';
export { applyMembershipEntry } from './membership-entry.ts';
export { readOldRequest } from './old-request.ts';
export { defaultQuotaBytes, leaseCost, putCost, Quota, txnCost } from './quota.ts';
export { readShortLength, shortLength } from './short-length.ts';
export * from './types.ts';
