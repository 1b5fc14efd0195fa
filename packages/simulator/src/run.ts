import { type etcdserverpb, services } from '@quorate/api';
import { checkHistory, type HistoryStatistics } from './checkers/check-history.ts';
import { checkExclusion } from './checkers/exclusion.ts';
import { checkLeases } from './checkers/leases.ts';
import { checkPermissions } from './checkers/permissions.ts';
import { ClientPort, type Login } from './clients/client-port.ts';
import { ExclusionClient } from './clients/exclusion-client.ts';
import { GuestClient } from './clients/guest-client.ts';
import { KeyValueClient } from './clients/key-value-client.ts';
import { LeaseClient } from './clients/lease-client.ts';
import { MirrorClient } from './clients/mirror-client.ts';
import { guestLogin, rootLogin, Users, workerLogin } from './clients/users.ts';
import { WatchClient } from './clients/watch-client.ts';
import { World, type WorldEdge } from './cluster/world.ts';
import { Nemesis } from './faults/nemesis.ts';
import type {
  GuardedWrite,
  GuestOperation,
  History,
  LeaseRecord,
  MirrorView,
  Operation,
  Violation,
  WatchRecord,
} from './history/history.ts';
import type { Scenario } from './scenario.ts';
import { sourceOf } from './world/random-sources.ts';

/** What came of a run. */
export interface RunResult {
  readonly traceHash: string;
  readonly traceLines: number;
  readonly history: History;
  readonly violations: readonly Violation[];
  readonly statistics: HistoryStatistics;
  /** Of the simulated world. */
  readonly durationMs: number;
  readonly events: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly downs: ReadonlyMap<string, number>;
  readonly acknowledged: number;
  readonly unknown: number;
}

/** A new cluster has a leader by then. */
const peaceLimitMs = 30_000;
/** All work and all faults are over by then, or something hangs. */
const workLimitMs = 600_000;
/** A healed cluster has a leader, all members have caught up, and all watches have told all, by then. */
const healLimitMs = 60_000;
const callTimeoutMs = 10_000;
const retryMs = 200;

/** Plays a scenario to its end. The same scenario gives the same result, trace and all. */
export function runScenario(scenario: Scenario, edge: WorldEdge): Promise<RunResult> {
  return new Run(scenario, edge).play();
}

class Run {
  private readonly scenario: Scenario;
  private readonly world: World;
  private readonly nemesis: Nemesis;
  private readonly users: Users;
  private readonly workerLogin: Login | undefined;
  private readonly operations: Operation[] = [];
  private readonly watches: WatchRecord[] = [];
  private readonly leases: LeaseRecord[] = [];
  private readonly guardedWrites: GuardedWrite[] = [];
  private readonly views: MirrorView[] = [];
  private readonly guestOperations: GuestOperation[] = [];
  private readonly watchers: WatchClient[] = [];
  private ids = 0;
  /** Clients that are at work. */
  private working = 0;
  /** Clients that are at work for as long as others are. */
  private companions = 0;
  private isWorkOver = false;

  constructor(scenario: Scenario, edge: WorldEdge) {
    this.scenario = scenario;
    this.world = new World(scenario, edge);
    const names = [
      ...Array.from({ length: scenario.clients }, (_, i) => `c${i}`),
      ...Array.from({ length: scenario.watchers }, (_, i) => `w${i}`),
      ...Array.from({ length: scenario.leaseholders }, (_, i) => `l${i}`),
      ...Array.from({ length: scenario.lockers }, (_, i) => `x${i}`),
      ...Array.from({ length: scenario.mirrors }, (_, i) => `r${i}`),
    ];
    this.users = new Users(this.world);
    this.nemesis = new Nemesis(this.world, this.users, scenario, names, {
      client: scenario.clients,
      nextId: () => this.ids++,
      record: (operation) => void this.operations.push(operation),
    });
    this.workerLogin = scenario.hasUsers ? workerLogin : undefined;
  }

