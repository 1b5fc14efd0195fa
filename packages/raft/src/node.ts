import type { AnyConfChange } from './conf-change.ts';
import { nodeStopped, RaftError } from './errors.ts';
import { hex } from './hex.ts';
import { type RaftLogger, silentLogger } from './logger.ts';
import type { MessageInit } from './message.ts';
import type { RawNode } from './raw-node.ts';
import type { Ready } from './ready.ts';
import { type ConfState, NONE } from './state.ts';
import type { Status } from './status.ts';
import { isVoter } from './tracker/configuration.ts';

/** How the node puts off work: `setImmediate`, `queueMicrotask`, or a simulation's own. */
export interface NodeScheduler {
  /** Runs `callback` later, after what is running now. All that comes in until then shares one Ready. */
  defer(callback: () => void): void;
}

/** What a {@link RaftNode} works with. */
export interface NodeDeps {
  /** The node, bootstrapped if its cluster is new. */
  readonly raw: RawNode;
  /** How work is put off. */
  readonly scheduler: NodeScheduler;
  /** Told of changes of the leader, at `info`. Default: nobody. */
  readonly logger?: RaftLogger;
}

/** How a {@link RaftNode} behaves. */
export interface NodeOptions {
  /** To be set as in the RawNode's config: a Ready may then follow before the one before it is done. Default false. */
  readonly asyncStorageWrites?: boolean;
  /** Proposals that may wait for a leader; more are refused with raft/proposal-dropped. Default 10000. */
  readonly waitingProposalsMax?: number;
}

/** The part of the standard `AbortSignal` that is needed. */
export interface AbortSignalLike {
  /** Whether it happened already. */
  readonly aborted: boolean;
  /** Has `listener` called when it happens. */
  addEventListener(type: 'abort', listener: () => void): void;
  /** Takes the listener away. */
  removeEventListener(type: 'abort', listener: () => void): void;
}

interface Waiting {
  readonly attempt: () => RaftError | undefined;
  readonly resolve: () => void;
  readonly reject: (error: RaftError) => void;
}

/**
 * An event-driven node over a {@link RawNode}, which nobody else may use then. Input is taken at once; what is to be done
 * comes out of {@link ready}, one Ready at a time. Once it is stopped, all that takes input throws raft/stopped, except that
 * `step` returns it and promises reject with it.
 */
export class RaftNode {
  private readonly raw: RawNode;
  private readonly scheduler: NodeScheduler;
  private readonly logger: RaftLogger;
  private readonly asyncStorageWrites: boolean;
  private readonly waitingProposalsMax: number;
  private readonly waiting = new Set<Waiting>();
  private take: ((result: IteratorResult<Ready, undefined>) => void) | undefined;
  private isDeferred = false;
  private isAdvanceDue = false;
  private isStopped = false;
  private knownLeader = NONE;
  /** It took itself out of the configuration, and no other leader was heard of since: nobody would take its proposals. */
  private isRemoved = false;

  /** Starts at once; the first Ready waits for {@link ready}. */
  constructor(deps: NodeDeps, options: NodeOptions = {}) {
    this.raw = deps.raw;
    this.scheduler = deps.scheduler;
    this.logger = deps.logger ?? silentLogger;
    this.asyncStorageWrites = options.asyncStorageWrites ?? false;
    this.waitingProposalsMax = options.waitingProposalsMax ?? 10_000;
    this.changed();
  }

  // What comes out.

