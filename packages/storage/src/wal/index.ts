export * from './raft-codec.ts';
export * from './read-wal.ts';
export * from './segment-name.ts';
export * from './types.ts';
export * from './wal.ts';
export type { WalContent } from './wal-content.ts';
export * from './wal-error.ts';
