export * from './backend/index.ts';
export * from './datadir/index.ts';
export * from './snap/index.ts';
export * from './wal/index.ts';
