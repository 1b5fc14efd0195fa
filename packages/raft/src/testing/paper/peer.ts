import { assert } from '../../assert.ts';
import type { RaftConfig } from '../../core/config.ts';
import type { Raft } from '../../core/raft.ts';
import { createEntry, type Entry, EntryType, emptyBytes } from '../../entry.ts';
import type { RaftError } from '../../errors.ts';
import { MemoryStorage } from '../../log/memory-storage.ts';
import { type Message, type MessageInit, MessageType } from '../../message.ts';
import { RawNode } from '../../raw-node.ts';
import { type ConfState, createConfState, type HardState, type ReadState, type StateType } from '../../state.ts';
import type { Progress } from '../../tracker/progress.ts';
import { bytesOf, handleReady, type LocalNode, restoreApplied } from '../local-cluster.ts';

/** How a server starts. */
export interface PeerInit {
  /** Terms of its entries, from index 1 on. */
  readonly log?: readonly number[];
  /** Its term; that of the last entry if not given. */
  readonly term?: number;
  readonly vote?: bigint;
  readonly commit?: number;
  /** Servers 1, 2 and 3 if not given. */
  readonly voters?: readonly bigint[];
  readonly learners?: readonly bigint[];
  readonly options?: Partial<RaftConfig>;
}

/** Timeouts are not random unless a test says so: all are this many ticks. */
export const ELECTION_TICK = 10;

const defaults = { electionTick: ELECTION_TICK, heartbeatTick: 1, maxInflightMsgs: 256, random: () => 0 };

/** What a server keeps when it crashes. Until there is a snapshot, the configuration is that of the start. */
class Disk extends MemoryStorage {
  private readonly firstConfState: ConfState;

  constructor(firstConfState: ConfState) {
    super();
    this.firstConfState = firstConfState;
  }

  override initialState(): { hardState: HardState; confState: ConfState } {
    const stored = super.initialState();
    return this.snapshot().metadata.index === 0 ? { ...stored, confState: this.firstConfState } : stored;
  }
}

/** The entry that stands at `index` in a log that is given by terms. */
export function entryAt(index: number, term: number): Entry {
  return createEntry(term, index, EntryType.Normal, bytesOf(`${term}/${index}`));
}

/** Entries behind `previousIndex`, given by their terms. */
export function entriesAfter(previousIndex: number, terms: readonly number[]): Entry[] {
  return terms.map((term, i) => entryAt(previousIndex + 1 + i, term));
}

export function equalEntries(a: Entry | undefined, b: Entry | undefined): boolean {
  return a?.term === b?.term && a?.index === b?.index && a?.type === b?.type && a?.data.join() === b?.data.join();
}

/** One server, seen through its public interface. */
export class Peer implements LocalNode {
  readonly id: bigint;
  readonly storage: MemoryStorage;
  readonly applied: string[] = [];
  readonly reads: ReadState[] = [];
  raw: RawNode;
  confState: ConfState;
  private readonly options: Partial<RaftConfig>;

  constructor(id: bigint, init: PeerInit = {}) {
    const { log = [], vote = 0n, commit = 0, voters = [1n, 2n, 3n], learners = [] } = init;
    const term = init.term ?? log.at(-1) ?? 0;
    this.id = id;
    this.options = init.options ?? {};
    this.confState = createConfState({ voters, learners });
    this.storage = new Disk(this.confState);
    this.storage.append(entriesAfter(0, log));
    this.storage.setHardState({ term, vote, commit });
    this.raw = this.start();
  }

  private start(): RawNode {
    const { id, storage, options } = this;
    return new RawNode({ ...defaults, ...options, id, storage, applied: storage.snapshot().metadata.index });
  }

  /** Dies and comes back with what it stored: its state machine begins at its last snapshot again. */
  restart(): void {
    restoreApplied(this.applied, this.storage.snapshot());
    this.confState = this.storage.initialState().confState;
    this.raw = this.start();
  }

  // What goes in. The answers are what it sends.

