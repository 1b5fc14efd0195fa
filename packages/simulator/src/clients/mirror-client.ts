import { etcdserverpb, mvccpb, services } from '@quorate/api';
import { latin1FromBytes } from '@quorate/base';
import type { MirrorView } from '../history/history.ts';
import { chance, exponential, pick } from '../world/random-sources.ts';
import type { ClientDeps } from './client-deps.ts';
import { ClientStream } from './client-stream.ts';
import { keyPrefix, keyPrefixEnd } from './key-space.ts';

const timeoutMs = 3_000;
const retryMs = 100;
/** Mean time between two questions how far the watch is. */
const progressMs = 300;
/** Mean time after which a mirror begins anew. */
const keptMs = 5_000;

const { RangeRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest } = etcdserverpb;

/**
 * Keeps a copy of all keys as a Kubernetes control plane does: lists them, watches from there on, lists again when what it needs is
 * compacted. After every answer its copy is the state of a revision.
 */
export class MirrorClient {
  private readonly deps: ClientDeps<MirrorView>;
  private readonly number: number;
  /** Revisions of the last changes, by key. */
  private copy = new Map<string, number>();
  private isOver: () => boolean = () => false;

  constructor(deps: ClientDeps<MirrorView>, number: number) {
    this.deps = deps;
    this.number = number;
  }

  async run(isOver: () => boolean): Promise<void> {
    this.isOver = isOver;
    const { random, network } = this.deps;
    while (!isOver()) {
      const revision = await this.list();
      if (revision !== undefined) await this.follow(revision);
      await network.scheduler.delay(exponential(random, retryMs));
    }
  }

  /** @returns the revision of the list; undefined when it was not to be had. */
  private async list(): Promise<number | undefined> {
    const { port, random, machines } = this.deps;
    const request = RangeRequest.create({ key: keyPrefix, rangeEnd: keyPrefixEnd, serializable: chance(random, 0.5) });
    const outcome = await port.call(pick(random, machines), services.KV.methods.Range, request, { timeoutMs });
    if (outcome.kind !== 'ok') return undefined;
    const { header, kvs } = outcome.response;
    this.copy = new Map(kvs.map(({ key, modRevision }) => [latin1FromBytes(key), modRevision]));
    const revision = header?.revision ?? 0;
    this.view(revision);
    return revision;
  }

  /** Until the watch ends, or for a while, also over several streams. */
  private async follow(listed: number): Promise<void> {
    const { network, random } = this.deps;
    const untilMs = network.scheduler.nowMs + exponential(random, keptMs);
    let revision: number | undefined = listed;
    while (revision !== undefined && !this.isOver() && network.scheduler.nowMs < untilMs) {
      revision = await this.watch(revision, untilMs);
      await network.scheduler.delay(exponential(random, retryMs));
    }
  }

  /** @returns up to where the copy is when the stream ends; undefined when it cannot go on from there. */
  private async watch(from: number, untilMs: number): Promise<number | undefined> {
    const { port, network, random, machines } = this.deps;
    const { scheduler } = network;
    const machine = pick(random, machines);
    const token = await port.tokenAt(machine);
    return new Promise((resolve) => {
      let revision = from;
      const finish = (result: number | undefined) => {
        stream.cancel();
        isOpen = false;
        resolve(result);
      };
      let isOpen = true;
      const handlers = {
        message: (message: etcdserverpb.WatchResponse) => {
          if (!isOpen) return;
          revision = Math.max(revision, this.take(message));
          if (message.canceled) finish(undefined);
        },
        end: () => {
          port.forgetToken(machine);
          if (isOpen) finish(revision);
        },
      };
      const stream = new ClientStream(network, port.name, machine, services.Watch.methods.Watch, handlers, token);
      const request = { key: keyPrefix, rangeEnd: keyPrefixEnd, startRevision: from + 1, progressNotify: true };
      stream.send(WatchRequest.create({ createRequest: WatchCreateRequest.create(request) }));
      const ask = () => {
        scheduler.after(exponential(random, progressMs), () => {
          if (!isOpen) return;
          if (this.isOver() || scheduler.nowMs >= untilMs) {
            finish(revision);
            return;
          }
          stream.send(WatchRequest.create({ progressRequest: WatchProgressRequest.create({}) }));
          ask();
        });
      };
      ask();
    });
  }

  /** @returns up to where the copy is now. */
  private take({ header, created, canceled, events }: etcdserverpb.WatchResponse): number {
    if (created || canceled) return 0;
    let revision = 0;
    for (const { type, kv } of events) {
      if (kv === undefined) continue;
      const key = latin1FromBytes(kv.key);
      if (type === mvccpb.EventType.DELETE) this.copy.delete(key);
      else this.copy.set(key, kv.modRevision);
      revision = kv.modRevision;
    }
    if (events.length === 0) revision = header?.revision ?? 0;
    this.view(revision);
    return revision;
  }

  private view(revision: number): void {
    this.deps.record({ client: this.number, revision, keys: new Map(this.copy) });
  }
}
