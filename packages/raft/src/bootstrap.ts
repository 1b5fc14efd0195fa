import { ConfChangeType, createConfChange, toConfChangeV2 } from './conf-change.ts';
import { encodeConfChange } from './conf-change-codec.ts';
import { applyConfChange } from './core/membership.ts';
import type { Raft } from './core/raft.ts';
import { createEntry, EntryType } from './entry.ts';
import { RaftError } from './errors.ts';
import { NONE } from './state.ts';

/** A member of a new cluster. */
export interface Peer {
  /** Not 0, and not one of the two highest ids. */
  readonly id: bigint;
  /** Context of the configuration change that adds it, such as its address. None if left out. */
  readonly context?: Uint8Array;
}

/**
 * Starts the log of a new cluster: a committed change for each member, in the order given, which all of them must make
 * the same. The changes are in force at once, so that a campaign can follow; the application sees them as committed entries.
 * @throws {RaftError} raft/bootstrap without peers, or with a storage that is not empty
 */
export function bootstrap(raft: Raft, peers: readonly Peer[]): void {
  if (peers.length === 0) throw new RaftError('raft/bootstrap', 'must provide at least one peer to Bootstrap');
  if (raft.settings.storage.lastIndex() !== 0) {
    throw new RaftError('raft/bootstrap', "can't bootstrap a nonempty Storage");
  }
  raft.becomeFollower(1, NONE);
  const changes = peers.map((peer) =>
    createConfChange({
      type: ConfChangeType.AddNode,
      nodeId: peer.id,
      ...(peer.context === undefined ? {} : { context: peer.context }),
    }),
  );
  const entries = changes.map((change, i) => createEntry(1, i + 1, EntryType.ConfChange, encodeConfChange(change)));
  raft.log.append(entries);
  raft.log.committed = entries.length;
  for (const change of changes) applyConfChange(raft, toConfChangeV2(change));
}
