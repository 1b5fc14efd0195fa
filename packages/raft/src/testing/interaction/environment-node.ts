import { confChangeOfEntry } from '../../conf-change-codec.ts';
import type { RaftConfig } from '../../core/config.ts';
import { type Entry, EntryType, emptyBytes } from '../../entry.ts';
import { MemoryStorage } from '../../log/memory-storage.ts';
import type { Message } from '../../message.ts';
import { RawNode } from '../../raw-node.ts';
import { type HardState, isEmptyHardState, isEmptySnapshot, type Snapshot } from '../../state.ts';

/** Gives out the snapshot of the state machine rather than the stored one. */
class OverriddenStorage extends MemoryStorage {
  private readonly newest: () => Snapshot;

  constructor(newest: () => Snapshot) {
    super();
    this.newest = newest;
  }

  override snapshot(): Snapshot {
    return this.newest();
  }
}

/** A node of a scenario: raft, its storage, a state machine that appends, and the work of its threads. */
export class EnvironmentNode {
  readonly config: RaftConfig;
  readonly raw: RawNode;
  readonly storage: MemoryStorage;
  readonly appendWork: Message[] = [];
  readonly applyWork: Message[] = [];
  /** Snapshots after each applied entry. One that was received is none of them: the format wants it so. */
  private readonly history: Snapshot[];

  constructor(config: Omit<RaftConfig, 'storage'>, initial: Snapshot) {
    this.history = [initial];
    this.storage = new OverriddenStorage(() => this.newest());
    if (!isEmptySnapshot(initial)) this.storage.applySnapshot(initial);
    this.config = { ...config, storage: this.storage };
    this.raw = new RawNode(this.config);
  }

  private newest(): Snapshot {
    return this.history.at(-1) as Snapshot;
  }

  /** @throws {Error} when a snapshot comes together with entries */
  store(hardState: HardState | undefined, entries: readonly Entry[], snapshot: Snapshot | undefined): void {
    if (hardState !== undefined && !isEmptyHardState(hardState)) this.storage.setHardState(hardState);
    if (snapshot !== undefined && !isEmptySnapshot(snapshot)) {
      if (entries.length > 0) throw new Error("can't apply snapshot and entries at the same time");
      this.storage.applySnapshot(snapshot);
      return;
    }
    this.storage.append(entries);
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const before = this.newest();
      const change = confChangeOfEntry(entry);
      const confState = change === undefined ? before.metadata.confState : this.raw.applyConfChange(change);
      const update = entry.type === EntryType.Normal ? entry.data : (change?.context ?? emptyBytes);
      const data = new Uint8Array(before.data.length + update.length);
      data.set(before.data);
      data.set(update, before.data.length);
      this.history.push({ data, metadata: { confState, index: entry.index, term: entry.term } });
    }
  }
}
