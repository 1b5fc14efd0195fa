import { describeIds, describeJoint } from '../quorum/describe.ts';
import { type JointVoters, jointIds, sortedIds } from '../quorum/joint.ts';
import type { ConfState } from '../state.ts';

/** Who votes and who only learns. Values are never changed; a change makes a new one. */
export interface Configuration extends JointVoters {
  /** Never voters of either half. */
  readonly learners: ReadonlySet<bigint>;
  /** Voters of the outgoing half that will be learners: they can not be both at once. */
  readonly learnersNext: ReadonlySet<bigint>;
  /** The leader leaves the joint configuration by itself, as soon as it has applied it. */
  readonly autoLeave: boolean;
}

/** Nobody. */
export const emptyConfiguration: Configuration = {
  incoming: new Set(),
  outgoing: new Set(),
  learners: new Set(),
  learnersNext: new Set(),
  autoLeave: false,
};

/** Whether the configuration has two halves, each of which must agree. */
export function isJoint(config: Configuration): boolean {
  return config.outgoing.size > 0;
}

/** Whether the node votes in either half. */
export function isVoter(config: Configuration, id: bigint): boolean {
  return config.incoming.has(id) || config.outgoing.has(id);
}

/** `voters=(1 2 3)&&(1 2) learners=(4) learners_next=(3) autoleave`; what is empty is left out. */
export function describeConfiguration(config: Configuration): string {
  let text = `voters=${describeJoint(config)}`;
  if (config.learners.size > 0) text += ` learners=${describeIds(config.learners)}`;
  if (config.learnersNext.size > 0) text += ` learners_next=${describeIds(config.learnersNext)}`;
  return config.autoLeave ? `${text} autoleave` : text;
}

/** All nodes of the configuration, ascending. */
export function configurationIds(config: Configuration): bigint[] {
  return sortedIds(new Set([...jointIds(config), ...config.learners]));
}

/** The configuration in the form in which it is stored, all lists ascending. */
export function toConfState(config: Configuration): ConfState {
  return {
    voters: sortedIds(config.incoming),
    learners: sortedIds(config.learners),
    votersOutgoing: sortedIds(config.outgoing),
    learnersNext: sortedIds(config.learnersNext),
    autoLeave: config.autoLeave,
  };
}

/** Equal but for the order of ids. */
export function equalConfState(a: ConfState, b: ConfState): boolean {
  const same = (x: readonly bigint[], y: readonly bigint[]) => sortedIds(x).join() === sortedIds(y).join();
  return (
    same(a.voters, b.voters) &&
    same(a.learners, b.learners) &&
    same(a.votersOutgoing, b.votersOutgoing) &&
    same(a.learnersNext, b.learnersNext) &&
    a.autoLeave === b.autoLeave
  );
}
