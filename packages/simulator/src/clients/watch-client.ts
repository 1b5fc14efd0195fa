import { etcdserverpb, services } from '@quorate/api';
import { nextBelow, utf8ToBytes } from '@quorate/base';
import type { Machine } from '../cluster/machine.ts';
import type { WatchRecord } from '../history/history.ts';
import { chance, exponential, pick } from '../world/random-sources.ts';
import type { ClientDeps } from './client-deps.ts';
import { ClientStream, type StreamHandlers } from './client-stream.ts';
import { allKeys, keyPrefix, keyPrefixEnd } from './key-space.ts';

export interface WatchClientDeps extends ClientDeps<WatchRecord> {
  readonly nextId: () => number;
}

/** A watch that is open. */
interface Open {
  readonly record: { -readonly [Field in keyof WatchRecord]: WatchRecord[Field] };
  readonly responses: { readonly atMs: number; readonly message: etcdserverpb.WatchResponse }[];
  readonly stream: ClientStream<etcdserverpb.WatchRequest, etcdserverpb.WatchResponse>;
}

/** Mean time before a client lets its watch go, or asks how far it is. */
const keptMs = 2_000;
const progressMs = 300;
const retryMs = 100;
/** How often a client is slow, and for how long in the mean. */
const restRate = 0.03;
const restMs = 800;
/** Compacted away: what a client then begins with is the present. */
const compactedMs = 50;

const { WatchCreateRequest, WatchRequest } = etcdserverpb;

/** Watches keys, and goes on where it was when its stream ends, at this member or that. */
export class WatchClient {
  private readonly deps: WatchClientDeps;
  private readonly number: number;
  private readonly name: string;
  private current: Open | undefined;
  private isStopped = false;
  private isPatient = false;

  constructor(deps: WatchClientDeps, number: number) {
    this.deps = deps;
    this.number = number;
    this.name = `w${number}`;
  }

  start(): void {
    this.open(this.drawRequest(0));
  }

  /** From now on it lets no watch go. */
  keep(): void {
    this.isPatient = true;
  }

  /** Ends; the watch that is open had the time to tell all up to that revision. */
  stop(toldRevision: number): void {
    this.isStopped = true;
    const { current } = this;
    if (current === undefined) return;
    current.record.completeTo = toldRevision;
    this.close(current);
    current.stream.cancel();
  }

  /** Whether the watch that is open has told all up to that revision. Of a later start no progress is told. */
  hasTold(revision: number): boolean {
    const { current } = this;
    const last = current?.responses.at(-1)?.message;
    if (current === undefined || last === undefined) return false;
    return seenBy(last) >= revision || current.record.request.startRevision > revision;
  }

  /** Asks how far the watch is. */
  askProgress(): void {
    this.current?.stream.send(WatchRequest.create({ progressRequest: etcdserverpb.WatchProgressRequest.create({}) }));
  }

  private drawRequest(startRevision: number): etcdserverpb.WatchCreateRequest {
    const { random } = this.deps;
    const isPrefix = chance(random, 0.7);
    return WatchCreateRequest.create({
      key: isPrefix ? keyPrefix : utf8ToBytes(pick(random, allKeys)),
      rangeEnd: isPrefix ? keyPrefixEnd : new Uint8Array(0),
      startRevision: chance(random, 0.1) ? startRevision + nextBelow(random, 40) : startRevision,
      prevKv: chance(random, 0.5),
      progressNotify: chance(random, 0.3),
      fragment: chance(random, 0.2),
      filters: chance(random, 0.1) ? [nextBelow(random, 2)] : [],
    });
  }

  private open(request: etcdserverpb.WatchCreateRequest): void {
    const { port, random, machines } = this.deps;
    const machine = pick(random, machines);
    void port.tokenAt(machine).then((token) => {
      if (token === undefined && port.login !== undefined) this.later(retryMs, () => this.open(request));
      else if (!this.isStopped) this.openAt(machine, request, token);
    });
  }

  private openAt(machine: Machine, request: etcdserverpb.WatchCreateRequest, token: string | undefined): void {
    const { network, nextId, port } = this.deps;
    const { scheduler } = network;
    const responses: Open['responses'] = [];
    const handlers: StreamHandlers<etcdserverpb.WatchResponse> = {
      message: (message) => {
        // The stream lives on; what it said who asks with may be what was refused, and no other call finds that out.
        if (message.canceled && message.compactRevision === 0) port.forgetToken(machine);
        this.hear(open, message);
      },
      end: (code, text) => {
        network.trace.note(this.name, `watch at ${machine.name} ends: ${code} ${text}`);
        this.close(open);
        port.forgetToken(machine);
        this.later(retryMs, () => this.open(this.resumed(open)));
      },
    };
    const stream = new ClientStream(network, this.name, machine, services.Watch.methods.Watch, handlers, token);
    const open: Open = {
      record: {
        ...{ id: nextId(), client: this.number, member: machine.name, request, responses },
        invokedMs: scheduler.nowMs,
        completeTo: 0,
      },
      responses,
      stream,
    };
    this.current = open;
    network.trace.note(this.name, `watches at ${machine.name} from ${request.startRevision}`);
    stream.send(WatchRequest.create({ createRequest: request }));
    this.ask(open);
    this.later(keptMs, () => {
      if (this.current !== open || this.isPatient) return;
      this.close(open);
      stream.cancel();
      this.open(this.resumed(open));
    });
  }

  private ask(open: Open): void {
    this.later(progressMs, () => {
      if (this.current !== open) return;
      this.askProgress();
      this.ask(open);
    });
  }

  private hear(open: Open, message: etcdserverpb.WatchResponse): void {
    if (this.current !== open) return;
    const { trace, scheduler } = this.deps.network;
    open.responses.push({ atMs: scheduler.nowMs, message });
    const { header, events, canceled, compactRevision } = message;
    trace.note(this.name, `revision ${header?.revision} events ${events.length}${canceled ? ' canceled' : ''}`);
    if (chance(this.deps.random, restRate)) open.stream.rest(exponential(this.deps.random, restMs));
    if (!canceled) return;
    this.close(open);
    open.stream.cancel();
    const next = compactRevision > 0 ? this.drawRequest(compactRevision + 1) : this.resumed(open);
    this.later(compactedMs, () => this.open(next));
  }

  /** What the same client asks for next: from behind the last it heard of, or something new. */
  private resumed({ responses, record }: Open): etcdserverpb.WatchCreateRequest {
    const { random } = this.deps;
    let seen = 0;
    for (const { message } of responses) seen = Math.max(seen, seenBy(message));
    if (seen === 0 || chance(random, 0.2)) return chance(random, 0.5) ? this.drawRequest(seen) : record.request;
    return WatchCreateRequest.create({ ...record.request, startRevision: seen + 1 });
  }

  private close(open: Open): void {
    if (this.current !== open) return;
    this.current = undefined;
    this.deps.record(open.record);
  }

  private later(meanMs: number, action: () => void): void {
    const { network, random } = this.deps;
    network.scheduler.after(exponential(random, meanMs), () => {
      if (!this.isStopped) action();
    });
  }
}

/** Up to where a response tells all; by the rules of clientv3. */
function seenBy({ header, created, canceled, events, fragment }: etcdserverpb.WatchResponse): number {
  const last = events.at(-1)?.kv?.modRevision;
  // Of a revision in parts, only the last part is the end.
  if (last !== undefined) return fragment ? last - 1 : last;
  return created || canceled ? 0 : (header?.revision ?? 0);
}
