import type { ErrorSymbol } from '@quorate/api';
import { assert, type Clock, type Logger, type Timer } from '@quorate/base';
import {
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type MemoryStorage,
  type Message,
  type RawNode,
  type Ready,
  StateType,
} from '@quorate/raft';
import { EntryBuilder } from './entry-builder.ts';
import type { PeerNetwork } from './peer-network.ts';
import { type PendingRead, PendingReads } from './pending-reads.ts';
import type { RequestIds } from './request-ids.ts';
import { type PendingCall, WaitingCalls } from './waiting-calls.ts';

/** Where entries become durable. */
export interface EntryLog {
  /** Encodes into the buffer of the next sync. */
  append(hardState: HardState | undefined, entries: readonly Entry[]): void;
  /** Makes all that was appended durable; a failure means the member must stop. */
  sync(): Promise<void>;
}

/** What the replica needs of the state machine. `Result` is what one applied request gives back to its caller. */
export interface StateMachine<Result> {
  /** Index of the last applied entry. */
  readonly appliedIndex: number;
  /** Applies a committed entry of ordinary kind; `answer` hears the result and the id of the request in it. */
  apply(entry: Entry, answer: (idHigh: number, idLow: number, result: Result) => void): void;
  /** Applies a membership change to raft and to the member list; answers as `apply` does. */
  applyConfChange(entry: Entry, answer: (idHigh: number, idLow: number, result: Result) => void): ConfState | undefined;
  /** A batch of entries is applied: time to answer watchers, commit, compact. */
  batchApplied(): void;
  /** While more is applied than the disk keeps up with: resolves when it has. Rejects when the disk has failed, which is told elsewhere. */
  backlog(): Promise<void> | undefined;
}

export interface ReplicaDeps<Result> {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly node: RawNode;
  readonly raftStorage: MemoryStorage;
  readonly log: EntryLog;
  readonly machine: StateMachine<Result>;
  readonly network: PeerNetwork;
  readonly ids: RequestIds;
  /** The member cannot go on; called once, with what broke. */
  readonly onFatal: (error: unknown) => void;
  /** The raft role or leader changed. */
  readonly onRoleChange: (status: RoleStatus) => void;
  /** All answers of this turn are given: time to write them to the sockets. */
  readonly flushAnswers: () => void;
  /** A snapshot came from the leader; resolves when the state machine stands on it. */
  readonly installSnapshot: (ready: Ready) => Promise<void>;
}

export interface ReplicaOptions {
  /** The configuration in force at the start. */
  readonly confState: ConfState;
  readonly heartbeatMs: number;
  /** Time a proposal or a linearizable read may take. */
  readonly requestTimeoutMs: number;
  /** Largest entry in bytes. */
  readonly requestBytesMax: number;
  readonly limits?: Partial<ReplicaLimits>;
}

/** Bounds of what may wait here. */
export interface ReplicaLimits {
  /** Proposals that wait for their result. */
  readonly waitingCallsMax: number;
  /** Linearizable reads that wait for their index. */
  readonly waitingReadsMax: number;
  /** Messages of other members that wait for their turn; those that come then are lost, which raft takes (etcd's figure). */
  readonly receivedMessagesMax: number;
  /** Bytes that gather for the next batch. */
  readonly gatheredBytesMax: number;
  /** Committed entries not yet applied, above which new proposals are refused (etcd's figure). */
  readonly applyGapMax: number;
  /** Longest stretch of applying in one turn, in milliseconds. */
  readonly sliceMs: number;
}

const defaultLimits: ReplicaLimits = {
  waitingCallsMax: 100_000,
  waitingReadsMax: 100_000,
  receivedMessagesMax: 4096,
  gatheredBytesMax: 256 * 1024 * 1024,
  applyGapMax: 5_000,
  sliceMs: 4,
};

export interface RoleStatus {
  readonly leader: bigint;
  readonly isLeader: boolean;
  readonly term: number;
}

const readRetryMs = 500;

/**
 * The loop that drives raft. Whatever arrives in one turn of the event loop is proposed together, and `turn` takes raft's
 * answers: persist, send, apply, in the order that safety needs. While a sync is in flight the next batch gathers.
 */
export class Replica<Result> {
  private readonly deps: ReplicaDeps<Result>;
  private readonly options: ReplicaOptions;
  private readonly limits: ReplicaLimits;
  private readonly builder = new EntryBuilder();
  private readonly waiting: WaitingCalls<Result>;
  private readonly reads: PendingReads;
  private gathered: Uint8Array[] = [];
  private gatheredBytes = 0;
  /** Proposals stay in `gathered` until the disk has caught up. */
  private isHeldBack = false;
  private received: Message[] = [];
  private state: 'idle' | 'scheduled' | 'persisting' | 'stopped' = 'idle';
  private ticker: Timer | undefined;
  private role: RoleStatus = { leader: 0n, isLeader: false, term: 0 };
  /** Leading as the only voter. */
  private alone = false;
  private hasCampaigned = false;
  private confState: ConfState;
  private commitIndex: number;
  private appliedTerm = 0;
  private lastTickMs: number;

