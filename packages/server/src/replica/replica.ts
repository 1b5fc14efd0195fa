import type { Timer } from '@quorate/base';
import type { Identity } from '@quorate/machine';
import {
  type ConfChange,
  type ConfState,
  type Entry,
  EntryType,
  type Message,
  MessageType,
  type RawNode,
  type Ready,
  type Snapshot,
} from '@quorate/raft';
import { defaultLimits, type ReplicaDeps, type ReplicaLimits, type ReplicaOptions } from './contract.ts';
import { type PendingRead, PendingReads } from './pending-reads.ts';
import { Proposer } from './proposer.ts';
import { noReplicaMetrics, type ReplicaMetrics } from './replica-metrics.ts';
import { ReplicaRole } from './replica-role.ts';
import { SnapshotInstaller } from './snapshot-installer.ts';
import { TurnTime } from './turn-time.ts';
import type { PendingCall } from './waiting-calls.ts';
import { Watchdog } from './watchdog.ts';

const readRetryMs = 500;

/**
 * The loop that drives raft. Whatever arrives in one turn of the event loop is proposed together, and `turn` takes raft's
 * answers: persist, send, apply, in the order that safety needs. While a sync is in flight the next batch gathers.
 */
export class Replica<Result> {
  private readonly deps: ReplicaDeps<Result>;
  private readonly options: ReplicaOptions;
  private readonly limits: ReplicaLimits;
  private readonly proposer: Proposer<Result>;
  private readonly turnTime: TurnTime;
  private readonly metrics: ReplicaMetrics;
  private readonly reads: PendingReads;
  /** Proposals are not handed over until the disk has caught up. */
  private isHeldBack = false;
  private received: Message[] = [];
  private state: 'idle' | 'scheduled' | 'persisting' | 'stopped' = 'idle';
  private ticker: Timer | undefined;
  private persistingSinceMs = 0;
  private readonly watchdog: Watchdog;
  private readonly snapshots: SnapshotInstaller;
  private readonly role: ReplicaRole;
  private commitIndex: number;
  private appliedTerm = 0;
  private lastTickMs: number;

  constructor(deps: ReplicaDeps<Result>, options: ReplicaOptions) {
    this.deps = deps;
    this.options = options;
    this.limits = { ...defaultLimits, ...options.limits };
    const metrics = deps.metrics ?? noReplicaMetrics;
    this.metrics = metrics;
    const answered = (field: number, tookMs: number) => metrics.requestEnded(field, tookMs, true);
    const failed = (field: number, sinceMs: number) => metrics.requestEnded(field, deps.clock.nowMs() - sinceMs, false);
    this.proposer = new Proposer({ ...deps, answered, failed }, { ...options, ...this.limits });
    this.turnTime = new TurnTime(deps.clock);
    // Unique over the cluster: leaders tell questions apart by their context alone.
    this.reads = new PendingReads({
      timeoutMs: options.requestTimeoutMs,
      retryMs: readRetryMs,
      nextContext: () => deps.ids.take(),
      onFailed: (batches, symbol) => {
        if (symbol === 'ErrGRPCTimeout') metrics.readIndexesSlow(batches);
        else metrics.readIndexesFailed(batches);
      },
    });
    this.lastTickMs = deps.clock.nowMs();
    const { heartbeatMs, electionMs } = options;
    const onStall = deps.onStall ?? (() => {});
    this.watchdog = new Watchdog({ heartbeatMs, electionMs, onStall }, this.lastTickMs);
    this.commitIndex = deps.node.basicStatus().hardState.commit;
    this.role = this.makeRole();
    this.snapshots = this.makeInstaller();
  }

  private makeRole(): ReplicaRole {
    const { deps, metrics } = this;
    const onOtherLeader = (isFirst: boolean) => {
      // Losing the leader alone fails nothing: the reads ask the next one.
      if (!isFirst) this.reads.failAll('ErrGRPCLeaderChanged');
      metrics.leaderChanged();
    };
    const { confState, electionMs } = this.options;
    return new ReplicaRole({ ...deps, onOtherLeader, onChange: deps.onRoleChange }, confState, electionMs);
  }

  private makeInstaller(): SnapshotInstaller {
    return new SnapshotInstaller({
      ...this.deps,
      applyEntries: (entries) => this.applyEntries(entries),
      onInstalling: (isInstalling) => this.metrics.installingSnapshot(isInstalling),
      onInstalled: (snapshot) => {
        this.appliedTerm = snapshot.metadata.term;
      },
      onDone: (rest) => {
        if (this.state === 'stopped') return;
        this.applyEntries(rest);
        this.schedule();
      },
      onFatal: (error) => this.die(error),
    });
  }

