export { Bucket, type ElementVisitor, type ReadableBucket } from './bucket.ts';
export type { CheckReport } from './check.ts';
export { Cursor } from './cursor.ts';
export { Database, type DatabaseDeps, type DatabaseOptions, type DatabaseStats } from './database.ts';
export type { BboltErrorCode } from './errors.ts';
export { ReadTransaction } from './read-transaction.ts';
export { Slice } from './slice.ts';
export { defaultFillPercent, WriteBucket } from './write-bucket.ts';
export { WriteTransaction } from './write-transaction.ts';
