export * from './node-clock.ts';
