import { assert } from '../../assert.ts';
import { ConfChangeType, type ConfChangeV2, toConfChangeV2 } from '../../conf-change.ts';
import { confChangeOfEntry } from '../../conf-change-codec.ts';
import type { Raft } from '../../core/raft.ts';
import type { Entry } from '../../entry.ts';
import { type Message, MessageType } from '../../message.ts';
import { RawNode } from '../../raw-node.ts';
import type { Ready } from '../../ready.ts';
import { type ConfState, type HardState, isEmptyHardState, type Snapshot, StateType } from '../../state.ts';
import { broken } from './broken.ts';
import type { ClusterSetup } from './cluster-setup.ts';
import type { Invariants } from './invariants.ts';
import { checkLimits } from './limits.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedDisk } from './simulated-disk.ts';

type Stage = 'store' | 'send' | 'apply' | 'advance';

const inOrder: readonly Stage[] = ['store', 'send', 'apply', 'advance'];
const sendingFirst: readonly Stage[] = ['send', 'store', 'apply', 'advance'];

/** A node that does its work in stages, and can die between any two of them and come back with what is on its disk. */
export class SimulatedNode {
  readonly id: bigint;
  readonly disk = new SimulatedDisk();
  raw: RawNode | undefined;
  /** Ticks it had in all its lives. */
  ticks = 0;
  crashes = 0;
  readsAnswered = 0;
  snapshotsInstalled = 0;
  /** Requests by context, with what was committed when they were made first. */
  readonly reads = new Map<number, number>();
  private readonly setup: ClusterSetup;
  private readonly invariants: Invariants;
  private readonly deliver: (message: Message) => void;
  private readonly random: SeededRandom;
  /** The Ready at hand, and what is still to be done of it. */
  private ready: Ready | undefined;
  private plan: readonly Stage[] = [];
  /** Index of the entry that raft is to hand out next for applying. */
  private nextToApply = 0;
  private readonly appendWork: Message[] = [];
  private readonly applyWork: Message[] = [];
  /** The first piece of work is done, but not yet answered. */
  private appendDone = false;
  private applyDone = false;

  constructor(id: bigint, setup: ClusterSetup, invariants: Invariants, deliver: (message: Message) => void) {
    this.id = id;
    this.setup = setup;
    this.invariants = invariants;
    this.deliver = deliver;
    this.random = new SeededRandom(setup.seed * 16 + Number(id));
  }

  /** What the checks look into. */
  get raft(): Raft | undefined {
    return this.raw === undefined ? undefined : (this.raw as unknown as { readonly raft: Raft }).raft;
  }

  get isLeader(): boolean {
    return this.raft?.role.state === StateType.Leader;
  }

  /** All nodes of the configuration it has applied. */
  memberIds(): bigint[] {
    const { voters, votersOutgoing, learners } = this.disk.confState;
    return [...voters, ...votersOutgoing, ...learners];
  }

  start(): void {
    if (this.raw !== undefined) return;
    const { disk, random } = this;
    disk.recover();
    this.raw = new RawNode({ ...this.setup.options, random, id: this.id, storage: disk, applied: disk.applied });
    this.nextToApply = disk.applied + 1;
    this.invariants.started(this);
  }

  /**
   * @param torn the write or the applying that would be next is under way: so many of its entries are done. Of a write the
   * hard state comes last, as in the library's contract.
   */
  crash(losesUnsynced: boolean, torn: number): void {
    if (this.raw === undefined) return;
    this.crashes++;
    if (torn > 0) this.tear(torn);
    this.raw = undefined;
    this.ready = undefined;
    this.plan = [];
    this.appendWork.length = 0;
    this.applyWork.length = 0;
    this.appendDone = false;
    this.applyDone = false;
    this.disk.crash(losesUnsynced, this.setup.durableApply);
  }

  private tear(count: number): void {
    const append = this.appendDone ? undefined : this.appendWork[0];
    if (append !== undefined && append.snapshot === undefined)
      this.disk.write(append.entries.slice(0, count), undefined);
    const { ready, plan } = this;
    if (ready === undefined) return;
    if (plan.includes('store') && ready.snapshot === undefined)
      this.disk.write(ready.entries.slice(0, count), undefined);
    if (plan[0] === 'apply') this.apply(ready.committedEntries.slice(0, count));
  }

  /** Does something with the living node, and checks everything after it. */
  act<T>(body: (raw: RawNode) => T): T | undefined {
    const { raw } = this;
    if (raw === undefined) return undefined;
    const result = body(raw);
    this.invariants.acted(this);
    return result;
  }

  /** Takes a message in. */
  receive(message: Message): void {
    const { raw, raft } = this;
    if (raw === undefined || raft === undefined) return;
    const { term, vote } = raft;
    const refused = raw.step(message) !== undefined;
    this.invariants.acted(this, message);
    if (!refused) this.invariants.received(this, message, term, vote);
  }

  hasWork(): boolean {
    if (this.raw === undefined) return false;
    return this.plan.length > 0 || this.appendWork.length > 0 || this.applyWork.length > 0 || this.raw.hasReady();
  }

  /** Does all there is at hand: the Ready in work or else a new one, and the threads' work. */
  work(): void {
    do this.stage();
    while (this.plan.length > 0);
    while (this.appendWork.length > 0) this.append();
    while (this.applyWork.length > 0) this.applyNext();
  }

  compact(keep: number): void {
    if (this.raft !== undefined) this.disk.compactTo(keep, this.raft.log.applied);
  }

