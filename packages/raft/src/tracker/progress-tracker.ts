import { jointVoteResult, sortedIds } from '../quorum/joint.ts';
import { majorityCommittedIndex } from '../quorum/majority.ts';
import type { VoteResult } from '../quorum/vote-result.ts';
import { type Configuration, emptyConfiguration, isVoter } from './configuration.ts';
import { Inflights } from './inflights.ts';
import type { Progress } from './progress.ts';

/** Progress by node id. */
export type ProgressMap = ReadonlyMap<bigint, Progress>;

/** Votes of an election, counted. */
export interface VoteTally {
  /** Voters that said yes. */
  readonly granted: number;
  /** Voters that said no. */
  readonly rejected: number;
  /** What that means under the configuration. */
  readonly result: VoteResult;
}

/** Up to so many nodes one is found sooner by looking at all of them than by hashing its id. */
const SCAN_MAX = 9;

const matchOf = (progress: Progress): number => progress.match;

/** The configuration, what is known of each of its nodes, and the votes of a running election. */
export class ProgressTracker {
  /** The configuration in force. */
  config: Configuration = emptyConfiguration;
  /** Of exactly the nodes of {@link config}. */
  progress: ProgressMap = new Map();
  /** All of {@link progress}, ascending by id: the order of everything that is sent to all. */
  ordered: readonly Progress[] = [];
  /** The voters among them, of both halves of the configuration. */
  private incoming: readonly Progress[] = [];
  private outgoing: readonly Progress[] = [];
  /** Only while there is an election: of many groups few have one. */
  private votes: Map<bigint, boolean> | undefined = undefined;
  private readonly inflightMessagesMax: number;
  private readonly inflightBytesMax: number;

  /** A tracker that knows nobody; its windows will have these limits, in messages and payload bytes. */
  constructor(inflightMessagesMax: number, inflightBytesMax: number) {
    this.inflightMessagesMax = inflightMessagesMax;
    this.inflightBytesMax = inflightBytesMax;
  }

  /** A tracker with the same limits that knows nobody. */
  fresh(): ProgressTracker {
    return new ProgressTracker(this.inflightMessagesMax, this.inflightBytesMax);
  }

  /** An empty window with the tracker's limits, for a new node. */
  newInflights(): Inflights {
    return new Inflights(this.inflightMessagesMax, this.inflightBytesMax);
  }

  /** Puts a configuration in force, with the progress of exactly its nodes. */
  switchTo(config: Configuration, progress: ProgressMap): void {
    this.config = config;
    this.progress = progress;
    const progressOf = (id: bigint) => progress.get(id) as Progress;
    this.ordered = sortedIds(progress.keys()).map(progressOf);
    this.incoming = [...config.incoming].map(progressOf);
    this.outgoing = [...config.outgoing].map(progressOf);
  }

  /** The progress of a node, undefined when it is not in the configuration. */
  find(id: bigint): Progress | undefined {
    const { ordered } = this;
    if (ordered.length > SCAN_MAX) return this.progress.get(id);
    for (const progress of ordered) if (progress.id === id) return progress;
    return undefined;
  }

  /** One voter and no other half: whatever it holds is committed. */
  isSingleton(): boolean {
    return this.config.incoming.size === 1 && this.config.outgoing.size === 0;
  }

  /** The highest index that the voters' acknowledgements commit. */
  committed(): number {
    const incoming = majorityCommittedIndex(this.incoming, matchOf);
    return Math.min(incoming, majorityCommittedIndex(this.outgoing, matchOf));
  }

  /** Whether the voters with `recentActive` are a quorum. */
  isQuorumActive(): boolean {
    return jointVoteResult(this.config, (id) => this.progress.get(id)?.recentActive === true) === 'VoteWon';
  }

  /** Begins a new election. */
  resetVotes(): void {
    this.votes = undefined;
  }

  /** The first vote of a node counts. */
  recordVote(id: bigint, granted: boolean): void {
    this.votes ??= new Map();
    if (!this.votes.has(id)) this.votes.set(id, granted);
  }

  /** Counts the votes of voters: others may have voted under an older configuration. */
  tallyVotes(): VoteTally {
    let granted = 0;
    let rejected = 0;
    for (const [id, vote] of this.votes ?? []) {
      if (!isVoter(this.config, id)) continue;
      if (vote) granted++;
      else rejected++;
    }
    return { granted, rejected, result: jointVoteResult(this.config, (id) => this.votes?.get(id)) };
  }
}
