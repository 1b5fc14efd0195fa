import { etcdserverpb, services } from '@quorate/api';
import { ClientPort, type Login, textOf } from '../clients/client-port.ts';
import { ClientStream } from '../clients/client-stream.ts';
import type { Machine } from '../cluster/machine.ts';
import type { World } from '../cluster/world.ts';
import { AlarmDuty } from '../faults/alarm-duty.ts';
import type { LeaderChange, VigilPlan } from '../scenario.ts';
import type { VigilLease } from './check-vigil.ts';

const timeoutMs = 5_000;
const retryMs = 500;
const lookMs = 10_000;
const looksPerOther = 3;
const otherTtlSeconds = 20;
/** Longer than an election takes. */
const holdMs = 10_000;
const downMs = 200;

/** Little happens for half an hour, so that what is done again and again is done less often than in other runs. */
const vigilFlags: Readonly<Record<string, string>> = {
  'heartbeat-interval': '250',
  'election-timeout': '2500',
  'corrupt-check-time': '0s',
  'compact-hash-check-time': '60s',
};

const { Lease, Maintenance } = services;
const { LeaseGrantRequest, LeaseKeepAliveRequest } = etcdserverpb;

/** When all work is over: leases that last for longer than leaders do, in a cluster where nothing else happens. */
export class Vigil {
  readonly leases: VigilLease[] = [];
  private readonly world: World;
  private readonly plan: VigilPlan;
  private readonly port: ClientPort;
  private readonly duty: AlarmDuty;
  private turns = 0;

  constructor(world: World, plan: VigilPlan, login: Login | undefined) {
    this.world = world;
    this.plan = plan;
    this.port = new ClientPort('vigil', world.network, login);
    this.duty = new AlarmDuty(world, login);
  }

  /** Until all leases have ended, or should have long ago. */
  async keep(): Promise<void> {
    const { world, plan } = this;
    const { scheduler } = world;
    await this.begin();
    await Promise.all(plan.leases.map((lease) => this.grant(lease)));
    for (const change of plan.changes) scheduler.after(change.atMs, () => void this.change(change));
    const longestMs = Math.max(...plan.leases.map(({ ttlSeconds }) => ttlSeconds)) * 1_000;
    // A full life for each leader, and one more: what is too long is judged later.
    const endMs = scheduler.nowMs + longestMs * (plan.changes.length + 2);
    for (let looks = 1; scheduler.nowMs < endMs && (await this.areThere()); looks++) {
      await scheduler.delay(lookMs);
      if (looks % looksPerOther === 0) await this.grantOther();
    }
  }

  /** Every machine is started again with other flags. */
  private async begin(): Promise<void> {
    const { world, plan } = this;
    const gates = plan.hasCheckpoints ? ',LeaseCheckpoint=true,LeaseCheckpointPersist=true' : '';
    const isOther = (flag: string) => Object.keys(vigilFlags).some((name) => flag.startsWith(`--${name}=`));
    for (const machine of world.machines) {
      machine.flags = [
        ...machine.flags
          .filter((flag) => !isOther(flag))
          .map((flag) => (flag.startsWith('--feature-gates=') ? `${flag}${gates}` : flag)),
        ...Object.entries(vigilFlags).map(([name, value]) => `--${name}=${value}`),
      ];
    }
    this.crashAll();
    while (!world.isSettled()) await world.scheduler.delay(retryMs);
    // A check that waited for a slow member may have named one that was replaced long ago, and then nothing can be revoked.
    while (!(await this.duty.lower(etcdserverpb.AlarmType.CORRUPT))) await world.scheduler.delay(retryMs);
  }

  private crashAll(): void {
    const { world } = this;
    for (const machine of world.machines) {
      if (!machine.isAlive) continue;
      world.expectCrash(machine, 'synced', downMs);
      machine.crash('planned');
    }
  }

  /** A lease that nobody cares for, so that databases move on and what is in them counts after a crash, not what the log has. */
  private async grantOther(): Promise<void> {
    const request = LeaseGrantRequest.create({ ttl: otherTtlSeconds });
    await this.port.call(this.machine(), Lease.methods.LeaseGrant, request, { timeoutMs });
  }