  /**
   * Each Ready in turn, until the node is stopped. Unless storage writes are asynchronous, {@link advance} must be called
   * for each before the next comes. For one consumer, which should stop the node when it fails.
   */
  ready(): AsyncIterableIterator<Ready> {
    const iterator: AsyncIterableIterator<Ready> = {
      next: () => this.nextReady(),
      return: () => Promise.resolve({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  private nextReady(): Promise<IteratorResult<Ready, undefined>> {
    if (this.isStopped) return Promise.resolve({ done: true, value: undefined });
    if (this.take !== undefined) return Promise.reject(new Error('ready() has one consumer'));
    return new Promise((resolve) => {
      this.take = resolve;
      this.changed();
    });
  }

  /** All of the last Ready is stored, sent and applied. */
  advance(): void {
    if (this.isStopped || !this.isAdvanceDue) return;
    this.isAdvanceDue = false;
    this.raw.advance();
    this.changed();
  }

  /** After anything that may have changed the state. */
  private changed(): void {
    if (this.isDeferred || this.isStopped) return;
    this.isDeferred = true;
    this.scheduler.defer(() => this.handOut());
  }

  private handOut(): void {
    this.isDeferred = false;
    if (this.isStopped) return;
    this.watchLeader();
    const { take } = this;
    if (take === undefined || this.isAdvanceDue || !this.raw.hasReady()) return;
    this.take = undefined;
    this.isAdvanceDue = !this.asyncStorageWrites;
    take({ done: false, value: this.raw.ready() });
  }

  private watchLeader(): void {
    const { id, softState, hardState } = this.raw.basicStatus();
    const { leader } = softState;
    if (leader !== this.knownLeader) {
      const before = this.knownLeader;
      this.knownLeader = leader;
      this.isRemoved = false;
      const head = `raft.node: ${hex(id)}`;
      const tail = `at term ${hardState.term}`;
      if (leader === NONE) this.logger.info?.(`${head} lost leader ${hex(before)} ${tail}`);
      else if (before === NONE) this.logger.info?.(`${head} elected leader ${hex(leader)} ${tail}`);
      else this.logger.info?.(`${head} changed leader from ${hex(before)} to ${hex(leader)} ${tail}`);
    }
    if (this.takesProposals()) this.releaseWaiting();
  }

  private takesProposals(): boolean {
    return this.raw.basicStatus().softState.leader !== NONE && !this.isRemoved;
  }

  private releaseWaiting(): void {
    if (this.waiting.size === 0) return;
    const released = [...this.waiting];
    this.waiting.clear();
    for (const { attempt, resolve, reject } of released) {
      const failed = attempt();
      if (failed === undefined) resolve();
      else reject(failed);
    }
    this.changed();
  }

  // What goes in.

  /** See {@link RawNode.tick}. @throws {RaftError} raft/stopped */
  tick(): void {
    this.act((raw) => raw.tick());
  }

  /** See {@link RawNode.campaign}. @throws {RaftError} raft/stopped */
  campaign(): void {
    this.act((raw) => raw.campaign());
  }

  /** Takes a message from another node. @returns what {@link RawNode.step} returns, or raft/stopped. */
  step(message: MessageInit): RaftError | undefined {
    return this.isStopped ? nodeStopped : this.act((raw) => raw.step(message));
  }

  /**
   * Proposes payloads, in order; waits while there is no leader, or this node is out of the configuration, until `signal`
   * aborts it. Resolves when raft has taken them, which is not yet that they are or ever will be committed.
   * @throws {RaftError} raft/proposal-dropped, raft/stopped, raft/aborted, as a rejection
   */
  propose(payloads: Uint8Array | readonly Uint8Array[], signal?: AbortSignalLike): Promise<void> {
    // Not by its class, which is another one for bytes of another realm: of a frame, or of a test runner's context.
    const batch = ArrayBuffer.isView(payloads) ? [payloads] : payloads;
    return this.attempt(() => this.raw.proposeBatch(batch), signal);
  }

  /** As {@link propose}, with a change of the configuration; see {@link RawNode.proposeConfChange}. */
  proposeConfChange(change: AnyConfChange, signal?: AbortSignalLike): Promise<void> {
    return this.attempt(() => this.raw.proposeConfChange(change), signal);
  }

  private attempt(attempt: () => RaftError | undefined, signal: AbortSignalLike | undefined): Promise<void> {
    if (this.isStopped) return Promise.reject(nodeStopped);
    if (signal?.aborted) return Promise.reject(aborted());
    if (this.takesProposals()) {
      const failed = this.act(attempt);
      return failed === undefined ? Promise.resolve() : Promise.reject(failed);
    }
    if (this.waiting.size >= this.waitingProposalsMax) {
      return Promise.reject(new RaftError('raft/proposal-dropped', 'too many proposals wait for a leader'));
    }
    return new Promise((resolve, reject) => this.wait(attempt, resolve, reject, signal));
  }

  private wait(
    attempt: () => RaftError | undefined,
    resolve: () => void,
    reject: (error: RaftError) => void,
    signal: AbortSignalLike | undefined,
  ): void {
    const onAbort = () => {
      if (this.waiting.delete(waiting)) reject(aborted());
    };
    const waiting: Waiting = {
      attempt,
      resolve: () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      reject: (error) => {
        signal?.removeEventListener('abort', onAbort);
        reject(error);
      },
    };
    signal?.addEventListener('abort', onAbort);
    this.waiting.add(waiting);
  }

  /** See {@link RawNode.applyConfChange}. @throws {RaftError} raft/stopped */
  applyConfChange(change: AnyConfChange): ConfState {
    const wasMember = this.isMember();
    const confState = this.act((raw) => raw.applyConfChange(change));
    if (wasMember && !this.isMember()) this.isRemoved = true;
    return confState;
  }

  private isMember(): boolean {
    const { id, config } = this.raw.status();
    return isVoter(config, id) || config.learners.has(id);
  }

  /** See {@link RawNode.readIndex}. @throws {RaftError} raft/stopped */
  readIndex(context: Uint8Array): void {
    this.act((raw) => raw.readIndex(context));
  }

  /** See {@link RawNode.transferLeader}. @throws {RaftError} raft/stopped */
  transferLeadership(transferee: bigint): void {
    this.act((raw) => raw.transferLeader(transferee));
  }

  /** See {@link RawNode.forgetLeader}. @throws {RaftError} raft/stopped */
  forgetLeader(): void {
    this.act((raw) => raw.forgetLeader());
  }

  /** See {@link RawNode.reportUnreachable}. @throws {RaftError} raft/stopped */
  reportUnreachable(id: bigint): void {
    this.act((raw) => raw.reportUnreachable(id));
  }

  /** See {@link RawNode.reportSnapshot}. @throws {RaftError} raft/stopped */
  reportSnapshot(id: bigint, status: 'finished' | 'failed'): void {
    this.act((raw) => raw.reportSnapshot(id, status));
  }

  /** See {@link RawNode.status}. Also of a stopped node. */
  status(): Status {
    return this.raw.status();
  }

  /** Ends {@link ready} and refuses all that waits or comes. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    for (const { reject } of this.waiting) reject(nodeStopped);
    this.waiting.clear();
    this.take?.({ done: true, value: undefined });
    this.take = undefined;
  }

  private act<T>(body: (raw: RawNode) => T): T {
    if (this.isStopped) throw nodeStopped;
    const result = body(this.raw);
    this.changed();
    return result;
  }
}

function aborted(): RaftError {
  return new RaftError('raft/aborted', 'the proposal was given up before there was a leader');
}
