import { bootstrap, type Peer } from './bootstrap.ts';
import { type AnyConfChange, toConfChangeV2 } from './conf-change.ts';
import { encodeAnyConfChange } from './conf-change-codec.ts';
import type { RaftConfig } from './core/config.ts';
import { hup } from './core/election.ts';
import { applyConfChange } from './core/membership.ts';
import { proposePayloads } from './core/propose.ts';
import { Raft } from './core/raft.ts';
import {
  storageAppendMessage,
  storageAppendResponse,
  storageApplyMessage,
  storageApplyResponse,
} from './core/storage-messages.ts';
import { validateMessage } from './core/validate.ts';
import { type Entry, type EntryInit, EntryType, entriesSize } from './entry.ts';
import { proposalDropped, type RaftError, stepLocalMessage, stepPeerNotFound } from './errors.ts';
import { fatal } from './fatal.ts';
import {
  completeMessage,
  createMessage,
  isLocalMessage,
  isResponseMessage,
  type Message,
  type MessageInit,
  MessageType,
} from './message.ts';
import type { Ready } from './ready.ts';
import {
  type ConfState,
  emptyHardState,
  type HardState,
  isEmptyHardState,
  isLocalTarget,
  type ReadState,
  type SoftState,
} from './state.ts';
import { type BasicStatus, basicStatusOf, type Status, statusOf } from './status.ts';
import type { Progress } from './tracker/progress.ts';

const noReadStates: readonly ReadState[] = Object.freeze([]);

/** What raft tells itself once an accepted Ready is done. */
interface AdvancePlan {
  /** Those to the node itself are; the others went out with the Ready. */
  readonly acknowledgements: readonly Message[];
  readonly appended: Message | undefined;
  readonly applied: Message | undefined;
}

/**
 * A Raft node as a plain state machine: messages, ticks and proposals go in, a {@link Ready} comes out. It never waits,
 * keeps no time and does no I/O. Methods that may be refused return a {@link RaftError}, or undefined when all is well.
 */
export class RawNode {
  private readonly raft: Raft;
  private readonly asyncStorageWrites: boolean;
  private previousSoftState: SoftState;
  private previousHardState: HardState;
  /** Set while an accepted Ready is not done. */
  private plan: AdvancePlan | undefined = undefined;

  /**
   * A follower with what the storage holds. Nothing happens until it is told of ticks or messages.
   * @throws {RaftError} raft/invalid-config
   * @throws {InvariantError} when the storage contradicts itself: a commit index outside its log, say
   */
  constructor(config: RaftConfig) {
    this.raft = new Raft(config);
    this.asyncStorageWrites = config.asyncStorageWrites ?? false;
    this.previousSoftState = this.raft.softState();
    this.previousHardState = this.raft.hardState();
  }

  /**
   * Makes the members of a new cluster: the log begins with a committed change for each, in the order given, which must be
   * the same on all of them. They are in force at once; the application sees them as committed entries all the same. Not
   * for a node that joins later or starts again.
   * @throws {RaftError} raft/bootstrap without peers, or with a storage that is not empty
   */
  bootstrap(peers: readonly Peer[]): void {
    bootstrap(this.raft, peers);
    // So that the first Ready stores all of it.
    this.previousHardState = emptyHardState;
  }

  // What goes in.

  /** One tick of the clock that elections and heartbeats are counted in, see `RaftConfig.electionTick`. */
  tick(): void {
    this.raft.tick();
  }

  /** Lets time pass for elections only, and calls none: for groups that sleep while nothing happens. */
  tickQuiesced(): void {
    this.raft.electionElapsed++;
  }

  /**
   * Calls an election now, beginning with a pre-election if there is `preVote`. Nothing happens on a leader, on a learner, on
   * a node outside its own configuration, while a snapshot is being taken in, or while a committed configuration change is
   * not applied.
   */
  campaign(): void {
    hup(this.raft, this.raft.settings.preVote ? 'pre-election' : 'election');
  }

  /**
   * Proposes one entry: a leader appends it, a follower sends it to the leader. The data is kept without a copy. To be taken
   * is not to be committed: it may be lost with the leadership, or with the message.
   * @returns raft/proposal-dropped when it was not taken
   */
  propose(data: Uint8Array): RaftError | undefined {
    return proposePayloads(this.raft, [data]);
  }

  /**
   * As {@link propose}, with an entry for each of the payloads, in order; all or none are taken. The cheapest way to propose.
   * @returns raft/proposal-dropped when they were not taken
   */
  proposeBatch(payloads: readonly Uint8Array[]): RaftError | undefined {
    return payloads.length === 0 ? undefined : proposePayloads(this.raft, payloads);
  }

  /**
   * As {@link proposeBatch}, with entries of any type.
   * @returns raft/proposal-dropped, or raft/invalid-conf-change for a malformed change
   */
  proposeEntries(entries: readonly EntryInit[]): RaftError | undefined {
    return entries.length === 0 ? undefined : this.raft.propose(entries);
  }