  receive(...messages: readonly MessageInit[]): Message[] {
    for (const message of messages) this.raw.step({ to: this.id, ...message });
    return this.work();
  }

  tick(ticks = 1): Message[] {
    for (let i = 0; i < ticks; i++) this.raw.tick();
    return this.work();
  }

  campaign(): Message[] {
    this.raw.campaign();
    return this.work();
  }

  propose(text: string): RaftError | undefined {
    return this.raw.propose(bytesOf(text));
  }

  /** Stores, applies and sends what there is. */
  work(): Message[] {
    const sent: Message[] = [];
    while (this.raw.hasReady()) sent.push(...handleReady(this));
    return sent;
  }

  /** Makes a snapshot of all that is applied and drops the log it covers, but for the last `keep` entries. */
  compact(keep = 0): void {
    const { applied: index } = this.raw.basicStatus();
    this.storage.createSnapshot(index, this.confState, bytesOf(this.applied.join()));
    this.storage.compact(index - keep);
  }

  /** Wins an election with the votes of all; what it sends meanwhile is dropped. */
  lead(): this {
    this.campaign();
    for (const from of this.confState.voters) {
      if (from !== this.id) this.receive({ type: MessageType.MsgVoteResp, from, term: this.term });
    }
    assert(this.state === 'StateLeader', 'it leads');
    return this;
  }

  // What is seen.

  get raft(): Raft {
    return (this.raw as unknown as { readonly raft: Raft }).raft;
  }

  get term(): number {
    return this.raw.basicStatus().hardState.term;
  }

  get vote(): bigint {
    return this.raw.basicStatus().hardState.vote;
  }

  get commit(): number {
    return this.raw.basicStatus().hardState.commit;
  }

  get state(): StateType {
    return this.raw.basicStatus().softState.state;
  }

  get leader(): bigint {
    return this.raw.basicStatus().softState.leader;
  }

  /** Terms of the stored entries; of those that are compacted nothing is left. */
  get log(): number[] {
    return this.entries().map(({ term }) => term);
  }

  entries(): readonly Entry[] {
    const { storage } = this;
    const first = storage.firstIndex();
    const last = storage.lastIndex();
    return first > last ? [] : storage.entries(first, last + 1, Number.POSITIVE_INFINITY);
  }

  /** What this leader knows of a server. */
  progress(id: bigint): Progress {
    const progress = this.raw.status().progress.get(id);
    assert(progress !== undefined, 'a leader knows the server');
    return progress;
  }
}

// Messages, in the paper's words.

/** The last entry of a log, or the one before new entries. */
export interface Position {
  readonly index: number;
  readonly term: number;
}

const start: Position = { index: 0, term: 0 };

/** AppendEntries: entries are given by their terms. */
export function append(
  from: bigint,
  term: number,
  {
    previous = start,
    terms = [],
    commit = 0,
  }: { previous?: Position; terms?: readonly number[]; commit?: number } = {},
): MessageInit {
  const entries = entriesAfter(previous.index, terms);
  return { type: MessageType.MsgApp, from, term, index: previous.index, logTerm: previous.term, entries, commit };
}

export function acknowledge(from: bigint, term: number, index: number): MessageInit {
  return { type: MessageType.MsgAppResp, from, term, index };
}

/** RequestVote, with the candidate's last entry. */
export function requestVote(from: bigint, term: number, last: Position = start): MessageInit {
  return { type: MessageType.MsgVote, from, term, index: last.index, logTerm: last.term };
}

export function grantVote(from: bigint, term: number): MessageInit {
  return { type: MessageType.MsgVoteResp, from, term };
}

export function refuseVote(from: bigint, term: number): MessageInit {
  return { type: MessageType.MsgVoteResp, from, term, reject: true };
}

export function heartbeat(from: bigint, term: number, commit = 0): MessageInit {
  return { type: MessageType.MsgHeartbeat, from, term, commit };
}

export function heartbeatAnswer(from: bigint, term: number, context: Uint8Array = emptyBytes): MessageInit {
  return { type: MessageType.MsgHeartbeatResp, from, term, context };
}
