import { CodedError } from '@quorate/base';
import { applyMembershipEntry, Cluster, type MembershipBackend, type MembershipState } from '@quorate/machine';
import {
  type AnyConfChange,
  type ConfChange,
  ConfChangeType,
  type ConfState,
  confChangeOfEntry,
  type Entry,
  EntryType,
} from '@quorate/raft';

/** Who is in the cluster at some index of the log, and as what raft counts them. */
export interface Membership {
  readonly state: MembershipState;
  readonly confState: ConfState;
}

/** Keeps nothing. */
const noBackend: MembershipBackend = { put() {}, delete() {}, get: () => undefined, range() {} };

/**
 * Goes from the membership at a snapshot to that behind `entries`, which follow it. Each change is judged as it was the first time: from the
 * same state, so with the same outcome. What was refused then changes nothing now either.
 */
export function replayMembership(from: Membership, entries: readonly Entry[], learnersMax: number): Membership {
  const cluster = new Cluster({ backend: noBackend }, { learnersMax });
  cluster.replaceWith(from.state);
  let { confState } = from;
  for (const entry of entries) {
    if (entry.type === EntryType.Normal) {
      if (entry.data.length > 0) applyMembershipEntry(entry.data, cluster);
      continue;
    }
    const change = simpleChangeOf(entry);
    if (cluster.apply(change).kind !== 'refused') confState = changeConfState(confState, change);
  }
  return { state: cluster.state, confState };
}

/** The change in an entry. @throws CodedError member/conf-change-v2: etcd never makes those, and to pass one over would split the cluster. */
export function simpleChangeOf(entry: Entry): ConfChange {
  const change: AnyConfChange | undefined = confChangeOfEntry(entry);
  if (change !== undefined && 'nodeId' in change) return change;
  throw new CodedError(
    'member/conf-change-v2',
    `entry ${entry.index} of term ${entry.term} is a membership change of a kind that etcd never makes (type ${entry.type})`,
  );
}

/** What a change of one member makes of a configuration that is not joint. */
export function changeConfState(
  confState: ConfState,
  { type, nodeId }: Pick<ConfChange, 'type' | 'nodeId'>,
): ConfState {
  if (type === ConfChangeType.UpdateNode) return confState;
  const without = (ids: readonly bigint[]): bigint[] => ids.filter((id) => id !== nodeId);
  const voters = without(confState.voters);
  const learners = without(confState.learners);
  if (type === ConfChangeType.AddNode) voters.push(nodeId);
  else if (type === ConfChangeType.AddLearnerNode) learners.push(nodeId);
  return { ...confState, voters: voters.sort(compareIds), learners: learners.sort(compareIds) };
}

export function compareIds(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
