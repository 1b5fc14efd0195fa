import { assert } from '../../assert.ts';
import { ConfChangeType, type ConfChangeV2, toConfChangeV2 } from '../../conf-change.ts';
import { confChangeOfEntry } from '../../conf-change-codec.ts';
import type { RaftConfig } from '../../core/config.ts';
import type { Raft } from '../../core/raft.ts';
import { type Entry, emptyBytes } from '../../entry.ts';
import { MemoryStorage } from '../../log/memory-storage.ts';
import { type Message, MessageType } from '../../message.ts';
import { RawNode } from '../../raw-node.ts';
import type { Ready } from '../../ready.ts';
import { type ConfState, emptyConfState, type HardState, isEmptyHardState, type Snapshot } from '../../state.ts';
import type { Invariants } from './invariants.ts';

/** A disk: all that is written stays. It also holds the configuration at the index the state machine was at. */
class Disk extends MemoryStorage {
  confState: ConfState = emptyConfState;

  override initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: super.initialState().hardState, confState: this.confState };
  }
}

export type NodeOptions = Omit<RaftConfig, 'storage' | 'applied' | 'id'>;

/** Where in the handling of a Ready a node dies. */
export type CrashPoint = 'before-store' | 'after-store' | 'after-send';

/** A node that can die and come back: what is on its disk stays, its state machine is as durable as its disk. */
export class SimulatedNode {
  readonly id: bigint;
  readonly disk = new Disk();
  raw: RawNode | undefined;
  readonly appendWork: Message[] = [];
  readonly applyWork: Message[] = [];
  /** Requests by context, with what was committed when they were made. */
  readonly reads = new Map<string, number>();
  /** Index up to which the state machine has applied. */
  applied = 0;
  private readonly options: NodeOptions;
  private readonly invariants: Invariants;
  private readonly deliver: (message: Message) => void;

  constructor(id: bigint, options: NodeOptions, invariants: Invariants, deliver: (message: Message) => void) {
    this.id = id;
    this.options = options;
    this.invariants = invariants;
    this.deliver = deliver;
  }

  /** What the checks look into. */
  get raft(): Raft | undefined {
    return this.raw === undefined ? undefined : (this.raw as unknown as { readonly raft: Raft }).raft;
  }

  /** All nodes of the configuration it has applied. */
  memberIds(): bigint[] {
    const { voters, votersOutgoing, learners } = this.disk.confState;
    return [...voters, ...votersOutgoing, ...learners];
  }

  install(snapshot: Snapshot): void {
    this.disk.applySnapshot(snapshot);
    this.applied = snapshot.metadata.index;
    this.disk.confState = snapshot.metadata.confState;
  }

  start(): void {
    assert(this.raw === undefined, 'only a dead node starts');
    // What is applied is committed, though with threads of their own the commit index may be stored later than that.
    const { hardState } = this.disk.initialState();
    if (hardState.commit < this.applied) this.disk.setHardState({ ...hardState, commit: this.applied });
    this.raw = new RawNode({ ...this.options, id: this.id, storage: this.disk, applied: this.applied });
    this.observe(this.disk.firstIndex() - 1);
  }

  crash(): void {
    this.raw = undefined;
    this.appendWork.length = 0;
    this.applyWork.length = 0;
  }

  /** Does something with the living node, and checks everything after it. */
  act<T>(body: (raw: RawNode) => T): T | undefined {
    const { raw, raft } = this;
    if (raw === undefined || raft === undefined) return undefined;
    const before = raft.log.committed;
    const result = body(raw);
    this.observe(before);
    return result;
  }

  private observe(commitBefore: number): void {
    if (this.raft !== undefined) this.invariants.observe(this.raft, commitBefore);
  }

  /** Takes a Ready and does what it says, or dies at the given point of it. */
  handleReady(crashAt?: CrashPoint): void {
    if (!this.act((raw) => raw.hasReady())) return;
    const ready = this.act((raw) => raw.ready());
    assert(ready !== undefined, 'a living node has a Ready');
    this.takeReads(ready);
    if (this.options.asyncStorageWrites) this.queueWork(ready);
    else this.handleInOrder(ready, crashAt);
    if (crashAt !== undefined) this.crash();
  }

