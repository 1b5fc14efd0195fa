export { InvariantError } from './assert.ts';
export type { Peer } from './bootstrap.ts';
export * from './conf-change.ts';
export * from './conf-change-codec.ts';
export { Changer, type Membership } from './confchange/changer.ts';
export { restoreMembership } from './confchange/restore.ts';
export { type RaftConfig, ReadOnlyOption } from './core/config.ts';
export * from './describe.ts';
export * from './entry.ts';
export * from './errors.ts';
export { MemoryStorage } from './log/memory-storage.ts';
export type { Storage } from './log/storage.ts';
export * from './logger.ts';
export {
  createMessage,
  draftMessage,
  isLocalMessage,
  isResponseMessage,
  type Message,
  type MessageDraft,
  type MessageInit,
  MessageType,
  messageTypeFromName,
  messageTypeName,
} from './message.ts';
export * from './node.ts';
export * from './quorum/describe.ts';
export * from './quorum/joint.ts';
export * from './quorum/majority.ts';
export * from './quorum/vote-result.ts';
export type { RandomSource } from './random.ts';
export { RawNode } from './raw-node.ts';
export type { Ready } from './ready.ts';
export * from './start-node.ts';
export * from './state.ts';
export { type BasicStatus, type Status, statusToJson } from './status.ts';
export {
  type RaftTracer,
  type TraceDetails,
  type TraceEvent,
  type TraceEventName,
  type TraceMessageKind,
  traceEventToJson,
} from './trace.ts';
export * from './tracker/configuration.ts';
export * from './tracker/inflights.ts';
export * from './tracker/progress.ts';
export * from './tracker/progress-tracker.ts';
