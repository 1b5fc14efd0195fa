import type { Method } from '@quorate/api';
import { nextBelow } from '@quorate/base';
import { makeBootstrap } from '@quorate/machine';
import { ClientPort, textOf } from '../clients/client-port.ts';
import { rootLogin } from '../clients/users.ts';
import type { Machine } from '../cluster/machine.ts';
import { World } from '../cluster/world.ts';
import { quotaFlag } from '../faults/draw-administration.ts';
import type { Violation } from '../history/history.ts';
import type { RestorePlan, Scenario } from '../scenario.ts';
import { MachineClock } from '../world/machine-clock.ts';
import { sourceOf } from '../world/random-sources.ts';
import type { SavedSnapshot } from './check-snapshot.ts';
import { type Look, lookAtRestored } from './look-at-restored.ts';
import { restoreSnapshot } from './restore-snapshot.ts';

const token = 'restored';
const callTimeoutMs = 10_000;
const pauseMs = 50;
const triesMax = 100;
/** The new cluster is settled by then. */
const settleLimitMs = 60_000;

/** A new cluster on other machines, from a snapshot of one that is gone. */
export class RestoredCluster {
  readonly world: World;
  private readonly plan: RestorePlan;
  private readonly snapshot: SavedSnapshot;
  private readonly seed: number;
  private readonly found: Violation[] = [];

  constructor(before: World, scenario: Scenario, plan: RestorePlan, snapshot: SavedSnapshot) {
    this.plan = plan;
    this.snapshot = snapshot;
    this.seed = scenario.seed;
    const { members } = plan;
    const ownFlags = (place: number) => scenario.flags[place % scenario.members] ?? [];
    // It has room for what it is asked to write.
    const flags = Array.from({ length: members }, (_, place) =>
      ownFlags(place).filter((flag) => !flag.startsWith(`--${quotaFlag}=`)),
    );
    this.world = new World({ ...scenario, members, flags }, before.edge, before);
  }

  /** Restores, starts, and looks whether all is as it was; and once more after a loss of power everywhere. */
  async play(): Promise<Violation[]> {
    const { world, plan } = this;
    try {
      const look = await this.begin();
      if (plan.crash !== undefined) this.planCrash(plan.crash);
      for (const machine of world.machines) world.employ(machine);
      if (await this.isSettled()) {
        await lookAtRestored(look, true);
        for (const machine of world.machines) {
          world.expectCrash(machine, 'torn', pauseMs);
          machine.crash('planned');
        }
        if (await this.isSettled()) await lookAtRestored(look, false);
      }
    } catch (error) {
      this.violate(error instanceof Error ? (error.stack ?? error.message).replaceAll('\n', ' | ') : String(error));
    }
    for (const machine of world.machines) world.retire(machine);
    const { violations, agreement, elections } = world;
    return [...this.found, ...violations, ...agreement.violations, ...elections.violations];
  }

  /** To the disks, while the machines are down. */
  private async begin(): Promise<Look> {
    const { world, snapshot, plan, seed } = this;
    const { scheduler, machines, edge } = world;
    const { bumpRevision } = plan;
    const initialCluster = machines.map(({ name, url }) => ({ name, peerUrls: [url] }));
    const host = { scheduler, at: (atMs: number, callback: () => void) => scheduler.at(atMs, callback) };
    const clock = new MachineClock(host, { rate: 1, wallOffsetMs: 0 });
    for (const machine of machines) {
      const { name, disk } = machine;
      const random = sourceOf(seed, `restore ${name}`);
      const deps = { disk: disk.disk, clock, random, sha1: edge.sha1, sha256: edge.sha256 };
      await restoreSnapshot(deps, snapshot.bytes, { name, initialCluster, token, bumpRevision });
      const cluster = machines.map(({ name: each, url }) => `${each}=${url}`).join(',');
      world.setFlags(machine, [`--initial-cluster=${cluster}`, `--initial-cluster-token=${token}`]);
    }
    const { content } = snapshot;
    world.trace.note('restore', `${machines.length} members from revision ${content.revision} of ${snapshot.member}`);
    const port = new ClientPort('restorer', world.network, content.areUsersAsked ? rootLogin : undefined);
    return {
      ...{ world, port, content, bumpRevision, startedMs: scheduler.nowMs },
      bootstrap: makeBootstrap(edge.sha1, initialCluster, token),
      ask: (machine, method, request) => this.ask(port, machine, method, request),
      violate: (text) => this.violate(text),
    };
  }

  /** In the first steps of a member's first life. */
  private planCrash({ machine: place, operations, mode }: NonNullable<RestorePlan['crash']>): void {
    const machine = this.world.machines[place % this.world.machines.length] as Machine;
    this.world.expectCrash(machine, mode, pauseMs + nextBelow(sourceOf(this.seed, 'restore crash'), 500));
    machine.disk.planned.push({ operation: 'any', skip: operations, fault: 'crash' });
  }

  private async isSettled(): Promise<boolean> {
    const { world } = this;
    const endMs = world.scheduler.nowMs + settleLimitMs;
    while (!world.isSettled()) {
      if (world.scheduler.nowMs > endMs) {
        this.violate(`no settled cluster after ${settleLimitMs} ms: ${world.describe()}`);
        return false;
      }
      await world.scheduler.delay(pauseMs);
    }
    for (const { disk } of world.machines) disk.planned.length = 0;
    return true;
  }

  /** Until it is answered or refused for good. */
  private async ask<Request, Response>(
    port: ClientPort,
    machine: Machine,
    method: Method<Request, Response>,
    request: Request,
  ): Promise<Response> {
    for (let tries = 0; ; tries++) {
      const outcome = await port.call(machine, method, request, { timeoutMs: callTimeoutMs });
      if (outcome.kind === 'ok') return outcome.response;
      this.world.trace.note('restore', `${method.name} at ${machine.name}: ${textOf(outcome)}`);
      if (tries >= triesMax) throw new Error(`${method.name} at ${machine.name}: ${textOf(outcome)}`);
      await this.world.scheduler.delay(pauseMs);
    }
  }

  private violate(text: string): void {
    this.found.push({ checker: 'restore', text });
  }
}