  constructor(deps: ReplicaDeps<Result>, options: ReplicaOptions) {
    this.deps = deps;
    this.options = options;
    this.limits = { ...defaultLimits, ...options.limits };
    this.waiting = new WaitingCalls(options.requestTimeoutMs);
    this.reads = new PendingReads({ timeoutMs: options.requestTimeoutMs, retryMs: readRetryMs });
    this.lastTickMs = deps.clock.nowMs();
    this.commitIndex = deps.node.basicStatus().hardState.commit;
    this.confState = options.confState;
  }

  /** Whether a call here waits for the request with this id. */
  isAwaited(idHigh: number, idLow: number): boolean {
    return this.waiting.has(this.deps.ids.sequenceOf(idHigh, idLow));
  }

  /** Proposals that wait for their result. */
  get pendingProposals(): number {
    return this.waiting.size;
  }

  /** The configuration in force. */
  get configuration(): ConfState {
    return this.confState;
  }

  /** Starts ticking. A member that is the only voter stands for election at once: there is nobody to wait for. */
  start(): void {
    this.ticker = this.deps.clock.setTimer(this.options.heartbeatMs, () => this.tick());
    this.schedule();
  }

  private isOnlyVoter(): boolean {
    const { voters, votersOutgoing } = this.confState;
    return voters.length === 1 && votersOutgoing.length === 0 && voters[0] === this.deps.node.basicStatus().id;
  }

