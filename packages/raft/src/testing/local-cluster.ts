import { assert } from '../assert.ts';
import { confChangeOfEntry } from '../conf-change-codec.ts';
import type { RaftConfig } from '../core/config.ts';
import type { Raft } from '../core/raft.ts';
import { emptyBytes } from '../entry.ts';
import { MemoryStorage } from '../log/memory-storage.ts';
import type { Message } from '../message.ts';
import { RawNode } from '../raw-node.ts';
import { createConfState, type ReadState } from '../state.ts';

/** A node of a {@link LocalCluster}, with what it did. */
export interface LocalNode {
  readonly raw: RawNode;
  readonly raft: Raft;
  readonly storage: MemoryStorage;
  readonly applied: string[];
  readonly reads: ReadState[];
}

/** Voters 1 to n on a network that delivers all in order, unless a message is filtered. For unit tests. */
export class LocalCluster {
  readonly nodes = new Map<bigint, LocalNode>();
  /** Messages that are filtered are kept here. */
  readonly held: Message[] = [];
  filter: (message: Message) => boolean = () => false;

  constructor(count: number, options: Partial<RaftConfig> = {}) {
    const voters = Array.from({ length: count }, (_, i) => BigInt(i + 1));
    for (const id of voters) {
      const storage = new MemoryStorage();
      storage.applySnapshot({
        data: emptyBytes,
        metadata: { confState: createConfState({ voters }), index: 1, term: 1 },
      });
      storage.setHardState({ term: 1, vote: 0n, commit: 1 });
      const raw = new RawNode({
        electionTick: 10,
        heartbeatTick: 1,
        maxInflightMsgs: 256,
        random: () => 0,
        ...options,
        id,
        storage,
      });
      const { raft } = raw as unknown as { readonly raft: Raft };
      this.nodes.set(id, { raw, raft, storage, applied: [], reads: [] });
    }
  }

  node(id: bigint): LocalNode {
    const node = this.nodes.get(id);
    assert(node !== undefined, 'node exists');
    return node;
  }

  /** Handles all Readys and delivers all messages until nothing is left. */
  settle(): void {
    for (let more = true; more; ) {
      more = false;
      for (const node of this.nodes.values()) {
        while (node.raw.hasReady()) {
          more = true;
          for (const message of this.handleReady(node)) this.deliver(message);
        }
      }
    }
  }

  private handleReady(node: LocalNode): readonly Message[] {
    const ready = node.raw.ready();
    if (ready.snapshot !== undefined) node.storage.applySnapshot(ready.snapshot);
    node.storage.append(ready.entries);
    if (ready.hardState !== undefined) node.storage.setHardState(ready.hardState);
    for (const entry of ready.committedEntries) {
      const change = confChangeOfEntry(entry);
      if (change !== undefined) node.raw.applyConfChange(change);
      else if (entry.data.length > 0) node.applied.push(String.fromCharCode(...entry.data));
    }
    node.reads.push(...ready.readStates);
    node.raw.advance(ready);
    return ready.messages;
  }

  deliver(message: Message): void {
    if (this.filter(message)) this.held.push(message);
    else this.nodes.get(message.to)?.raw.step(message);
  }

  elect(id: bigint): LocalNode {
    this.node(id).raw.campaign();
    this.settle();
    return this.node(id);
  }
}
