export { Lease } from './lease.ts';
export {
  type LeaseCheckpoint,
  LeaseExpiry,
  type LeaseExpiryDeps,
  type LeaseExpiryOptions,
  renewal,
} from './lease-expiry.ts';
export {
  type GrantResult,
  type LeaseBackend,
  type LeaseObserver,
  Lessor,
  type LessorDeps,
  type LessorOptions,
  leaseIdText,
  leaseTtlSecondsMax,
  leaseTtlSecondsMin,
} from './lessor.ts';