  /** Whether a call here waits for the request with this id. */
  isAwaited(idHigh: number, idLow: number): boolean {
    return this.proposer.isAwaited(idHigh, idLow);
  }

  /** Proposals that wait for their result. */
  get pendingProposals(): number {
    return this.proposer.pending;
  }

  /** The configuration in force. */
  get configuration(): ConfState {
    return this.role.confState;
  }

  /** Starts ticking. A member that is the only voter stands for election at once: there is nobody to wait for. */
  start(): void {
    this.ticker = this.deps.clock.setTimer(this.options.heartbeatMs, () => this.tick());
    this.schedule();
  }

  /** Fails whatever waits and stops taking part. A sync in flight ends by itself. */
  stop(): void {
    this.state = 'stopped';
    this.ticker?.cancel();
    this.snapshots.abandon();
    this.proposer.failAll('ErrGRPCStopped');
    this.reads.failAll('ErrGRPCStopped');
  }

  get leader(): bigint {
    return this.role.leader;
  }

  get isLeader(): boolean {
    return this.role.isLeader;
  }

  get term(): number {
    return this.role.term;
  }

  get committedIndex(): number {
    return this.commitIndex;
  }

  /** Proposes a request, of whom it says, whose bytes are spliced into the entry; `request` is copied before this returns. */
  propose(field: number, request: Uint8Array, call: PendingCall<Result>, identity?: Identity): void {
    if (
      this.takes(call, this.gapsOf(field)) &&
      this.proposer.add(field, request, call, this.turnTime.nowMs(), identity)
    )
      this.schedule();
  }

  /**
   * Proposes what this member decides as leader, from what only a leader knows. It fails when the member does not lead any more, or leads
   * in another term, by the time raft takes it: a leader that its disk held up must not hand its old decisions to the next one.
   */
  proposeAsLeader(field: number, request: Uint8Array, call: PendingCall<Result>, identity?: Identity): void {
    const { isLeader, term } = this.role;
    if (!isLeader) call.failed('ProposalDropped');
    else if (
      this.takes(call, this.gapsOf(field)) &&
      this.proposer.add(field, request, call, this.turnTime.nowMs(), identity, term)
    )
      this.schedule();
  }

  /** Proposes an entry of another form than {@link propose} makes; `encode` makes its data around the request id. */
  proposeEntry(encode: (requestId: bigint) => Uint8Array, call: PendingCall<Result>): void {
    if (this.takes(call, 1) && this.proposer.addEntry(encode, call, this.turnTime.nowMs())) this.schedule();
  }

  private gapsOf(field: number): number {
    return this.options.priorityFields?.has(field) === true ? 2 : 1;
  }

  /** Whether proposals are taken now; else the call fails. */
  private takes(call: PendingCall<Result>, gaps: number): boolean {
    if (this.state === 'stopped') call.failed('ErrGRPCStopped');
    else if (this.commitIndex > this.deps.machine.appliedIndex + gaps * this.limits.applyGapMax) {
      call.failed('ErrGRPCRequestTooManyRequests');
    } else return true;
    return false;
  }

  /**
   * Proposes a change of the configuration. It has no time-out here: one that raft passes over, since another is under way, is never
   * answered. @returns what forgets the call.
   */
  proposeChange(change: Omit<ConfChange, 'id'>, call: PendingCall<Result>): () => void {
    if (this.state === 'stopped') {
      call.failed('ErrGRPCStopped');
      return () => {};
    }
    const forget = this.proposer.addChange(change, call);
    this.schedule();
    return forget ?? (() => {});
  }

  /** Lets `read` through once everything committed before this call is applied here. */
  linearizableRead(read: PendingRead): void {
    if (this.state === 'stopped') {
      read.failed('ErrGRPCStopped');
      return;
    }
    if (this.isReadable()) {
      read.readable();
      return;
    }
    if (this.reads.size >= this.limits.waitingReadsMax) {
      read.failed('ErrGRPCRequestTooManyRequests');
      return;
    }
    this.reads.add(read, this.lastTickMs);
    this.schedule();
  }

  /**
   * Whether a linearizable read may be answered in this very turn: the only voter of its cluster, leading, is the quorum, and its own
   * commit index needs no round. But after a restart that index may lag behind what was acknowledged, until an entry of the new
   * term is committed (Raft thesis 6.4).
   */
  isReadable(): boolean {
    return (
      this.role.isAlone && this.appliedTerm === this.role.term && this.commitIndex <= this.deps.machine.appliedIndex
    );
  }

  /** A message from another member; false when it was dropped. */
  receive(message: Message): boolean {
    if (this.state === 'stopped' || this.received.length >= this.limits.receivedMessagesMax) return false;
    this.received.push(message);
    this.schedule();
    return true;
  }

