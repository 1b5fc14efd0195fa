import { etcdserverpb, type Method, services } from '@quorate/api';
import { nextBelow, utf8ToBytes } from '@quorate/base';
import type { GuardedWrite } from '../history/history.ts';
import { chance, exponential, pick } from '../world/random-sources.ts';
import type { ClientDeps } from './client-deps.ts';

/** Someone who holds a lock or leads, as far as it knows. */
interface Held {
  readonly key: Uint8Array;
  readonly token: number;
  readonly lease: bigint;
}

const timeoutMs = 3_000;
/** A place in the queue is given up after that. */
const queueMs = 6_000;
const pauseMs = 200;

const lockName = utf8ToBytes('x/lock');
const electionName = utf8ToBytes('x/election');
const ownerKey = utf8ToBytes('x/owner');

const { KV, Lease, Lock, Election } = services;
const { Compare, CompareResult, CompareTarget, PutRequest, RangeRequest, RequestOp, TxnRequest } = etcdserverpb;

/** Takes a lock or stands for election under a lease that nobody renews, and writes while it holds: guarded, as docs/locks.md says. */
export class ExclusionClient {
  private readonly deps: ClientDeps<GuardedWrite>;
  private readonly number: number;
  private writes = 0;

  constructor(deps: ClientDeps<GuardedWrite>, number: number) {
    this.deps = deps;
    this.number = number;
  }

  async run(isOver: () => boolean): Promise<void> {
    const { random, network } = this.deps;
    while (!isOver()) {
      await network.scheduler.delay(exponential(random, pauseMs));
      const lease = await this.grant();
      if (lease === undefined) continue;
      if (chance(random, 0.5)) await this.holdLock(lease);
      else await this.lead(lease);
      if (chance(random, 0.5)) await this.call(Lease.methods.LeaseRevoke, { id: lease });
    }
  }

  private async grant(): Promise<bigint | undefined> {
    const ttl = 1 + nextBelow(this.deps.random, 3);
    const granted = await this.call(Lease.methods.LeaseGrant, etcdserverpb.LeaseGrantRequest.create({ ttl }));
    return granted?.id;
  }

  private async holdLock(lease: bigint): Promise<void> {
    const locked = await this.call(Lock.methods.Lock, { name: lockName, lease }, queueMs);
    if (locked === undefined) return;
    const { key } = locked;
    const found = await this.call(KV.methods.Range, RangeRequest.create({ key }));
    const token = found?.kvs[0]?.createRevision;
    if (token === undefined) return;
    this.note(`holds the lock with token ${token}`);
    await this.work(() => this.writeGuarded({ key, token, lease }));
    if (chance(this.deps.random, 0.5)) await this.call(Lock.methods.Unlock, { key });
  }

  private async writeGuarded({ key, token }: Held): Promise<void> {
    const isHeld = Compare.create({
      result: CompareResult.EQUAL,
      target: CompareTarget.CREATE,
      key,
      createRevision: token,
    });
    const put = PutRequest.create({ key: ownerKey, value: this.value(token) });
    const request = TxnRequest.create({ compare: [isHeld], success: [RequestOp.create({ requestPut: put })] });
    const written = await this.call(KV.methods.Txn, request);
    if (written?.succeeded) this.record('lock', token, written.header?.revision);
  }

  private async lead(lease: bigint): Promise<void> {
    const { random } = this.deps;
    const request = { name: electionName, lease, value: this.value(0) };
    const leader = (await this.call(Election.methods.Campaign, request, queueMs))?.leader;
    if (leader === undefined) return;
    this.note(`leads with token ${leader.rev}`);
    await this.work(async () => {
      const told = await this.call(Election.methods.Proclaim, { leader, value: this.value(leader.rev) });
      if (told !== undefined) this.record('election', leader.rev, told.header?.revision);
    });
    if (chance(random, 0.5)) await this.call(Election.methods.Resign, { leader });
  }

  /** Some writes with pauses, longer at times than the lease lives. */
  private async work(write: () => Promise<void>): Promise<void> {
    const { random, network } = this.deps;
    for (let left = nextBelow(random, 6); left > 0; left--) {
      await network.scheduler.delay(exponential(random, 2 * pauseMs));
      await write();
    }
  }

  private record(what: GuardedWrite['what'], token: number, revision = 0): void {
    this.note(`wrote with ${what} token ${token} at ${revision}`);
    this.deps.record({ what, client: this.number, token, revision });
  }

  private value(token: number): Uint8Array {
    return utf8ToBytes(`x${this.number}-${this.writes++} ${token}`);
  }

  private async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    waitMs = timeoutMs,
  ): Promise<Response | undefined> {
    const { port, random, machines } = this.deps;
    const outcome = await port.call(pick(random, machines), method, request, { timeoutMs: waitMs });
    return outcome.kind === 'ok' ? outcome.response : undefined;
  }

  private note(text: string): void {
    this.deps.network.trace.note(this.deps.port.name, text);
  }
}
