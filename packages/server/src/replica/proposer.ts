import type { ErrorSymbol } from '@quorate/api';
import type { Logger } from '@quorate/base';
import type { Identity } from '@quorate/machine';
import { type ConfChange, type RawNode, StateType } from '@quorate/raft';
import { buildEntryOf, EntryBuilder } from './entry-builder.ts';
import { type Batch, ProposalQueue } from './proposal-queue.ts';
import type { RequestIds } from './request-ids.ts';
import { type PendingCall, WaitingCalls } from './waiting-calls.ts';

export interface ProposerDeps {
  readonly ids: RequestIds;
  readonly logger: Logger;
  /** A request has its result, so long after it was added. */
  readonly answered?: (field: number, tookMs: number) => void;
  /** A request that was added then will have none. */
  readonly failed?: (field: number, sinceMs: number) => void;
}

export interface ProposerOptions {
  readonly requestTimeoutMs: number;
  /** Largest entry in bytes. */
  readonly requestBytesMax: number;
  readonly waitingCallsMax: number;
  readonly gatheredBytesMax: number;
}

/** Calls for a change of the configuration that wait; they have no time-out but their client's. */
const waitingChangesMax = 1000;

/** Proposals of this member, from the call that brings one to the answer that its entry gives. */
export class Proposer<Result> {
  private readonly deps: ProposerDeps;
  private readonly options: ProposerOptions;
  private readonly builder = new EntryBuilder();
  private readonly waiting: WaitingCalls<Result>;
  private readonly gathered = new ProposalQueue();
  /** Calls for changes of the configuration, by the sequence of their proposal. */
  private readonly changes = new Map<number, PendingCall<Result>>();
  /** Of the requests that have their result since {@link tellAnswered}: their fields, and when they were added. */
  private readonly answeredFields: number[] = [];
  private readonly answeredSinceMs: number[] = [];

  constructor(deps: ProposerDeps, options: ProposerOptions) {
    this.deps = deps;
    this.options = options;
    this.waiting = new WaitingCalls(options.requestTimeoutMs, deps.failed);
  }

  /** Calls that wait for their result. */
  get pending(): number {
    return this.waiting.size;
  }

  /** Whether nothing waits to be handed to raft. */
  get isEmpty(): boolean {
    return this.gathered.isEmpty;
  }

  /** Whether a call here waits for the request with this id. */
  isAwaited(idHigh: number, idLow: number): boolean {
    return this.waiting.has(this.deps.ids.sequenceOf(idHigh, idLow));
  }

  /**
   * Takes a request, whose bytes are copied, or fails the call; false when it failed. With `term` it is handed over only while this
   * member leads in that term.
   */
  add(
    field: number,
    request: Uint8Array,
    call: PendingCall<Result>,
    nowMs: number,
    identity?: Identity,
    term?: number,
  ): boolean {
    const { ids } = this.deps;
    const { requestBytesMax } = this.options;
    let refused: ErrorSymbol | undefined;
    if (request.length > requestBytesMax) refused = 'ErrGRPCRequestTooLarge';
    else if (this.isFull(request.length)) refused = 'ErrGRPCRequestTooManyRequests';
    else {
      const sequence = ids.take();
      const entry =
        identity === undefined
          ? this.builder.build(field, request, ids.high(sequence), ids.low(sequence))
          : buildEntryOf(field, request, this.idOf(sequence), identity);
      if (entry.length <= requestBytesMax) {
        this.waiting.add(sequence, call, nowMs, field);
        if (term === undefined) this.gathered.add(sequence, entry);
        else this.gathered.addOwn({ sequence, entry, term });
        return true;
      }
      refused = 'ErrGRPCRequestTooLarge';
    }
    call.failed(refused);
    return false;
  }

  /** Takes an entry that `encode` makes around the request id, or fails the call; false when it failed. Few and small: no limit of its own. */
  addEntry(encode: (id: bigint) => Uint8Array, call: PendingCall<Result>, nowMs: number): boolean {
    if (this.isFull(0)) {
      call.failed('ErrGRPCRequestTooManyRequests');
      return false;
    }
    const sequence = this.deps.ids.take();
    this.waiting.add(sequence, call, nowMs);
    this.gathered.add(sequence, encode(this.idOf(sequence)));
    return true;
  }