  private get isBroken(): boolean {
    const { violations, agreement, elections } = this.world;
    return violations.length + agreement.violations.length + elections.violations.length > 0;
  }

  private violate(checker: string, text: string): void {
    this.world.violations.push({ checker, text });
  }

  async play(): Promise<RunResult> {
    const { world, nemesis, scenario } = this;
    const { scheduler, trace } = world;
    for (const machine of world.machines) machine.start();
    if (scenario.beginsInPeace) await scheduler.run(() => world.isSettled(), peaceLimitMs);
    await this.setUpUsers();
    trace.note('world', 'work begins');
    this.startClients();
    this.startGuest();
    nemesis.start();
    await this.until(() => this.working === 0 && nemesis.isOver, workLimitMs, 'work was not over');
    this.isWorkOver = true;
    trace.note('world', 'heals');
    nemesis.heal();
    await this.until(() => world.isSettled() && this.companions === 0, healLimitMs, 'no settled cluster');
    await this.lookAtEnd();
    return this.result();
  }

  private async until(condition: () => boolean, limitMs: number, otherwise: string): Promise<void> {
    if (this.isBroken) return;
    const { scheduler } = this.world;
    const isOver = await scheduler.run(() => condition() || this.isBroken, scheduler.nowMs + limitMs);
    if (!isOver) this.violate('liveness', `${otherwise} after ${limitMs} ms: ${this.world.describe()}`);
  }

  private startClients(): void {
    const { scenario, world } = this;
    const { network, scheduler, machines } = world;
    const random = (name: string) => sourceOf(scenario.seed, `client ${name}`);
    const nextId = () => this.ids++;
    const share = Math.ceil(scenario.operations / Math.max(1, scenario.clients));
    for (let i = 0; i < scenario.clients; i++) {
      const name = `c${i}`;
      const record = (operation: Operation) => void this.operations.push(operation);
      const port = new ClientPort(name, network, this.workerLogin);
      const client = new KeyValueClient(
        {
          ...{
            port,
            random: random(name),
            taste: scenario.taste,
            isHasty: scenario.areHasty,
            isRestless: scenario.areRestless === true,
          },
          ...{ scheduler, machines, nextId, record },
        },
        i,
      );
      this.working++;
      void client.run(share, scenario.thinkMs, () => this.isBroken).then(() => this.working--);
    }
    for (let i = 0; i < scenario.watchers; i++) {
      const record = (watch: WatchRecord) => void this.watches.push(watch);
      const port = new ClientPort(`w${i}`, network, this.workerLogin);
      const watcher = new WatchClient({ port, network, random: random(`w${i}`), machines, nextId, record }, i);
      this.watchers.push(watcher);
      watcher.start();
    }
    for (let i = 0; i < scenario.leaseholders; i++) {
      const record = (lease: LeaseRecord) => void this.leases.push(lease);
      const port = new ClientPort(`l${i}`, network, this.workerLogin);
      this.startCompanion(new LeaseClient({ port, network, random: random(`l${i}`), machines, record }, i));
    }
    for (let i = 0; i < scenario.mirrors; i++) {
      const record = (view: MirrorView) => void this.views.push(view);
      const port = new ClientPort(`r${i}`, network, this.workerLogin);
      this.startCompanion(new MirrorClient({ port, network, random: random(`r${i}`), machines, record }, i));
    }
    for (let i = 0; i < scenario.lockers; i++) {
      const record = (write: GuardedWrite) => void this.guardedWrites.push(write);
      const port = new ClientPort(`x${i}`, network, this.workerLogin);
      this.startCompanion(new ExclusionClient({ port, network, random: random(`x${i}`), machines, record }, i));
    }
  }

  private startGuest(): void {
    if (!this.scenario.hasUsers) return;
    const { network, machines } = this.world;
    const record = (operation: GuestOperation) => void this.guestOperations.push(operation);
    const port = new ClientPort('guest', network, guestLogin);
    this.startCompanion(
      new GuestClient({ port, network, random: sourceOf(this.scenario.seed, 'guest'), machines, record }),
    );
  }

