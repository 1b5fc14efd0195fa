/**
 * What a quorum is, once more and as plainly as can be: the twin that the library's own counting is held against. A
 * configuration is joint while it has outgoing voters, and then needs a majority of both halves.
 */
export interface Halves {
  readonly voters: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
}

function isMajority(voters: readonly bigint[], has: (id: bigint) => boolean): boolean {
  return voters.length === 0 || voters.filter(has).length * 2 > voters.length;
}

export function isQuorum(config: Halves, has: (id: bigint) => boolean): boolean {
  return isMajority(config.voters, has) && isMajority(config.votersOutgoing, has);
}

/** Whether each quorum of one shares a node with each quorum of the other, by trying all ways to split the nodes. */
export function quorumsOverlap(a: Halves, b: Halves): boolean {
  const ids = [...new Set([...a.voters, ...a.votersOutgoing, ...b.voters, ...b.votersOutgoing])];
  for (let split = 0; split < 1 << ids.length; split++) {
    const isIn = (id: bigint) => (split & (1 << ids.indexOf(id))) !== 0;
    if (isQuorum(a, isIn) && isQuorum(b, (id) => !isIn(id))) return false;
  }
  return true;
}
