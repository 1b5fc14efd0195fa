import { type AnyMethod, type etcdserverpb, type Method, services } from '@quorate/api';
import { nextBelow, utf8FromBytes } from '@quorate/base';
import { GrpcStatus } from '@quorate/transport';
import type { Machine } from '../cluster/machine.ts';
import type { KeyValueRequest, KeyValueResponse, Operation } from '../history/history.ts';
import type { WriteTaste } from '../scenario.ts';
import { chance, exponential, pick } from '../world/random-sources.ts';
import type { ClientDeps } from './client-deps.ts';
import { type CallOutcome, memberOf } from './client-port.ts';
import { drawRead, drawRequest } from './draw-request.ts';

const methods: Readonly<Record<KeyValueRequest['method'], AnyMethod>> = {
  put: services.KV.methods.Put,
  range: services.KV.methods.Range,
  delete: services.KV.methods.DeleteRange,
  txn: services.KV.methods.Txn,
  compact: services.KV.methods.Compact,
};

export interface KeyValueClientDeps extends ClientDeps<Operation> {
  readonly taste: WriteTaste;
  /** It does not wait long. */
  readonly isHasty: boolean;
  /** It makes each request of another member. */
  readonly isRestless: boolean;
  readonly nextId: () => number;
}

/** Mean pause of a client before it tries another member. */
const retryMs = 100;
/** What a client waits for an answer: longer than elections take, or now and then not. */
const timeoutsMs = [300, 2_000, 8_000];
const hastyTimeoutsMs = [50, 100, 200];

/** How many clients only read. */
const readerRate = 0.25;

/** Makes one request after the other, of this member or that, and keeps what it learned. */
export class KeyValueClient {
  private readonly deps: KeyValueClientDeps;
  private readonly number: number;
  private readonly modRevisions = new Map<string, number>();
  private readonly isReader: boolean;
  private machine: Machine;
  private revision = 0;
  private values = 0;

  constructor(deps: KeyValueClientDeps, number: number) {
    this.deps = deps;
    this.number = number;
    this.isReader = deps.isHasty ? number % 2 === 0 : chance(deps.random, readerRate);
    this.machine = this.otherMachine();
  }

  private otherMachine(): Machine {
    const { machines, random } = this.deps;
    return machines[nextBelow(random, machines.length)] as Machine;
  }

  /** Makes so many requests with pauses in between; less when `isOver` says so. */
  async run(operations: number, thinkMs: number, isOver: () => boolean): Promise<void> {
    const { random, network } = this.deps;
    const { scheduler } = network;
    let done = 0;
    while (done < operations && !isOver()) {
      await scheduler.delay(exponential(random, thinkMs));
      if (await this.once()) done++;
      else await scheduler.delay(exponential(random, retryMs));
    }
  }

  /** @returns false when nobody took the request. */
  private async once(): Promise<boolean> {
    const { random, port, network, nextId, record } = this.deps;
    const { scheduler } = network;
    const draw = this.isReader ? drawRead : drawRequest;
    const request = draw(random, {
      revision: this.revision,
      taste: this.deps.taste,
      modRevision: (key) => this.modRevisions.get(key),
      uniqueValue: () => `${this.number}-${this.values++}`,
    });
    const id = nextId();
    const { machine } = this;
    const invokedMs = scheduler.nowMs;
    const timeoutMs = pick(random, this.deps.isHasty ? hastyTimeoutsMs : timeoutsMs);
    const method = methods[request.method] as Method<object, object>;
    const outcome = await port.call(machine, method, request.message, { timeoutMs });
    const isOk = outcome.kind === 'ok';
    if (isOk) this.learn({ method: request.method, message: outcome.response } as KeyValueResponse);
    if (outcome.kind === 'refused' && outcome.code === GrpcStatus.unavailable) {
      this.machine = this.otherMachine();
      return false;
    }
    port.network.trace.note(port.name, `${id} ${request.method} at ${machine.name}: ${textOf(outcome)}`);
    record({
      ...{ id, client: this.number, member: memberOf(machine, outcome), request, invokedMs },
      returnedMs: outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : scheduler.nowMs,
      outcome: isOk
        ? { kind: 'ok', response: { method: request.method, message: outcome.response } as KeyValueResponse }
        : outcome,
    });
    const isMoved = this.deps.isRestless || outcome.kind === 'unknown' || chance(random, 0.05);
    if (isMoved) this.machine = this.otherMachine();
    return true;
  }

  private learn({ method, message }: KeyValueResponse): void {
    this.revision = Math.max(this.revision, message.header?.revision ?? 0);
    if (method === 'range') this.learnKeys(message);
    if (method === 'txn') for (const { responseRange } of message.responses) this.learnKeys(responseRange);
  }

  private learnKeys(answer: etcdserverpb.RangeResponse | undefined): void {
    for (const { key, modRevision } of answer?.kvs ?? []) this.modRevisions.set(utf8FromBytes(key), modRevision);
  }
}

function textOf(outcome: CallOutcome<object>): string {
  if (outcome.kind !== 'ok') return `${outcome.kind} ${outcome.code} ${outcome.text}`;
  const { header } = outcome.response as { header?: { revision: number; raftTerm: number } };
  return `ok revision ${header?.revision} term ${header?.raftTerm}`;
}
