import type { KeyHashResult } from './hash.ts';

/** What a finished compaction stored: everything but the revision of the store when it is asked for. */
export type CompactionHash = Omit<KeyHashResult, 'currentRevision'>;

/** As many as etcd keeps. */
const hashesMax = 10;

/**
 * Hashes that compactions computed, each at its own revision with the compacted revision before it: members that compacted alike have
 * the same, however far one of them is behind. Kept in memory, the newest by revision.
 */
export class CompactionHashes {
  /** Ascending by revision. */
  private readonly hashes: CompactionHash[] = [];

  add(hash: CompactionHash): void {
    this.hashes.push(hash);
    this.hashes.sort((a, b) => a.hashRevision - b.hashRevision);
    if (this.hashes.length > hashesMax) this.hashes.shift();
  }

  /** Newest first. */
  list(): CompactionHash[] {
    return this.hashes.toReversed();
  }

  find(revision: number): CompactionHash | undefined {
    return this.hashes.find((hash) => hash.hashRevision === revision);
  }
}