  /**
   * Proposes a change of the configuration. One at a time: while another is not applied, or when it does not fit a joint
   * configuration, an empty entry takes its place in the log (chapter 4 of the thesis).
   * @returns raft/proposal-dropped when it was not taken
   */
  proposeConfChange(change: AnyConfChange): RaftError | undefined {
    return this.raft.propose([encodeAnyConfChange(change)]);
  }

  /**
   * Takes a committed change into force; to be called for each one that is applied. An application that decides to ignore it,
   * which all nodes must do alike, passes it with node ids 0.
   * @returns the configuration to store with snapshots from there on
   * @throws {InvariantError} when the change does not fit the configuration: it would remove all voters, say
   */
  applyConfChange(change: AnyConfChange): ConfState {
    return applyConfChange(this.raft, toConfChangeV2(change));
  }

  /**
   * Takes a message from another node, or a response from a storage thread, and keeps it without a copy. One that is late,
   * repeated or of an old term is taken and ignored.
   * @returns raft/step-local-message, raft/step-peer-not-found, raft/invalid-message, raft/proposal-dropped,
   * raft/invalid-conf-change; all mean that the message had no effect, and none that the node is broken
   * @throws {InvariantError} when the message contradicts what is committed: the node must stop
   */
  step(init: MessageInit): RaftError | undefined {
    const { type } = init;
    if (type === MessageType.MsgProp && init.term === undefined) return this.stepProposal(init);
    const message = completeMessage(init);
    const { from } = message;
    if (isLocalMessage(type) && !isLocalTarget(from)) return stepLocalMessage;
    if (isResponseMessage(type) && this.raft.tracker.find(from) === undefined && !isLocalTarget(from)) {
      return stepPeerNotFound;
    }
    return validateMessage(message) ?? this.raft.step(message);
  }

  /** Spares local proposals the detour over a complete message. */
  private stepProposal(init: MessageInit): RaftError | undefined {
    const { entries = [] } = init;
    return entries.length === 0 ? proposalDropped : this.raft.propose(entries);
  }

  /** The application could not send to a node: its next messages will find out how far it got. */
  reportUnreachable(id: bigint): void {
    this.raft.step(createMessage({ type: MessageType.MsgUnreachable, from: id }));
  }

  /**
   * How sending a snapshot to a node went; to be called for each MsgSnap. Success is not yet that it was applied, but the way
   * is free for entries.
   */
  reportSnapshot(id: bigint, status: 'finished' | 'failed'): void {
    this.raft.step(createMessage({ type: MessageType.MsgSnapStatus, from: id, reject: status === 'failed' }));
  }

  /**
   * Asks the leader, through a follower if need be, to hand leadership to a voter (section 3.10 of the thesis). The leader
   * drops proposals meanwhile, and gives up after an election timeout. `basicStatus` tells how it went.
   */
  transferLeader(transferee: bigint): void {
    this.raft.step(createMessage({ type: MessageType.MsgTransferLeader, from: transferee }));
  }

  /** As a follower, forgets who leads, so that it may vote at once. Nothing happens without one, or with lease-based reads. */
  forgetLeader(): void {
    this.raft.step(createMessage({ type: MessageType.MsgForgetLeader }));
  }

  /**
   * Asks for an index a linearizable read must wait for (section 6.4 of the thesis). It comes as a ReadState with the same
   * context, or never, if messages are lost or there is no leader: then ask again. One index serves all reads that were
   * waiting when it was asked for.
   */
  readIndex(context: Uint8Array): void {
    this.raft.step(createMessage({ type: MessageType.MsgReadIndex, entries: [{ data: context }] }));
  }

  // What comes out.

  /** Whether {@link ready} has anything to tell. */
  hasReady(): boolean {
    const { raft } = this;
    const { log } = raft;
    return (
      raft.messages.length > 0 ||
      raft.messagesAfterAppend.length > 0 ||
      log.unstable.hasNextEntries() ||
      log.hasNextCommitted(!this.asyncStorageWrites) ||
      log.unstable.nextSnapshot() !== undefined ||
      raft.readStates.length > 0 ||
      this.changedSoftState() !== undefined ||
      this.changedHardState() !== undefined
    );
  }

  /**
   * What is to be done now. It counts as taken on: without asynchronous storage writes {@link advance} must follow before the
   * next is asked for.
   * @throws {InvariantError} for a second one without `advance`, if the first had something to store or apply
   */
  ready(): Ready {
    const ready = this.readyWithoutAccept();
    this.acceptReady(ready);
    return ready;
  }

  /** What {@link ready} would return, with nothing changed. */
  readyWithoutAccept(): Ready {
    const { raft } = this;
    const { unstable } = raft.log;
    const entries = unstable.nextEntries();
    const parts = {
      softState: this.changedSoftState(),
      hardState: this.changedHardState(),
      readStates: raft.readStates.length === 0 ? noReadStates : raft.readStates,
      entries,
      snapshot: unstable.nextSnapshot(),
      committedEntries: raft.log.nextCommitted(!this.asyncStorageWrites),
      messages: raft.messages as readonly Message[],
      mustSync:
        entries.length > 0 || raft.term !== this.previousHardState.term || raft.vote !== this.previousHardState.vote,
    };
    parts.messages = this.asyncStorageWrites ? this.withStorageWork(parts) : this.messagesForOthers();
    return parts;
  }

