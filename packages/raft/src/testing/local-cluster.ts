import { assert } from '../assert.ts';
import { confChangeOfEntry } from '../conf-change-codec.ts';
import type { RaftConfig } from '../core/config.ts';
import type { Raft } from '../core/raft.ts';
import { emptyBytes } from '../entry.ts';
import { MemoryStorage } from '../log/memory-storage.ts';
import type { Message } from '../message.ts';
import { RawNode } from '../raw-node.ts';
import { type ConfState, createConfState, type ReadState, type Snapshot } from '../state.ts';

/** A node of a {@link LocalCluster}, with what it did. */
export interface LocalNode {
  readonly raw: RawNode;
  readonly raft: Raft;
  readonly storage: MemoryStorage;
  /** The state machine: the data of all that was applied. */
  readonly applied: string[];
  /** The configuration at that point. */
  confState: ConfState;
  readonly reads: ReadState[];
}

/** Far more than it takes the nodes of a test to come to rest. */
const READYS_MAX = 50_000;

/** Voters 1 to n on a network that delivers all in order, unless a message is filtered. For unit tests. */
export class LocalCluster {
  readonly nodes = new Map<bigint, LocalNode>();
  /** Messages that are filtered are kept here. */
  readonly held: Message[] = [];
  filter: (message: Message) => boolean = () => false;

  constructor(count: number, options: Partial<RaftConfig> = {}) {
    const voters = Array.from({ length: count }, (_, i) => BigInt(i + 1));
    const confState = createConfState({ voters });
    for (const id of voters) {
      const storage = new MemoryStorage();
      storage.applySnapshot({ data: emptyBytes, metadata: { confState, index: 1, term: 1 } });
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
      this.nodes.set(id, { raw, raft, storage, applied: [], confState, reads: [] });
    }
  }

  node(id: bigint): LocalNode {
    const node = this.nodes.get(id);
    assert(node !== undefined, 'node exists');
    return node;
  }

  /** Handles all Readys and delivers all messages until nothing is left. */
  settle(): void {
    let handled = 0;
    for (let more = true; more; ) {
      more = false;
      for (const node of this.nodes.values()) {
        while (node.raw.hasReady()) {
          more = true;
          assert(handled++ < READYS_MAX, 'the nodes come to rest');
          for (const message of handleReady(node)) this.deliver(message);
        }
      }
    }
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

/** Puts the state machine of a snapshot in place: there it is joined by commas. */
export function restoreApplied(applied: string[], { data }: Snapshot): void {
  const texts = textOf(data).split(',').filter(Boolean);
  applied.splice(0, applied.length, ...texts);
}

/** Does what a Ready says, and returns the messages to send. */
export function handleReady(node: LocalNode): readonly Message[] {
  const { raw, storage, applied } = node;
  const ready = raw.ready();
  if (ready.snapshot !== undefined) {
    storage.applySnapshot(ready.snapshot);
    node.confState = ready.snapshot.metadata.confState;
    restoreApplied(applied, ready.snapshot);
  }
  storage.append(ready.entries);
  if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
  for (const entry of ready.committedEntries) {
    const change = confChangeOfEntry(entry);
    if (change !== undefined) node.confState = raw.applyConfChange(change);
    else if (entry.data.length > 0) applied.push(textOf(entry.data));
  }
  node.reads.push(...ready.readStates);
  raw.advance(ready);
  return ready.messages;
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

export function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
