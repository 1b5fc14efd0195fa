export * from './data-directory.ts';
export * from './purge-files.ts';