  private withStorageWork(parts: Pick<Ready, 'hardState' | 'entries' | 'snapshot' | 'committedEntries'>): Message[] {
    const append = storageAppendMessage(this.raft, parts);
    const apply = storageApplyMessage(this.raft, parts);
    const messages = [...this.raft.messages];
    if (append !== undefined) messages.push(append);
    if (apply !== undefined) messages.push(apply);
    return messages;
  }

  /** Those that depend on storage too, as it comes before sending. */
  private messagesForOthers(): readonly Message[] {
    const { messages, messagesAfterAppend, id } = this.raft;
    const own = countTo(id, messagesAfterAppend);
    if (own === messagesAfterAppend.length) return messages;
    const dependent = own === 0 ? messagesAfterAppend : without(id, messagesAfterAppend);
    return messages.length === 0 ? dependent : messages.concat(dependent);
  }

  /**
   * Takes on what {@link readyWithoutAccept} returned; nothing may have happened in between.
   * @throws {InvariantError} for a second one without {@link advance}, as {@link ready}
   */
  acceptReady(ready: Ready): void {
    const { raft } = this;
    if (ready.softState !== undefined) this.previousSoftState = ready.softState;
    if (ready.hardState !== undefined) this.previousHardState = ready.hardState;
    if (ready.readStates.length > 0) raft.readStates = [];
    if (!this.asyncStorageWrites) this.planAdvance(ready);
    raft.messages = [];
    raft.messagesAfterAppend = [];
    raft.log.unstable.acceptInProgress();
    const last = ready.committedEntries.at(-1);
    if (last !== undefined) {
      raft.log.acceptApplying(last.index, this.applyingSize(ready.committedEntries), !this.asyncStorageWrites);
    }
    raft.trace('Ready');
  }

  private applyingSize(entries: readonly Entry[]): number {
    return this.raft.settings.maxCommittedSizePerReady === Number.POSITIVE_INFINITY ? 0 : entriesSize(entries);
  }

  private planAdvance(ready: Ready): void {
    const { raft } = this;
    if (this.plan !== undefined) fatal(raft.logger, 'two accepted Ready structs without call to Advance');
    const { messagesAfterAppend: acknowledgements, id } = raft;
    const appended = storageAppendResponse(raft, ready);
    const applied = storageApplyResponse(raft, ready);
    if (appended !== undefined || applied !== undefined || countTo(id, acknowledgements) > 0) {
      this.plan = { acknowledgements, appended, applied };
    }
  }

  /**
   * All of the last Ready is stored, sent and applied. The argument is not used; it is there for those who pass it.
   * @throws {InvariantError} with asynchronous storage writes, where responses say so
   */
  advance(_ready?: Ready): void {
    if (this.asyncStorageWrites) fatal(this.raft.logger, 'Advance must not be called when using AsyncStorageWrites');
    const { raft, plan } = this;
    if (plan === undefined) return;
    this.plan = undefined;
    for (const message of plan.acknowledgements) if (message.to === raft.id) raft.step(message);
    if (plan.appended !== undefined) raft.step(plan.appended);
    if (plan.applied !== undefined) raft.step(plan.applied);
  }

  private changedSoftState(): SoftState | undefined {
    const { previousSoftState: previous, raft } = this;
    return previous.leader === raft.lead && previous.state === raft.role.state ? undefined : raft.softState();
  }

  private changedHardState(): HardState | undefined {
    const { previousHardState: previous, raft } = this;
    if (previous.term === raft.term && previous.vote === raft.vote && previous.commit === raft.log.committed) {
      return undefined;
    }
    const now = raft.hardState();
    return isEmptyHardState(now) ? undefined : now;
  }

  // What is known.

  /** Term, vote, indexes, leader and role: cheap. */
  basicStatus(): BasicStatus {
    return basicStatusOf(this.raft);
  }

  /** All of it, with copies of what a leader knows of each node. */
  status(): Status {
    return statusOf(this.raft);
  }

  /** Visits the progress of all nodes, ascending by id, as it is and without a copy: not to be kept or changed. */
  withProgress(visit: (id: bigint, progress: Progress) => void): void {
    for (const progress of this.raft.tracker.ordered) visit(progress.id, progress);
  }

  /** Whether the entry is a change of the configuration, to be decoded and given to {@link applyConfChange}. */
  static isConfChange(entry: Entry): boolean {
    return entry.type !== EntryType.Normal;
  }

  /** Fixes the drawn election timeout, in ticks, until the next change of role or term. For tests. */
  setRandomizedElectionTimeout(ticks: number): void {
    this.raft.randomizedElectionTimeout = ticks;
  }
}

function countTo(id: bigint, messages: readonly Message[]): number {
  let count = 0;
  for (const message of messages) if (message.to === id) count++;
  return count;
}

function without(id: bigint, messages: readonly Message[]): Message[] {
  return messages.filter((message) => message.to !== id);
}