  /** The next stage of the Ready in work; takes a Ready if there is none. */
  stage(): void {
    const [next, ...rest] = this.plan;
    if (next === undefined) {
      this.takeReady();
      return;
    }
    const ready = this.ready as Ready;
    this.plan = rest;
    if (next === 'store') {
      if (!ready.mustSync) this.checkMayWait(ready);
      this.store(ready.hardState, ready.entries, ready.snapshot);
    }
    if (next === 'send') for (const message of ready.messages) this.deliver(message);
    if (next === 'apply') this.apply(ready.committedEntries);
    if (next === 'advance') this.act((raw) => raw.advance(ready));
  }

  private takeReady(): void {
    const { raw, raft, invariants } = this;
    if (raw === undefined || raft === undefined || !raw.hasReady()) return;
    const ready = this.act((living) => living.ready()) as Ready;
    invariants.log.handedOut(raft, ready.entries);
    checkLimits(ready, this.setup.options);
    this.checkOrder(ready);
    this.takeReads(ready);
    if (this.setup.options.asyncStorageWrites === true) {
      this.queueWork(ready);
      return;
    }
    this.ready = ready;
    this.plan = this.setup.sendsEarly && this.isLeader ? sendingFirst : inOrder;
  }

  /** Entries are handed out for applying once each, in order; a snapshot comes in place of those up to it. */
  private checkOrder({ snapshot, committedEntries }: Ready): void {
    if (snapshot !== undefined) this.nextToApply = snapshot.metadata.index + 1;
    for (const { index } of committedEntries) {
      if (index !== this.nextToApply)
        broken(`handed out of order: ${index} on ${this.id} instead of ${this.nextToApply}`);
      this.nextToApply++;
    }
  }

  private takeReads(ready: Ready): void {
    for (const { index, requestContext } of ready.readStates) {
      const committed = this.reads.get(readNumber(requestContext));
      if (committed === undefined) continue;
      this.readsAnswered++;
      assert(index >= committed, `stale read: ${this.id} may see ${index}, but ${committed} was committed before it`);
    }
  }

  private queueWork(ready: Ready): void {
    for (const message of ready.messages) {
      if (message.type === MessageType.MsgStorageAppend) this.appendWork.push(message);
      else if (message.type === MessageType.MsgStorageApply) this.applyWork.push(message);
      else this.deliver(message);
    }
  }

  /** The next stage of the append thread: to store, then to answer. */
  append(): void {
    const message = this.appendWork[0];
    if (message === undefined) return;
    if (this.appendDone) {
      this.appendWork.shift();
      this.appendDone = false;
      this.respond(message.responses);
      return;
    }
    const { term, vote, commit } = message;
    this.store({ term, vote, commit }, message.entries, message.snapshot);
    this.appendDone = true;
  }

  /** The next stage of the apply thread: to apply, then to answer. */
  applyNext(): void {
    const message = this.applyWork[0];
    if (message === undefined) return;
    if (this.applyDone) {
      this.applyWork.shift();
      this.applyDone = false;
      this.respond(message.responses);
      return;
    }
    this.apply(message.entries);
    this.applyDone = true;
  }

  private respond(responses: readonly Message[]): void {
    for (const response of responses) {
      if (response.to === this.id) this.act((raw) => raw.step(response));
      else this.deliver(response);
    }
  }

  /** What raft says need not be synced may be lost: a commit index alone. */
  private checkMayWait({ entries, hardState }: Ready): void {
    const { term, vote } = this.disk.hard;
    const isCommitAlone = hardState === undefined || (hardState.term === term && hardState.vote === vote);
    if (entries.length > 0 || !isCommitAlone) broken(`sync missing: ${this.id} may lose entries, term or vote`);
  }

  private store(hardState: HardState | undefined, entries: readonly Entry[], snapshot: Snapshot | undefined): void {
    const hard = hardState === undefined || isEmptyHardState(hardState) ? undefined : hardState;
    if (hard !== undefined) this.invariants.elections.storing(this.id, this.disk.hard, hard);
    if (this.raft !== undefined) this.invariants.log.storing(this.raft, this.disk, entries);
    if (snapshot !== undefined) {
      this.disk.install(snapshot);
      this.snapshotsInstalled++;
    }
    this.disk.write(entries, hard);
  }

  private apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      // A snapshot may have overtaken what was handed out before it came.
      if (entry.index <= this.disk.applied) continue;
      this.invariants.log.applying(entry, this.disk);
      this.disk.applyEntry(entry, this.applyChange(entry));
    }
  }

  private applyChange(entry: Entry): ConfState | undefined {
    const change = confChangeOfEntry(entry);
    if (change === undefined) return undefined;
    const permitted = permittedChange(toConfChangeV2(change), this.disk.confState);
    const confState = this.act((raw) => raw.applyConfChange(permitted));
    assert(confState !== undefined, 'a living node applies');
    this.invariants.membership.applied(this, entry.index, confState);
    return confState;
  }
}

/** As servers do: a change that would remove all voters is committed, but has no effect, on any node. */
function permittedChange(change: ConfChangeV2, before: ConfState): ConfChangeV2 {
  const voters = new Set(before.voters);
  for (const { type, nodeId } of change.changes) {
    if (type === ConfChangeType.AddNode) voters.add(nodeId);
    else voters.delete(nodeId);
  }
  if (voters.size > 0) return change;
  return { ...change, changes: change.changes.map(({ type }) => ({ type, nodeId: 0n })) };
}

/** Payloads and read contexts are numbers in 4 bytes. */
export function numberBytes(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

function readNumber(bytes: Uint8Array): number {
  return (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8) | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 24);
}
