export { type IdVisitor, type KeyEnd, KeyIndex, openEnd } from './key-index.ts';
export type { DroppedRevisions } from './revision-history.ts';
