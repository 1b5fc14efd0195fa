export * from './backend.ts';
export { type BackendDeps, type BackendOptions, inspectDatabase, openBackend } from './bbolt-backend.ts';
export * from './bucket-id.ts';
export * from './memory-backend.ts';
export * from './revision-key.ts';