  private idOf(sequence: number): bigint {
    const { ids } = this.deps;
    return (BigInt(ids.high(sequence)) << 32n) | BigInt(ids.low(sequence));
  }

  private isFull(requestBytes: number): boolean {
    const { waitingCallsMax, gatheredBytesMax } = this.options;
    return this.waiting.size >= waitingCallsMax || this.gathered.bytes + requestBytes > gatheredBytesMax;
  }

  /** Takes a change of the configuration, or fails the call. @returns what forgets the call; undefined when it failed. */
  addChange(change: Omit<ConfChange, 'id'>, call: PendingCall<Result>): (() => void) | undefined {
    if (this.changes.size >= waitingChangesMax) {
      call.failed('ErrGRPCRequestTooManyRequests');
      return undefined;
    }
    const sequence = this.deps.ids.take();
    this.changes.set(sequence, call);
    this.gathered.addChange(sequence, { ...change, id: this.idOf(sequence) });
    return () => this.changes.delete(sequence);
  }

  /** Hands everything over that somebody still waits for. What raft refuses has failed. */
  handOver(node: RawNode): void {
    const batch = this.gathered.take((sequence) => this.waiting.has(sequence));
    this.takeOwn(node, batch);
    const { entries, sequences } = batch;
    const refused = node.proposeBatch(entries);
    if (refused !== undefined) {
      this.deps.logger.debug('proposals dropped', { reason: refused.message });
      for (const sequence of sequences) this.waiting.fail(sequence, 'ProposalDropped');
    }
    for (const { sequence, change } of this.gathered.takeChanges()) {
      const call = this.changes.get(sequence);
      if (call === undefined || node.proposeConfChange(change) === undefined) continue;
      this.changes.delete(sequence);
      call.failed('ProposalDropped');
    }
  }

  /** Adds what this member decided as the leader that it is; what it decided as one that it was fails, and reaches no other leader. */
  private takeOwn(node: RawNode, { entries, sequences }: Batch): void {
    const own = this.gathered.takeOwn();
    if (own.length === 0) return;
    const { softState, hardState } = node.basicStatus();
    for (const { sequence, entry, term } of own) {
      if (!this.waiting.has(sequence)) continue;
      if (softState.state === StateType.Leader && hardState.term === term) {
        entries.push(entry);
        sequences.push(sequence);
      } else this.waiting.fail(sequence, 'ProposalDropped');
    }
  }

  /** Tells whoever waits for the request with this id what came of it. */
  answer(idHigh: number, idLow: number, result: Result): void {
    const sequence = this.deps.ids.sequenceOf(idHigh, idLow);
    if (sequence < 0) return;
    const call = this.waiting.take(sequence);
    if (call !== undefined) {
      const { takenField, takenSinceMs } = this.waiting;
      call.applied(result);
      this.answeredFields.push(takenField);
      this.answeredSinceMs.push(takenSinceMs);
    } else if (this.changes.size > 0) {
      this.changes.get(sequence)?.applied(result);
      this.changes.delete(sequence);
    }
  }

  /** Tells how long the requests took that a batch of entries answered: the answers go out together, when all of it is applied. */
  tellAnswered(nowMs: number): void {
    const { answeredFields: fields, answeredSinceMs: sinceMs } = this;
    for (let i = 0; i < fields.length; i++) this.deps.answered?.(fields[i] as number, nowMs - (sinceMs[i] as number));
    fields.length = 0;
    sinceMs.length = 0;
  }

  /** Fails what waited too long: by its age what was proposed; what never was, since there was no leader, as a deadline that passed. */
  expire(nowMs: number, symbolOf: (sinceMs: number) => ErrorSymbol): void {
    this.waiting.expire(nowMs, (sequence, sinceMs) =>
      this.gathered.holds(sequence) ? 'ContextDeadlineExceeded' : symbolOf(sinceMs),
    );
  }

  failAll(symbol: ErrorSymbol): void {
    this.waiting.failAll(symbol);
    for (const call of this.changes.values()) call.failed(symbol);
    this.changes.clear();
  }
}