  private takeReads(ready: Ready): void {
    for (const { index, requestContext } of ready.readStates) {
      const committed = this.reads.get(requestContext.join());
      if (committed === undefined) continue;
      assert(index >= committed, `read of ${this.id} may see ${index}, but ${committed} was committed before it`);
    }
  }

  private queueWork(ready: Ready): void {
    for (const message of ready.messages) {
      if (message.type === MessageType.MsgStorageAppend) this.appendWork.push(message);
      else if (message.type === MessageType.MsgStorageApply) this.applyWork.push(message);
      else this.deliver(message);
    }
  }

  private handleInOrder(ready: Ready, crashAt: CrashPoint | undefined): void {
    if (crashAt === 'before-store') return;
    this.store(ready.hardState, ready.entries, ready.snapshot);
    if (crashAt === 'after-store') return;
    for (const message of ready.messages) this.deliver(message);
    if (crashAt === 'after-send') return;
    this.apply(ready.committedEntries);
    this.act((raw) => raw.advance(ready));
  }

  /** One piece of work of the append thread; its responses go out when it is done. */
  appendOnce(): void {
    const message = this.appendWork.shift();
    if (message === undefined) return;
    const { term, vote, commit } = message;
    this.store({ term, vote, commit }, message.entries, message.snapshot);
    this.respond(message.responses);
  }

  applyOnce(): void {
    const message = this.applyWork.shift();
    if (message === undefined) return;
    this.apply(message.entries);
    this.respond(message.responses);
  }

  private respond(responses: readonly Message[]): void {
    for (const response of responses) {
      if (response.to === this.id) this.act((raw) => raw.step(response));
      else this.deliver(response);
    }
  }

  private store(hardState: HardState | undefined, entries: readonly Entry[], snapshot: Snapshot | undefined): void {
    if (snapshot !== undefined) this.install(snapshot);
    const first = entries[0];
    if (first !== undefined) {
      this.disk.append(entries);
      const known = first.index > this.disk.firstIndex() - 1;
      if (known) this.invariants.stored(entries, this.disk.term(first.index - 1));
    }
    // With the log, as one atomic write; the commit index must not be ahead of the log when it is read again.
    if (hardState !== undefined && !isEmptyHardState(hardState)) this.disk.setHardState(hardState);
  }

  private apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.applied) continue;
      assert(entry.index === this.applied + 1, `${this.id} applies ${entry.index} after ${this.applied}`);
      this.invariants.applying(entry);
      const change = confChangeOfEntry(entry);
      if (change !== undefined) {
        const confState = this.act((raw) => raw.applyConfChange(this.permitted(toConfChangeV2(change))));
        assert(confState !== undefined, 'a living node applies');
        this.disk.confState = confState;
      }
      this.applied = entry.index;
    }
  }

  /** As servers do: a change that would remove all voters is committed, but has no effect, on any node. */
  private permitted(change: ConfChangeV2): ConfChangeV2 {
    const voters = new Set(this.disk.confState.voters);
    for (const { type, nodeId } of change.changes) {
      if (type === ConfChangeType.AddNode) voters.add(nodeId);
      else voters.delete(nodeId);
    }
    if (voters.size > 0) return change;
    return { ...change, changes: change.changes.map(({ type }) => ({ type, nodeId: 0n })) };
  }

  /** Makes a snapshot of the state machine and drops some of the log. */
  compact(keep: number): void {
    if (this.applied <= this.disk.snapshot().metadata.index || this.applied > this.disk.lastIndex()) return;
    this.disk.createSnapshot(this.applied, this.disk.confState, emptyBytes);
    const index = this.applied - keep;
    if (index >= this.disk.firstIndex()) this.disk.compact(index);
  }
}