  private async grant({ ttlSeconds, renewedMs }: VigilPlan['leases'][number]): Promise<void> {
    const { world, port } = this;
    const { scheduler } = world;
    for (;;) {
      const sentMs = scheduler.nowMs;
      const granted = await port.call(
        this.machine(),
        Lease.methods.LeaseGrant,
        LeaseGrantRequest.create({ ttl: ttlSeconds }),
        { timeoutMs },
      );
      if (granted.kind === 'ok') {
        const { id } = granted.response;
        const renewals = [{ sentMs, answeredMs: scheduler.nowMs, ttlSeconds }];
        const lease = { id, client: -1, ttlSeconds, renewals, losses: [], revokedMs: undefined };
        this.leases.push(lease);
        world.trace.note('vigil', `lease ${id.toString(16)} ttl ${ttlSeconds}`);
        for (const atMs of renewedMs) scheduler.after(atMs, () => void this.renew(lease));
        return;
      }
      await scheduler.delay(retryMs);
    }
  }

  /** Until somebody has done it. */
  private async renew(lease: VigilLease): Promise<void> {
    const { world } = this;
    for (;;) {
      const sentMs = world.scheduler.nowMs;
      const ttlSeconds = await this.renewAt(this.machine(), lease.id);
      world.trace.note('vigil', `renew ${lease.id.toString(16)}: ${ttlSeconds}`);
      const answeredMs = world.scheduler.nowMs;
      if (ttlSeconds === 0) lease.losses.push({ sentMs, answeredMs });
      else if (ttlSeconds !== undefined) lease.renewals.push({ sentMs, answeredMs, ttlSeconds });
      if (ttlSeconds !== undefined) return;
      await world.scheduler.delay(retryMs);
    }
  }

  private async renewAt(machine: Machine, id: bigint): Promise<number | undefined> {
    const { port, world } = this;
    const token = await port.tokenAt(machine);
    return new Promise((resolve) => {
      const timer = world.scheduler.after(timeoutMs, () => {
        stream.cancel();
        resolve(undefined);
      });
      const handlers = {
        message: ({ ttl }: etcdserverpb.LeaseKeepAliveResponse) => {
          timer.cancel();
          stream.cancel();
          resolve(ttl);
        },
        end: () => {
          timer.cancel();
          port.forgetToken(machine);
          resolve(undefined);
        },
      };
      const stream = new ClientStream(world.network, port.name, machine, Lease.methods.LeaseKeepAlive, handlers, token);
      stream.send(LeaseKeepAliveRequest.create({ id }));
    });
  }

  /** Somebody else is to lead, or the same in another life. */
  private async change({ how }: LeaderChange): Promise<void> {
    const { world } = this;
    const leader = world.leader();
    world.trace.note('vigil', `${how}, led by ${leader?.name}`);
    switch (how) {
      case 'hold':
        leader?.hold(world.scheduler.nowMs + holdMs);
        return;
      case 'crash-all':
        this.crashAll();
        return;
      case 'move': {
        const targetId = world.machines.find((machine) => machine !== leader)?.member?.memberId;
        if (leader === undefined || targetId === undefined) return;
        const moved = await this.port.call(leader, Maintenance.methods.MoveLeader, { targetId }, { timeoutMs });
        world.trace.note('vigil', `move: ${textOf(moved)}`);
        return;
      }
      default:
        how satisfies never;
    }
  }

  /** On any member: one that is behind may not have heard of them yet. */
  private async areThere(): Promise<boolean> {
    for (const machine of this.world.machines) {
      const outcome = await this.port.call(machine, Lease.methods.LeaseLeases, {}, { timeoutMs });
      if (outcome.kind !== 'ok') return true;
      const there = new Set(outcome.response.leases.map(({ id }) => id));
      if (this.leases.some(({ id }) => there.has(id))) return true;
    }
    return false;
  }

  private machine(): Machine {
    const { machines } = this.world;
    return machines[this.turns++ % machines.length] as Machine;
  }
}