  /** Runs `action` on the raft node in this replica's turn, and takes what comes of it. */
  withNode(action: (node: RawNode) => void): void {
    action(this.deps.node);
    this.schedule();
  }

  private schedule(): void {
    if (this.state !== 'idle') return;
    this.state = 'scheduled';
    this.deps.clock.defer(() => this.turn());
  }

  private tick(): void {
    if (this.state === 'stopped') return;
    const { clock } = this.deps;
    this.ticker = clock.setTimer(this.options.heartbeatMs, () => this.tick());
    const nowMs = clock.nowMs();
    this.lastTickMs = nowMs;
    try {
      this.passTime(this.watchdog.tick(nowMs, this.state === 'persisting' ? this.persistingSinceMs : undefined));
      this.proposer.expire(nowMs, (sinceMs) => this.role.timeoutSymbol(sinceMs));
      for (const context of this.reads.tick(nowMs)) this.askRead(context);
    } catch (error) {
      this.die(error);
    }
    this.schedule();
  }

  /**
   * Lets raft's clock go on. What has arrived is heard first, so that a member that could not answer does not take for silence what waits
   * for its turn; a leader whose disk does not come back hears nothing, so that it counts its followers as lost and steps down.
   */
  private passTime(intervals: number): void {
    const { isLeader } = this.role;
    const isPersisting = this.state === 'persisting';
    if (isPersisting && !(isLeader && this.watchdog.isDiskStalled)) this.hearReceived();
    // Nobody stands for election on a state machine that is being exchanged.
    if (this.snapshots.isBusy) return;
    // After a stall of the loop the followers may have another leader: the time this one was held counts, up to where it must be heard of.
    const { electionMs, heartbeatMs } = this.options;
    if (isLeader && intervals > 2 && !this.role.isAlone) this.metrics.heartbeatsLate();
    const ticks = isLeader ? Math.min(intervals, 2 * Math.ceil(electionMs / heartbeatMs)) : 1;
    for (let i = 0; i < ticks; i++) this.deps.node.tick();
    this.role.note();
  }

  /** One turn: hand over what gathered, then persist, send and apply until raft has nothing more or a sync is in flight. */
  private turn(): void {
    if (this.state !== 'scheduled') return;
    this.state = 'idle';
    try {
      this.handOver();
      const startMs = this.deps.clock.nowMs();
      while (this.isRunning() && !this.isBackedUp() && this.hasWork()) {
        this.take(this.deps.node.ready());
        if (this.state === 'idle' && this.deps.clock.nowMs() - startMs > this.limits.sliceMs) this.schedule();
        if (this.state !== 'idle') break;
      }
    } catch (error) {
      this.die(error);
    }
  }

  /** Whether raft has anything to tell; the only voter, once all configuration changes are applied, stands for election at once. */
  private hasWork(): boolean {
    const { node } = this.deps;
    return node.hasReady() || (this.role.campaignIfAlone() && node.hasReady());
  }

  private isRunning(): boolean {
    return this.state === 'idle';
  }

  /** Whether so much waits for a snapshot to be installed that raft must not be asked for more. */
  private isBackedUp(): boolean {
    return this.snapshots.waitingBytes > this.limits.installBacklogBytesMax;
  }

  private handOver(): void {
    this.hearReceived();
    // Without a leader proposals and reads stay, as in etcd, until there is one or their time is up.
    if (this.role.leader === 0n) return;
    if (!this.proposer.isEmpty && !this.holdsBack()) this.proposer.handOver(this.deps.node);
    const context = this.reads.ask(this.lastTickMs);
    if (context !== undefined) this.askRead(context);
  }

  private hearReceived(): void {
    const { received } = this;
    if (received.length === 0) return;
    this.received = [];
    for (const message of received) this.stepQuietly(message);
    // What is proposed next is refused by raft, when the leader is lost, instead of waiting for another.
    this.role.note();
  }

  private askRead(sequence: number): void {
    const { ids, node } = this.deps;
    node.readIndex(ids.toBytes(sequence));
  }

  /**
   * Whether proposals wait for the disk to catch up with what is applied, which is all in memory until then. Only they do: messages and
   * ticks go on. Callers feel it as time, and beyond `gatheredBytesMax` as a refusal.
   */
  private holdsBack(): boolean {
    if (this.isHeldBack) return true;
    const caughtUp = this.deps.machine.backlog();
    if (caughtUp === undefined) return false;
    this.isHeldBack = true;
    caughtUp.then(
      () => {
        this.isHeldBack = false;
        this.schedule();
      },
      (error: unknown) => this.deps.logger.debug('proposals are held for good', { error: String(error) }),
    );
    return true;
  }

