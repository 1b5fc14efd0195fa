import { etcdserverpb, services } from '@quorate/api';
import { nextBelow, utf8ToBytes } from '@quorate/base';
import type { Machine } from '../cluster/machine.ts';
import type { LeaseRecord } from '../history/history.ts';
import { between, chance, exponential, pick } from '../world/random-sources.ts';
import type { ClientDeps } from './client-deps.ts';
import { ClientStream } from './client-stream.ts';

/** Keys that hang on leases; no client of the key-value service writes such. */
export const leasePrefix = 'l/';

const timeoutMs = 3_000;
const pauseMs = 200;
/** Mean time that a lease is held. */
const heldMs = 3_000;

const { KV, Lease } = services;
const { PutRequest, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest } = etcdserverpb;

type Writable = { -readonly [Field in keyof LeaseRecord]: LeaseRecord[Field] };

/** Takes a lease, hangs a key on it, renews it for a while, and lets it go by revoking it or by no longer caring. */
export class LeaseClient {
  private readonly deps: ClientDeps<LeaseRecord>;
  private readonly number: number;
  private readonly isSuspicious: boolean;

  /** @param isSuspicious whether it revokes its leases at once, and asks every member whether they are gone. */
  constructor(deps: ClientDeps<LeaseRecord>, number: number, isSuspicious: boolean) {
    this.deps = deps;
    this.number = number;
    this.isSuspicious = isSuspicious;
  }

  async run(isOver: () => boolean): Promise<void> {
    const { random, network } = this.deps;
    while (!isOver()) {
      await network.scheduler.delay(exponential(random, pauseMs));
      await this.holdOne(isOver);
    }
  }

  private async holdOne(isOver: () => boolean): Promise<void> {
    const { port, random, network, machines, record } = this.deps;
    const { scheduler } = network;
    const sentMs = scheduler.nowMs;
    const ttl = 1 + nextBelow(random, 4);
    const granted = await port.call(
      pick(random, machines),
      Lease.methods.LeaseGrant,
      LeaseGrantRequest.create({ ttl }),
      {
        timeoutMs,
      },
    );
    if (granted.kind !== 'ok') return;
    const { id, ttl: ttlSeconds } = granted.response;
    const renewals = [{ sentMs, answeredMs: scheduler.nowMs, ttlSeconds }];
    const losses: { sentMs: number; answeredMs: number }[] = [];
    const lease: Writable = { id, client: this.number, ttlSeconds, renewals, losses, revokedMs: undefined };
    network.trace.note(port.name, `lease ${id.toString(16)} ttl ${ttlSeconds}`);
    const key = utf8ToBytes(`${leasePrefix}${this.number}`);
    const put = PutRequest.create({ key, value: utf8ToBytes(id.toString(16)), lease: id });
    await port.call(pick(random, machines), KV.methods.Put, put, { timeoutMs });
    const untilMs = scheduler.nowMs + (this.isSuspicious ? 0 : exponential(random, heldMs));
    while (!isOver() && scheduler.nowMs < untilMs && losses.length === 0) {
      // Now and then about when it ends.
      await scheduler.delay(ttlSeconds * 1000 * (chance(random, 0.15) ? between(random, 0.9, 1.2) : 1 / 3));
      await this.renew(lease, pick(random, machines), renewals, losses);
    }
    if (this.isSuspicious || chance(random, 0.5)) {
      lease.revokedMs = scheduler.nowMs;
      const revoke = LeaseRevokeRequest.create({ id });
      const revoked = await port.call(pick(random, machines), Lease.methods.LeaseRevoke, revoke, { timeoutMs });
      network.trace.note(port.name, `revoke ${id.toString(16)}: ${revoked.kind}`);
      // Whoever was told that it is gone must not get it back.
      if (revoked.kind === 'ok') {
        const asked = this.isSuspicious ? machines : [pick(random, machines)];
        await Promise.all(asked.map((machine) => this.renew(lease, machine, renewals, losses)));
      }
    }
    record(lease);
  }

  /** One renewal, over a stream of its own. */
  private async renew(
    { id }: LeaseRecord,
    machine: Machine,
    renewals: { sentMs: number; answeredMs: number; ttlSeconds: number }[],
    losses: { sentMs: number; answeredMs: number }[],
  ): Promise<void> {
    const { port, network } = this.deps;
    const { scheduler } = network;
    const token = await port.tokenAt(machine);
    const sentMs = scheduler.nowMs;
    const ttl = await new Promise<number | undefined>((resolve) => {
      const timer = scheduler.after(timeoutMs, () => {
        stream.cancel();
        resolve(undefined);
      });
      const handlers = {
        message: (message: etcdserverpb.LeaseKeepAliveResponse) => {
          timer.cancel();
          stream.cancel();
          resolve(message.ttl);
        },
        end: () => {
          timer.cancel();
          port.forgetToken(machine);
          resolve(undefined);
        },
      };
      const stream = new ClientStream(network, port.name, machine, Lease.methods.LeaseKeepAlive, handlers, token);
      stream.send(LeaseKeepAliveRequest.create({ id }));
    });
    network.trace.note(port.name, `renew ${id.toString(16)} at ${machine.name}: ${ttl}`);
    if (ttl === undefined) return;
    const answeredMs = scheduler.nowMs;
    if (ttl > 0) renewals.push({ sentMs, answeredMs, ttlSeconds: ttl });
    else losses.push({ sentMs, answeredMs });
  }
}
