export * from './backend/index.ts';
export * from './wal/index.ts';
