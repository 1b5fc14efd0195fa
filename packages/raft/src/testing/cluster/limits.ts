import { assert } from '../../assert.ts';
import { type Entry, entriesSize } from '../../entry.ts';
import { MessageType } from '../../message.ts';
import type { Ready } from '../../ready.ts';
import type { NodeOptions } from './cluster-setup.ts';

function fits(entries: readonly Entry[], bytesMax = Number.POSITIVE_INFINITY): boolean {
  return entries.length <= 1 || entriesSize(entries) <= bytesMax;
}

/** What is handed out keeps to the limits that were set; a single entry always passes. */
export function checkLimits(ready: Ready, options: NodeOptions): void {
  assert(fits(ready.committedEntries, options.maxCommittedSizePerReady), 'limit: too much to apply in one Ready');
  for (const { type, entries } of ready.messages) {
    if (type === MessageType.MsgApp) assert(fits(entries, options.maxSizePerMsg), 'limit: too large a MsgApp');
  }
}
