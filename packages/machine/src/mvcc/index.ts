export * from './contract.ts';
export * from './key-index/index.ts';
