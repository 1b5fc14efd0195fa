import { type ConfChangeSingle, ConfChangeType } from '../conf-change.ts';
import type { ConfState } from '../state.ts';
import { emptyConfiguration } from '../tracker/configuration.ts';
import type { Inflights } from '../tracker/inflights.ts';
import { Changer, type Membership } from './changer.ts';

/**
 * The membership a stored configuration describes, made by the changes that could have led to it, so that it can not
 * break what they guarantee. For `lastIndex` and `newInflights` see {@link Changer}.
 * @throws {RaftError} raft/invalid-conf-change
 */
export function restoreMembership(stored: ConfState, lastIndex: number, newInflights: () => Inflights): Membership {
  const change = (type: ConfChangeType) => (nodeId: bigint) => ({ type, nodeId });
  const outgoing = stored.votersOutgoing.map(change(ConfChangeType.AddNode));
  // From the outgoing voters to the incoming ones: all out, then in again who stays. Learners come last, those of the
  // next configuration among them: they are marked as next since they are still outgoing voters.
  const incoming = [
    ...stored.votersOutgoing.map(change(ConfChangeType.RemoveNode)),
    ...stored.voters.map(change(ConfChangeType.AddNode)),
    ...stored.learners.map(change(ConfChangeType.AddLearnerNode)),
    ...stored.learnersNext.map(change(ConfChangeType.AddLearnerNode)),
  ];
  let membership: Membership = { config: emptyConfiguration, progress: new Map() };
  const changer = () => new Changer(membership, lastIndex, newInflights);
  const oneByOne = (changes: readonly ConfChangeSingle[]) => {
    for (const single of changes) membership = changer().simple([single]);
  };
  if (outgoing.length === 0) {
    oneByOne(incoming);
    return membership;
  }
  oneByOne(outgoing);
  return changer().enterJoint(stored.autoLeave, incoming);
}
