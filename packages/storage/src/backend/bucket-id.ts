import { latin1ToBytes } from '@quorate/base';

/** Names of etcd's buckets in byte order, which is the order of the whole-database hash. A {@link BucketId} is a position in it. */
export const bucketNames = [
  'alarm',
  'auth',
  'authRoles',
  'authUsers',
  'cluster',
  'key',
  'lease',
  'members',
  'members_removed',
  'meta',
] as const;

export type BucketName = (typeof bucketNames)[number];

export const BucketId = {
  alarm: 0,
  auth: 1,
  authRoles: 2,
  authUsers: 3,
  cluster: 4,
  key: 5,
  lease: 6,
  members: 7,
  membersRemoved: 8,
  meta: 9,
} as const;
export type BucketId = (typeof BucketId)[keyof typeof BucketId];

/** Every bucket but `key`, whose keys are revisions and have functions of their own. */
export type PlainBucketId = Exclude<BucketId, 5>;

export const bucketNameBytes: readonly Uint8Array[] = bucketNames.map((name) => latin1ToBytes(name));

/** Keys of bucket `meta` that the backend itself reads and writes, and the one the whole-database hash leaves out besides. */
export const MetaKey = {
  consistentIndex: 'consistent_index',
  term: 'term',
  confState: 'confState',
  scheduledCompactRevision: 'scheduledCompactRev',
  finishedCompactRevision: 'finishedCompactRev',
  storageVersion: 'storageVersion',
} as const;