  /** Fails whatever waits and stops taking part. A sync in flight ends by itself. */
  stop(): void {
    this.state = 'stopped';
    this.ticker?.cancel();
    this.waiting.failAll('ErrGRPCStopped');
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

  /** Proposes a request whose bytes are spliced into the entry; `request` is copied before this returns. */
  propose(field: number, request: Uint8Array, call: PendingCall<Result>): void {
    const refusal = this.refusal(request.length);
    if (refusal !== undefined) {
      call.failed(refusal);
      return;
    }
    const { ids } = this.deps;
    const sequence = ids.take();
    const entry = this.builder.build(field, request, ids.high(sequence), ids.low(sequence));
    if (entry.length > this.options.requestBytesMax) {
      call.failed('ErrGRPCRequestTooLarge');
      return;
    }
    this.waiting.add(sequence, call, this.lastTickMs);
    this.gathered.push(entry);
    this.gatheredBytes += entry.length;
    this.schedule();
  }

  private refusal(requestBytes: number): ErrorSymbol | undefined {
    if (this.state === 'stopped') return 'ErrGRPCStopped';
    if (requestBytes > this.options.requestBytesMax) return 'ErrGRPCRequestTooLarge';
    if (
      this.waiting.size >= this.limits.waitingCallsMax ||
      this.gatheredBytes + requestBytes > this.limits.gatheredBytesMax ||
      this.commitIndex > this.deps.machine.appliedIndex + this.limits.applyGapMax
    ) {
      return 'ErrGRPCRequestTooManyRequests';
    }
    return undefined;
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
    return this.alone && this.appliedTerm === this.role.term && this.commitIndex <= this.deps.machine.appliedIndex;
  }

  /** A message from another member. */
  receive(message: Message): void {
    if (this.state === 'stopped' || this.received.length >= this.limits.receivedMessagesMax) return;
    this.received.push(message);
    this.schedule();
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
    const { clock, node } = this.deps;
    this.ticker = clock.setTimer(this.options.heartbeatMs, () => this.tick());
    this.lastTickMs = clock.nowMs();
    try {
      node.tick();
      this.waiting.expire(this.lastTickMs, this.role.leader === 0n ? 'ContextDeadlineExceeded' : 'ErrGRPCTimeout');
      for (const context of this.reads.tick(this.lastTickMs)) node.readIndex(encodeContext(context));
    } catch (error) {
      this.die(error);
    }
    this.schedule();
  }

  /** One turn: hand over what gathered, then persist, send and apply until raft has nothing more or a sync is in flight. */
  private turn(): void {
    if (this.state !== 'scheduled') return;
    this.state = 'idle';
    try {
      this.handOver();
      const startMs = this.deps.clock.nowMs();
      while (this.isRunning() && this.hasWork()) {
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
    if (node.hasReady()) return true;
    if (this.hasCampaigned || this.role.leader !== 0n || !this.isOnlyVoter()) return false;
    this.hasCampaigned = true;
    node.campaign();
    return node.hasReady();
  }

  private isRunning(): boolean {
    return this.state === 'idle';
  }

  private handOver(): void {
    const { node } = this.deps;
    for (const message of this.received) this.stepQuietly(message);
    this.received = [];
    if (this.gathered.length > 0 && !this.holdsBack()) {
      const entries = this.gathered;
      this.gathered = [];
      this.gatheredBytes = 0;
      // A refusal (no leader, a transfer, too much uncommitted) leaves the calls waiting for their time-out, as in etcd.
      const refused = node.proposeBatch(entries);
      if (refused !== undefined) this.deps.logger.debug('proposal dropped', { reason: refused.message });
    }
    const context = this.role.leader === 0n ? undefined : this.reads.ask(this.lastTickMs);
    if (context !== undefined) node.readIndex(encodeContext(context));
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
    if (ready.softState || (ready.hardState && ready.hardState.term !== this.role.term)) this.noteRole();
    for (const state of ready.readStates) this.reads.answered(decodeContext(state.requestContext), state.index);
    if (ready.snapshot !== undefined) {
      this.takeSnapshot(ready);
      return;
    }
    if (ready.hardState !== undefined || ready.entries.length > 0) log.append(ready.hardState, ready.entries);
    if (ready.hardState !== undefined) raftStorage.setHardState(ready.hardState);
    if (ready.entries.length > 0) raftStorage.append(ready.entries);
    const sendsFirst = this.role.isLeader;
    if (sendsFirst) network.send(ready.messages);
    if (!ready.mustSync) {
      if (!sendsFirst) network.send(ready.messages);
      this.applyCommitted(ready);
      node.advance(ready);
      return;
    }
    const firstNew = ready.entries[0]?.index ?? Number.POSITIVE_INFINITY;
    const appliesAfter = (ready.committedEntries.at(-1)?.index ?? 0) >= firstNew;
    this.state = 'persisting';
    const synced = log.sync();
    if (!appliesAfter) this.applyCommitted(ready);
    synced.then(
      () => {
        if (this.state !== 'persisting') return;
        try {
          if (!sendsFirst) network.send(ready.messages);
          if (appliesAfter) this.applyCommitted(ready);
          node.advance(ready);
        } catch (error) {
          this.die(error);
        }
        this.goOn();
      },
      (error) => this.die(error),
    );
  }

  /** What had to be durable is: the next turn, unless what was just applied has stopped this member. */
  private goOn(): void {
    if (this.state !== 'persisting') return;
    this.state = 'scheduled';
    this.turn();
  }

  private takeSnapshot(ready: Ready): void {
    this.state = 'persisting';
    this.deps.installSnapshot(ready).then(
      () => {
        if (this.state !== 'persisting') return;
        try {
          this.deps.network.send(ready.messages);
          this.deps.node.advance(ready);
        } catch (error) {
          this.die(error);
        }
        this.goOn();
      },
      (error) => this.die(error),
    );
  }

  private applyCommitted(ready: Ready): void {
    const { machine } = this.deps;
    for (const entry of ready.committedEntries) {
      if (entry.type === EntryType.Normal) machine.apply(entry, this.answer);
      else {
        const confState = machine.applyConfChange(entry, this.answer);
        if (confState) {
          this.confState = confState;
          this.noteRole();
        }
      }
    }
    const last = ready.committedEntries.at(-1);
    if (last) {
      this.appliedTerm = last.term;
      machine.batchApplied();
    }
    this.reads.applied(machine.appliedIndex);
    this.deps.flushAnswers();
  }

  private readonly answer = (idHigh: number, idLow: number, result: Result): void => {
    const sequence = this.deps.ids.sequenceOf(idHigh, idLow);
    if (sequence >= 0) this.waiting.take(sequence)?.applied(result);
  };

  private noteRole(): void {
    const status = this.deps.node.basicStatus();
    const { leader } = status.softState;
    const isLeader = status.softState.state === StateType.Leader;
    const term = status.hardState.term;
    this.alone = isLeader && this.isOnlyVoter();
    if (leader === this.role.leader && isLeader === this.role.isLeader && term === this.role.term) return;
    if (this.role.leader !== 0n && leader !== this.role.leader) this.reads.failAll('ErrGRPCLeaderChanged');
    this.role = { leader, isLeader, term };
    this.deps.onRoleChange(this.role);
  }

  private die(error: unknown): void {
    if (this.state === 'stopped') return;
    this.stop();
    this.deps.onFatal(error);
  }
}

function encodeContext(context: number): Uint8Array {
  assert(Number.isSafeInteger(context), 'read context is a safe integer');
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(context));
  return bytes;
}

function decodeContext(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0));
}