  private async setUpUsers(): Promise<void> {
    if (!this.scenario.hasUsers) return;
    let isDone = false;
    void this.users.setUp().then(() => {
      isDone = true;
    });
    await this.until(() => isDone, peaceLimitMs, 'users were not made');
  }

  private startCompanion(client: { run(isOver: () => boolean): Promise<void> }): void {
    this.companions++;
    void client.run(() => this.isWorkOver || this.isBroken).then(() => this.companions--);
  }

  /** Of a healed cluster: all members say the same, and watches have told all. */
  private async lookAtEnd(): Promise<void> {
    // Leases may still end: what all have is compared, not what each has now.
    const newest = await this.askHashes(0);
    const revision = Math.min(...newest.map(({ header }) => header?.revision ?? 0));
    const hashes = await this.askHashes(revision);
    const seen = new Set(hashes.map(({ hash, compactRevision }) => `${hash} (compacted ${compactRevision})`));
    const compacted = new Set(hashes.map(({ compactRevision }) => compactRevision));
    if (seen.size > compacted.size) {
      this.violate('state', `members have different states at ${revision}: ${[...seen].join(', ')}`);
    }
    for (const watcher of this.watchers) watcher.keep();
    const haveTold = () => this.watchers.every((watcher) => watcher.hasTold(revision));
    await this.until(haveTold, healLimitMs, `watches have not told of revision ${revision}`);
    for (const watcher of this.watchers) watcher.stop(!this.isBroken);
  }

  private askHashes(revision: number): Promise<etcdserverpb.HashKVResponse[]> {
    return this.askAll<etcdserverpb.HashKVResponse>((machine, port) =>
      port.call(machine, services.Maintenance.methods.HashKV, { revision }, { timeoutMs: callTimeoutMs }),
    );
  }

  private async askAll<Answer>(
    ask: (machine: World['machines'][number], port: ClientPort) => Promise<{ kind: string; response?: Answer }>,
  ): Promise<Answer[]> {
    if (this.isBroken) return [];
    const { world } = this;
    const answers: Answer[] = [];
    let waiting = world.machines.length;
    for (const machine of world.machines) {
      const port = new ClientPort('end', world.network, this.scenario.hasUsers ? rootLogin : undefined);
      const insist = async () => {
        for (;;) {
          const outcome = await ask(machine, port);
          if (outcome.response !== undefined) return outcome.response;
          world.trace.note('end', `${machine.name} does not answer: ${outcome.kind}`);
          await world.scheduler.delay(retryMs);
        }
      };
      void insist().then((answer) => {
        waiting--;
        answers.push(answer);
      });
    }
    await this.until(() => waiting === 0, healLimitMs, 'members do not answer');
    return answers;
  }

  private result(): RunResult {
    const { world, nemesis, operations, watches, leases } = this;
    const { scheduler, trace, agreement, elections } = world;
    const log = agreement.log();
    const history: History = { operations, watches, mirrors: this.views, log };
    const checked = checkHistory(history);
    const violations = [
      ...world.violations,
      ...agreement.violations,
      ...elections.violations,
      ...checkLeases(leases, log),
      ...checkExclusion(this.guardedWrites),
      ...checkPermissions(this.guestOperations, this.users.changes),
      ...checked.violations,
    ];
    return {
      traceHash: trace.finish(),
      traceLines: trace.lines,
      ...{ history, violations, statistics: checked.statistics },
      durationMs: scheduler.nowMs,
      events: scheduler.events,
      faults: nemesis.counts,
      downs: world.downs,
      acknowledged: operations.filter(({ outcome }) => outcome.kind === 'ok').length,
      unknown: operations.filter(({ outcome }) => outcome.kind === 'unknown').length,
    };
  }
}
