import { encodeMember, encodePromotion } from '@quorate/machine';
import {
  type ConfChange,
  ConfChangeType,
  type ConfState,
  createConfChange,
  createEntry,
  type Entry,
  EntryType,
  encodeConfChange,
  type HardState,
} from '@quorate/raft';
import { changeConfState, compareIds, simpleChangeOf } from './replay-membership.ts';

/** The peer URL of a member that the log does not know. */
const defaultPeerUrl = 'http://localhost:2380';

export interface ForcedLog {
  /** Everything above is committed. */
  readonly hardState: HardState;
  /** Up to the commit index, the new ones included. */
  readonly entries: readonly Entry[];
  /** The new ones alone: to be written to the log. */
  readonly added: readonly Entry[];
}

/**
 * What a log becomes so that this member is alone (`--force-new-cluster`): entries that were not committed are dropped, and behind the rest
 * all others are removed by changes that count as committed.
 * @param entries those behind the snapshot that the log begins with.
 * @param confState the configuration at the database's index.
 */
export function forceNewCluster(
  self: bigint,
  log: { readonly hardState: HardState; readonly entries: readonly Entry[] },
  database: { readonly consistentIndex: number; readonly confState: ConfState },
): ForcedLog {
  // A commit that moved alone is not synced: the database may know of more.
  const commit = Math.max(log.hardState.commit, database.consistentIndex);
  const kept = log.entries.filter((entry) => entry.index <= commit);
  let { confState } = database;
  for (const entry of kept) {
    if (entry.type === EntryType.Normal || entry.index <= database.consistentIndex) continue;
    confState = changeConfState(confState, simpleChangeOf(entry));
  }
  const { term } = log.hardState;
  const added = changesToBeAlone(self, confState).map((change, i) =>
    createEntry(term, commit + 1 + i, EntryType.ConfChange, encodeConfChange(change)),
  );
  return {
    hardState: { ...log.hardState, commit: commit + added.length },
    entries: [...kept, ...added],
    added,
  };
}

/** This member comes first, as a voter: a configuration without any is none. */
function changesToBeAlone(self: bigint, { voters, learners }: ConfState): ConfChange[] {
  const changes: ConfChange[] = [];
  const add = (context: Uint8Array) =>
    changes.push(createConfChange({ type: ConfChangeType.AddNode, nodeId: self, context }));
  if (learners.includes(self)) add(encodePromotion(self));
  else if (!voters.includes(self)) {
    add(encodeMember({ id: self, name: '', peerUrls: [defaultPeerUrl], clientUrls: [], isLearner: false }));
  }
  for (const nodeId of [...voters, ...learners].sort(compareIds)) {
    if (nodeId !== self) changes.push(createConfChange({ type: ConfChangeType.RemoveNode, nodeId }));
  }
  return changes;
}
