import { errors, etcdserverpb, type mvccpb } from '@quorate/api';
import { nextBelow, SeededRandom } from '@quorate/base';
import type { AppliedEntry, History, KeyValueRequest, Operation, Outcome, WatchRecord } from '../../history/history.ts';
import { isReadOnly, KeyValueModel } from '../../model/key-value-model.ts';
import type { ModelRequest } from '../../model/state.ts';
import { RandomRequests } from '../../model/testing/random-requests.ts';
import { Replay } from '../replay.ts';
import { expectedEvents } from '../watch-events.ts';

export interface RandomHistoryOptions {
  readonly operations: number;
  readonly clients?: number;
  readonly keys?: number;
  readonly watches?: number;
  /** One of so many calls ends without an answer; half of those are done all the same. 0 for none. */
  readonly unknownOneIn?: number;
}

/**
 * A correct history: requests done one after the other by the model, each at a moment within the time that its caller saw, and watches
 * of what came of it.
 */
export function randomHistory(seed: number, options: RandomHistoryOptions): History {
  return new RandomHistory(seed, options).build();
}

class RandomHistory {
  private readonly random: SeededRandom;
  private readonly options: RandomHistoryOptions;
  private readonly requests: RandomRequests;
  private readonly model = new KeyValueModel();
  private readonly replay = new Replay();
  private readonly log: AppliedEntry[] = [];
  private readonly operations: Operation[] = [];
  private readonly freeAtMs: number[];
  /** By client and member. */
  private readonly seen = new Map<string, number>();
  /** When each revision was made. */
  private readonly madeAtMs: number[] = [0, 0];
  private nowMs = 0;

  constructor(seed: number, options: RandomHistoryOptions) {
    this.random = new SeededRandom(seed);
    this.options = options;
    this.requests = new RandomRequests(this.random, options.keys ?? 6);
    this.freeAtMs = Array.from({ length: options.clients ?? 4 }, () => 0);
  }

  private below(bound: number): number {
    return nextBelow(this.random, bound);
  }

  build(): History {
    while (this.operations.length < this.options.operations) this.step();
    const watches = Array.from({ length: this.options.watches ?? 0 }, (_, i) => this.watch(i + 1));
    return { operations: this.operations, watches, log: this.log };
  }

  private step(): void {
    this.nowMs += 1 + this.below(8);
    const isRange = this.below(3) === 0;
    const request = isRange ? this.requests.range(this.model.revision) : this.requests.write(this.model.revision);
    if (request.method === 'lease-grant' || request.method === 'lease-revoke' || request.method === 'alarm') {
      this.propose(request);
      return;
    }
    const client = this.freeClient();
    const invokedMs = Math.max(this.freeAtMs[client] ?? 0, this.nowMs - this.below(30));
    const unknownOneIn = this.options.unknownOneIn ?? 0;
    const isUnknown = unknownOneIn > 0 && this.below(unknownOneIn) === 0;
    const isDone = !isUnknown || this.below(2) === 0;
    const member = `m${this.below(3)}`;
    const place = `${client} ${member}`;
    const outcome: Outcome = isDone ? this.perform(request, this.seen.get(place) ?? 1) : lost;
    const returnedMs = this.nowMs + this.below(30);
    this.freeAtMs[client] = returnedMs;
    if (outcome.kind === 'ok' && !isUnknown) {
      this.seen.set(place, Math.max(this.seen.get(place) ?? 1, outcome.response.message.header?.revision ?? 0));
    }
    this.operations.push({
      id: this.operations.length + 1,
      client,
      member,
      request,
      invokedMs,
      returnedMs: isUnknown ? Infinity : returnedMs,
      outcome: isUnknown ? lost : outcome,
    });
  }

  private freeClient(): number {
    const client = this.below(this.freeAtMs.length);
    this.nowMs = Math.max(this.nowMs, (this.freeAtMs[client] ?? 0) + 1);
    return client;
  }

  private perform(request: KeyValueRequest, seenRevision: number): Outcome {
    const isRead = request.method === 'range' || (request.method === 'txn' && isReadOnly(request.message));
    if (request.method === 'range' && request.message.revision === 0 && this.below(3) === 0) {
      request.message.serializable = true;
      const revision = seenRevision + this.below(this.model.revision - seenRevision + 1);
      return outcomeOf(this.model.readAt(revision, request));
    }
    return outcomeOf(isRead ? this.model.apply(request) : this.propose(request));
  }

