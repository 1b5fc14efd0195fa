import { assert, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import {
  confChangeOfEntry,
  createConfChange,
  type Entry,
  emptyConfState,
  isConfChangeV2,
  isEmptySnapshot,
  type RaftNode,
  type Ready,
  type Snapshot,
} from '@quorate/raft';
import type { DurableLog } from './durable-log.ts';
import type { KeyValueStore, StoreSnapshot } from './key-value-store.ts';
import type { Members, MembersSnapshot } from './members.ts';
import type { Peers } from './peers.ts';

const tickMs = 100;

export interface RaftLoopDeps {
  readonly node: RaftNode;
  readonly log: DurableLog;
  readonly peers: Peers;
  readonly members: Members;
  readonly store: KeyValueStore;
}

export interface RaftLoopOptions {
  /** Entries applied between two snapshots. */
  readonly snapshotCount: number;
  /** Entries kept behind a snapshot, for followers that are a little behind. */
  readonly catchUpEntries: number;
}

/** Does what Raft says. Raft itself only decides: this loop is its hands. */
export class RaftLoop {
  private readonly deps: RaftLoopDeps;
  private readonly options: RaftLoopOptions;
  private ticker: NodeJS.Timeout | undefined;
  private isStopped = false;
  private applied = 0;
  /** Who votes, as of `applied`; goes into snapshots. */
  private confState = emptyConfState;

  constructor(deps: RaftLoopDeps, options: RaftLoopOptions) {
    this.deps = deps;
    this.options = options;
    // What comes behind it, up to the last known commit, Raft hands out once more: that is all there is to a restart.
    const snapshot = deps.log.memory.snapshot();
    if (!isEmptySnapshot(snapshot)) this.restore(snapshot);
  }

  /** Resolves when it was stopped; rejects when the node cannot go on. */
  async run(): Promise<void> {
    const { node } = this.deps;
    this.ticker = setInterval(() => node.tick(), tickMs);
    try {
      for await (const ready of node.ready()) await this.take(ready);
    } finally {
      this.stop();
    }
  }

  stop(): void {
    this.isStopped = true;
    clearInterval(this.ticker);
    this.deps.node.stop();
  }

  /** Persist, send, apply: in this order, on which all that Raft promises rests. */
  private async take(ready: Ready): Promise<void> {
    const { node, log, peers } = this.deps;

    // 1. Persist. Messages are promises ("I voted for you", "I have entry 7"): what they speak of must survive a crash first.
    //    (A leader may send its entries while it writes them itself. That saves the time of one disk write; it is left out here.)
    await log.save(ready);
    if (this.isStopped) return;

    // 2. Send. A message may be lost; Raft will send another.
    peers.send(ready.messages);

    // 3. Apply. Committed entries are on the disks of a majority: nothing takes them back, and every node applies the same.
    //    (A snapshot comes from a leader that has let go of entries this node has not got.)
    if (ready.snapshot !== undefined) this.restore(ready.snapshot);
    for (const entry of ready.committedEntries) this.apply(entry);
    await this.compactIfDue();

    // All of it is done: the next, please.
    node.advance();
  }

  private apply(entry: Entry): void {
    const { node, members, peers, store } = this.deps;
    const change = confChangeOfEntry(entry);
    if (change !== undefined) {
      assert(!isConfChangeV2(change), 'nodes are added and removed one at a time');
      // Judged here and not only where it was proposed: another may have come in between. All nodes judge alike, and node 0 means nobody.
      const accepted = members.apply(change);
      peers.update();
      this.confState = node.applyConfChange(accepted ? change : createConfChange({ ...change, nodeId: 0n }));
    } else if (entry.data.length > 0) {
      // (A new leader begins its term with an empty entry.)
      store.apply(entry.data);
    }
    this.applied = entry.index;
  }

  /** A log would grow for ever: now and then the state itself is stored, and the entries that made it are let go. */
  private async compactIfDue(): Promise<void> {
    const { log } = this.deps;
    if (this.applied - log.memory.snapshot().metadata.index < this.options.snapshotCount) return;
    await log.compact(this.snapshot(), this.options.catchUpEntries);
  }

  /** All that the entries up to `applied` have made, and where in the log that is. */
  snapshot(): Snapshot {
    const { log, members, store } = this.deps;
    const { applied: index, confState } = this;
    const state: State = { members: members.snapshot(), store: store.snapshot() };
    return {
      data: utf8ToBytes(JSON.stringify(state)),
      metadata: { index, term: log.memory.term(index), confState },
    };
  }

  private restore({ data, metadata }: Snapshot): void {
    const { members, peers, store } = this.deps;
    const state = JSON.parse(utf8FromBytes(data)) as State;
    members.restore(state.members);
    peers.update();
    store.restore(state.store);
    this.applied = metadata.index;
    this.confState = metadata.confState;
  }
}

/** Everything that entries change, as it stands in a snapshot. */
interface State {
  readonly members: MembersSnapshot;
  readonly store: StoreSnapshot;
}
