import { isStarted, type Member } from './member.ts';

/*
 * What `strict-reconfig-check` asks before a change of the configuration is proposed (semantics 6): enough members that have
 * started, and enough of them connected. The leader's answer to "connected since 5 s" comes from outside.
 */

export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

function startedVoters(voters: readonly Member[]): number {
  return voters.filter(isStarted).length;
}

function votersOf(members: readonly Member[]): Member[] {
  return members.filter((member) => !member.isLearner);
}

/** Whether those who have started can be a quorum of the cluster with one more voter. */
export function isReadyToAddVoter(members: readonly Member[]): boolean {
  const voters = votersOf(members);
  const started = startedVoters(voters);
  // A single started member may be joined by a second one: else no cluster could grow from one.
  if (started === 1 && voters.length === 1) return true;
  return started >= quorumOf(voters.length + 1);
}

/** The same for a learner that becomes a voter; it counts as started. */
export function isReadyToPromote(members: readonly Member[]): boolean {
  const voters = votersOf(members);
  return startedVoters(voters) + 1 >= quorumOf(voters.length + 1);
}

/** Whether the rest still has a quorum of started voters. The last member cannot go, a learner always can. */
export function isReadyToRemove(members: readonly Member[], id: bigint): boolean {
  if (members.some((member) => member.id === id && member.isLearner)) return true;
  const rest = votersOf(members).filter((member) => member.id !== id);
  return startedVoters(rest) >= quorumOf(rest.length);
}

/**
 * Whether the cluster is healthy enough to grow by one.
 * @param connectedVoters voters connected for 5 s, this member counted.
 */
export function isHealthyForAdd(members: readonly Member[], connectedVoters: number): boolean {
  const voters = votersOf(members).length;
  return voters === 1 || connectedVoters >= quorumOf(voters + 1);
}

/**
 * Whether the cluster is healthy enough to lose a member that is connected now.
 * @param connectedVoters voters connected for 5 s, this member counted.
 */
export function isHealthyForRemove(members: readonly Member[], connectedVoters: number): boolean {
  return connectedVoters - 1 >= quorumOf(votersOf(members).length - 1);
}
