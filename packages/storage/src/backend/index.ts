export * from './backend.ts';
export { type BackendDeps, type BackendOptions, inspectDatabase, openBackend } from './bbolt-backend.ts';
export * from './bucket-id.ts';
export { databaseSizeFields } from './database-size-fields.ts';
export * from './memory-backend.ts';
export * from './revision-key.ts';
