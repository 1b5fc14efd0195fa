import { assert } from '../../assert.ts';
import { equalEntries, type Peer } from './peer.ts';

/** The Log Matching Property (figure 3): where two logs have an entry of the same index and term, all up to it is the same. */
export function assertLogsMatch(peers: readonly Peer[]): void {
  for (const one of peers) for (const other of peers) if (one.id < other.id) assertPairMatches(one, other);
}

function assertPairMatches(one: Peer, other: Peer): void {
  const ours = one.entries();
  const theirs = other.entries();
  let same = Math.min(ours.length, theirs.length);
  while (same > 0 && ours[same - 1]?.term !== theirs[same - 1]?.term) same--;
  for (let i = 0; i < same; i++) {
    assert(
      equalEntries(ours[i], theirs[i]),
      `the logs of ${one.id} and ${other.id} differ at ${i + 1}, before ${same}`,
    );
  }
}
