export * from './apply/index.ts';
export * from './auth/index.ts';
export * from './lease/index.ts';
export * from './membership/index.ts';
export * from './mvcc/index.ts';
export * from './watch/index.ts';
