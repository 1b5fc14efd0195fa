export { type HeaderWriter, headerBytesMax, makeHeaderWriter } from './response-header.ts';
export { WatchHub, type WatchHubDeps, type WatchHubOptions } from './watch-hub.ts';
export type { WatchOutput } from './watch-output.ts';
export { noWatchId, type StreamOptions, type WatchCreate, WatchStream, watchRefusal } from './watch-stream.ts';