  private stepQuietly(message: Message): void {
    if (this.snapshots.isBusy && message.type === MessageType.MsgTimeoutNow) return;
    const refused = this.deps.node.step(message);
    if (refused !== undefined) this.deps.logger.debug('raft message refused', { reason: refused.message });
  }

  /**
   * Persist, send, apply: the order that keeps what raft promises.
   * - A leader may send before its own write is durable (Raft thesis 10.2.1); a follower's answers wait for it.
   * - Entries are applied only when they are committed and, those of this very Ready, durable here.
   */
  private take(ready: Ready): void {
    const { node, log, raftStorage, network } = this.deps;
    if (ready.hardState) this.commitIndex = ready.hardState.commit;
    if (ready.softState || (ready.hardState && ready.hardState.term !== this.role.term)) this.role.note();
    for (const state of ready.readStates) this.takeReadState(state.requestContext, state.index);
    if (ready.snapshot !== undefined) {
      this.takeSnapshot(ready.snapshot, ready);
      return;
    }
    if (ready.hardState !== undefined || ready.entries.length > 0) log.append(ready.hardState, ready.entries);
    if (ready.hardState !== undefined) raftStorage.setHardState(ready.hardState);
    if (ready.entries.length > 0) raftStorage.append(ready.entries);
    const sendsFirst = this.role.isLeader;
    if (sendsFirst) network.send(ready.messages);
    if (!ready.mustSync) {
      if (!sendsFirst) network.send(ready.messages);
      this.snapshots.apply(ready.committedEntries);
      node.advance(ready);
      return;
    }
    const firstNew = ready.entries[0]?.index ?? Number.POSITIVE_INFINITY;
    const appliesAfter = (ready.committedEntries.at(-1)?.index ?? 0) >= firstNew;
    this.persisting();
    log.sync().then(
      () => {
        if (this.state !== 'persisting') return;
        try {
          if (!sendsFirst) network.send(ready.messages);
          if (appliesAfter) this.snapshots.apply(ready.committedEntries);
          node.advance(ready);
        } catch (error) {
          this.die(error);
        }
        this.goOn();
      },
      (error) => this.die(error),
    );
    // While the disk is at it. After the promise has its handlers: when applying throws, a sync that fails as well must not go unheard.
    if (!appliesAfter) this.snapshots.apply(ready.committedEntries);
  }

  /** What had to be durable is: the next turn, unless what was just applied has stopped this member. */
  private goOn(): void {
    if (this.state !== 'persisting') return;
    this.state = 'scheduled';
    this.turn();
  }

  private persisting(): void {
    this.state = 'persisting';
    this.persistingSinceMs = this.deps.clock.nowMs();
  }

  private takeReadState(context: Uint8Array, index: number): void {
    const sequence = this.deps.ids.sequenceOfBytes(context);
    if (sequence >= 0) this.reads.answered(sequence, index);
  }

  /**
   * Makes the snapshot durable, tells the leader, and goes on in raft, so that heartbeats are answered; the state machine is exchanged
   * meanwhile, and committed entries wait for that.
   */
  private takeSnapshot(snapshot: Snapshot, ready: Ready): void {
    const { node, raftStorage, network } = this.deps;
    this.persisting();
    this.snapshots.save(snapshot, ready).then(
      () => {
        if (this.state !== 'persisting') return;
        try {
          raftStorage.applySnapshot(snapshot);
          if (ready.hardState !== undefined) raftStorage.setHardState(ready.hardState);
          if (ready.entries.length > 0) raftStorage.append(ready.entries);
          network.send(ready.messages);
          this.role.confState = snapshot.metadata.confState;
          this.snapshots.install(snapshot);
          node.advance(ready);
        } catch (error) {
          this.die(error);
        }
        this.goOn();
      },
      (error) => this.die(error),
    );
  }

  private applyEntries(entries: readonly Entry[]): void {
    const { machine } = this.deps;
    for (const entry of entries) {
      if (entry.type === EntryType.Normal) machine.apply(entry, this.answer);
      else {
        const confState = machine.applyConfChange(entry, this.answer);
        if (confState) {
          this.role.confState = confState;
          this.role.note();
        }
      }
    }
    const last = entries.at(-1);
    if (last) {
      this.appliedTerm = last.term;
      machine.batchApplied();
    }
    this.reads.applied(machine.appliedIndex);
    this.deps.flushAnswers();
    if (last) this.proposer.tellAnswered(this.deps.clock.nowMs());
  }

  private readonly answer = (idHigh: number, idLow: number, result: Result): void => {
    this.proposer.answer(idHigh, idLow, result);
  };

  private die(error: unknown): void {
    if (this.state === 'stopped') return;
    this.stop();
    this.deps.onFatal(error);
  }
}
