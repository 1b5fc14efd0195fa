export * from './snapshot-codec.ts';
export * from './snapshot-store.ts';