  private propose(request: ModelRequest): ReturnType<KeyValueModel['apply']> {
    const applied = this.model.apply(request);
    const index = this.log.length + 1;
    this.replay.add(index, request);
    if (applied.events.length > 0) this.madeAtMs.push(this.nowMs);
    this.log.push({ index, term: 1, data: encodeEntry(request, index) });
    return applied;
  }

  /** One that began at some revision, from a revision before it, behind it or of no choice, and got everything. */
  private watch(id: number): WatchRecord {
    const last = this.model.revision;
    const created = 1 + this.below(last);
    const startRevision = [0, 1 + this.below(created), created + this.below(4)][this.below(3)] ?? 0;
    const { key, rangeEnd } = this.requests.range(1).message as etcdserverpb.RangeRequest;
    const filters = [[], [], [etcdserverpb.FilterType.NOPUT], [etcdserverpb.FilterType.NODELETE]][this.below(4)] ?? [];
    const request = etcdserverpb.WatchCreateRequest.create({
      ...{ key, rangeEnd: rangeEnd.length === 1 ? rangeEnd : key.subarray(0, 0) },
      ...{ startRevision, filters, prevKv: this.below(2) === 0, progressNotify: true },
    });
    const invokedMs = this.madeAtMs[created] ?? 0;
    const answers = new WatchAnswers(invokedMs);
    answers.add({ created: true }, created, 0);
    let pending: mvccpb.Event[] = [];
    const first = startRevision === 0 ? created + 1 : startRevision;
    for (const { revision, events } of expectedEvents(this.replay, request, first)) {
      if (this.below(4) === 0 && pending.length === 0 && revision - 1 >= Math.max(created, first)) {
        answers.add({}, revision - 1, this.madeAtMs[revision - 1] ?? 0);
      }
      pending.push(...events);
      // What is history already may come in batches.
      if (revision < created && this.below(2) === 0) continue;
      answers.add({ events: pending }, Math.max(created, revision), this.madeAtMs[revision] ?? 0);
      pending = [];
    }
    if (pending.length > 0) answers.add({ events: pending }, created, 0);
    if (last >= first) answers.add({}, Math.max(last, created), this.madeAtMs[last] ?? 0);
    const { responses } = answers;
    return {
      id,
      client: id % this.freeAtMs.length,
      member: 'm0',
      request,
      invokedMs,
      responses,
      completeTo: Number.MAX_SAFE_INTEGER,
    };
  }
}

const lost: Outcome = { kind: 'unknown', code: 14, text: errors.ErrGRPCTimeout.message };

function outcomeOf(applied: ReturnType<KeyValueModel['readAt']>): Outcome {
  if (applied?.response !== undefined) return { kind: 'ok', response: applied.response };
  const error = applied?.error;
  if (error === undefined) throw new Error('neither an answer nor an error');
  return { kind: 'refused', code: errors[error].code, text: errors[error].message };
}

export function encodeEntry(request: ModelRequest, id: number): Uint8Array {
  const { InternalRaftRequest, RequestHeader } = etcdserverpb;
  const entry = InternalRaftRequest.create({ header: RequestHeader.create({ id: BigInt(id) }) });
  if (request.method === 'put') entry.put = request.message;
  else if (request.method === 'delete') entry.deleteRange = request.message;
  else if (request.method === 'txn') entry.txn = request.message;
  else if (request.method === 'compact') entry.compaction = request.message;
  else if (request.method === 'lease-grant') entry.leaseGrant = request.message;
  else if (request.method === 'lease-revoke') entry.leaseRevoke = request.message;
  else if (request.method === 'alarm') entry.alarm = request.message;
  return InternalRaftRequest.encode(entry);
}

class WatchAnswers {
  readonly responses: { readonly atMs: number; readonly message: etcdserverpb.WatchResponse }[] = [];
  private atMs: number;

  constructor(atMs: number) {
    this.atMs = atMs;
  }

  add(fields: Partial<etcdserverpb.WatchResponse>, revision: number, notBeforeMs: number): void {
    this.atMs = Math.max(this.atMs, notBeforeMs) + 1;
    const header = etcdserverpb.ResponseHeader.create({ revision });
    const message = etcdserverpb.WatchResponse.create({ watchId: 5, events: [], ...fields, header });
    this.responses.push({ atMs: this.atMs, message });
  }
}
