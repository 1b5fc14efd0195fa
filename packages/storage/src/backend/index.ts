export * from './backend.ts';
export { type BackendDeps, type BackendOptions, openBackend } from './bbolt-backend.ts';
export * from './bucket-id.ts';
export { databaseSizeFields } from './database-size-fields.ts';
export { inspectDatabase } from './inspect-database.ts';
export * from './memory-backend.ts';
export * from './revision-key.ts';
