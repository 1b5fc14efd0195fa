import { type etcdserverpb, services } from '@quorate/api';
import { checkAlarms } from './checkers/alarms.ts';
import { checkHistory, type HistoryStatistics } from './checkers/check-history.ts';
import { checkExclusion } from './checkers/exclusion.ts';
import { checkLeases } from './checkers/leases.ts';
import { checkPermissions } from './checkers/permissions.ts';
import type { ClientDeps } from './clients/client-deps.ts';
import { ClientPort, type Login } from './clients/client-port.ts';
import { ExclusionClient } from './clients/exclusion-client.ts';
import { GuestClient } from './clients/guest-client.ts';
import { KeyValueClient } from './clients/key-value-client.ts';
import { LeaseClient } from './clients/lease-client.ts';
import { MirrorClient } from './clients/mirror-client.ts';
import { guestLogin, rootLogin, Users, workerLogin } from './clients/users.ts';
import { WatchClient } from './clients/watch-client.ts';
import { World, type WorldEdge } from './cluster/world.ts';
import { Admin } from './faults/admin.ts';
import { AlarmDuty } from './faults/alarm-duty.ts';
import { Nemesis } from './faults/nemesis.ts';
import { hasQuota, keepRoom } from './faults/quota.ts';
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
import { checkSnapshots } from './restore/check-snapshot.ts';
import { RestoredCluster } from './restore/restored-cluster.ts';
import type { Scenario } from './scenario.ts';
import { checkVigil, type VigilLease } from './vigil/check-vigil.ts';
import { Vigil } from './vigil/vigil.ts';
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
  /** By machine, until all was healed: where it might have crashed. */
  readonly steps: readonly Steps[];
}

export interface Steps {
  readonly diskOperations: number;
  readonly messages: number;
}

/** A new cluster has a leader by then. */
const peaceLimitMs = 30_000;
/** All work and all faults are over by then, or something hangs. */
const workLimitMs = 600_000;
/** A healed cluster has a leader, all members have caught up, and all watches have told all, by then. */
const healLimitMs = 60_000;
/** Leases that last for long have ended by then. */
const vigilLimitMs = 10_000_000;
/** Tries to save a snapshot of a healed cluster. */
const savesMax = 5;
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
  private readonly vigilLeases: VigilLease[] = [];
  private readonly watchers: WatchClient[] = [];
  private ids = 0;
  /** Clients that are at work. */
  private working = 0;
  /** Clients that are at work for as long as others are. */
  private companions = 0;
  private isWorkOver = false;
  private steps: readonly Steps[] = [];

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
    this.startKeeper();
    nemesis.start();
    await this.until(() => this.working === 0 && nemesis.isOver, workLimitMs, 'work was not over');
    this.isWorkOver = true;
    this.steps = world.machines.map(({ name, disk }) => ({
      diskOperations: disk.operations,
      messages: world.network.messagesOf(name),
    }));
    trace.note('world', 'heals');
    nemesis.heal();
    await this.until(() => world.isSettled() && this.companions === 0, healLimitMs, 'no settled cluster');
    await this.lookAtEnd();
    await this.keepVigil();
    await this.restore();
    return this.result();
  }

  private async until(condition: () => boolean, limitMs: number, otherwise: string): Promise<void> {
    if (this.isBroken) return;
    const { scheduler } = this.world;
    const isOver = await scheduler.run(() => condition() || this.isBroken, scheduler.nowMs + limitMs);
    if (!isOver) this.violate('liveness', `${otherwise} after ${limitMs} ms: ${this.world.describe()}`);
  }

  /** What a client of that name works with, and where it keeps what it did. */
  private clientDeps<Kept>(name: string, kept: Kept[], login = this.workerLogin): ClientDeps<Kept> {
    const { network, machines } = this.world;
    const random = sourceOf(this.scenario.seed, `client ${name}`);
    return {
      ...{ network, machines, random },
      port: new ClientPort(name, network, login),
      record: (one) => void kept.push(one),
    };
  }

  private startClients(): void {
    const { scenario } = this;
    const nextId = () => this.ids++;
    const share = Math.ceil(scenario.operations / Math.max(1, scenario.clients));
    for (let i = 0; i < scenario.clients; i++) {
      const deps = this.clientDeps(`c${i}`, this.operations);
      const habits = { taste: scenario.taste, isHasty: scenario.areHasty, isRestless: scenario.areRestless === true };
      const client = new KeyValueClient({ ...deps, ...habits, nextId }, i);
      this.working++;
      void client.run(share, scenario.thinkMs, () => this.isBroken).then(() => this.working--);
    }
    for (let i = 0; i < scenario.watchers; i++) {
      const watcher = new WatchClient({ ...this.clientDeps(`w${i}`, this.watches), nextId }, i);
      this.watchers.push(watcher);
      watcher.start();
    }
    for (let i = 0; i < scenario.leaseholders; i++)
      this.startCompanion(new LeaseClient(this.clientDeps(`l${i}`, this.leases), i, scenario.areSuspicious === true));
    for (let i = 0; i < scenario.mirrors; i++)
      this.startCompanion(new MirrorClient(this.clientDeps(`r${i}`, this.views), i));
    for (let i = 0; i < scenario.lockers; i++)
      this.startCompanion(new ExclusionClient(this.clientDeps(`x${i}`, this.guardedWrites), i));
  }

  private startGuest(): void {
    if (!this.scenario.hasUsers) return;
    const deps = this.clientDeps('guest', this.guestOperations, guestLogin);
    this.startCompanion(new GuestClient({ ...deps, random: sourceOf(this.scenario.seed, 'guest') }));
  }

  private startKeeper(): void {
    const { scenario, world } = this;
    if (!hasQuota(scenario)) return;
    this.nemesis.counts.set('quota', 1);
    const login = scenario.hasUsers ? rootLogin : undefined;
    const admin = new Admin(world, login, {
      client: scenario.clients + 1,
      nextId: () => this.ids++,
      record: (operation) => void this.operations.push(operation),
    });
    const duty = new AlarmDuty(world, login);
    // Others write to their end.
    const isAlone = () => (this.isWorkOver && this.companions === 1) || this.isBroken;
    this.companions++;
    void keepRoom(world, { admin, duty, login }, isAlone).then(() => this.companions--);
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
    // Leases may still end, and a leader whose disk stalled comes round to what it was asked: what all have is compared, not what each has now.
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
    for (const watcher of this.watchers) watcher.stop(this.isBroken ? 0 : revision);
  }

  private async keepVigil(): Promise<void> {
    const { scenario, world } = this;
    if (this.isBroken || scenario.vigil === undefined) return;
    const vigil = new Vigil(world, scenario.vigil, scenario.hasUsers ? rootLogin : undefined);
    let isOver = false;
    void vigil.keep().then(() => {
      isOver = true;
    });
    await this.until(() => isOver, vigilLimitMs, 'leases were not at their end');
    this.vigilLeases.push(...vigil.leases);
    await this.until(() => world.isSettled(), healLimitMs, 'no settled cluster');
  }

  /** A new cluster from the first snapshot that was saved, or else from one of now; the old one is gone then. */
  private async restore(): Promise<void> {
    const { scenario, world, nemesis } = this;
    const { restore } = scenario;
    if (this.isBroken || restore === undefined) return;
    const { archive } = nemesis;
    const { snapshots } = archive;
    let found: readonly Violation[] | undefined;
    const play = async () => {
      const sound = world.machines.find((machine) => !world.rotten.has(machine));
      // A proposal is lost on its way at times, that of a login, too.
      for (let tries = 0; tries < savesMax && sound !== undefined && snapshots.length === 0; tries++)
        await archive.save(sound, 0);
      for (const machine of world.machines) world.retire(machine);
      const [snapshot] = snapshots;
      if (snapshot === undefined) return [{ checker: 'restore', text: 'no snapshot is to be had' }];
      return new RestoredCluster(world, scenario, restore, snapshot).play();
    };
    void play().then((violations) => {
      found = violations;
    });
    await this.until(() => found !== undefined, workLimitMs, 'a restored cluster hangs');
    world.violations.push(...(found ?? []));
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
    const { world, nemesis, operations, watches, leases, scenario } = this;
    const { scheduler, trace, agreement, elections } = world;
    const log = agreement.log();
    const causes = { damaged: world.doubts.memberIds, hasQuota: hasQuota(scenario) };
    const history: History = { operations, watches, mirrors: this.views, log };
    const checked = checkHistory(history);
    const violations = [
      ...world.violations,
      ...agreement.violations,
      ...elections.violations,
      ...checkLeases([...leases, ...this.vigilLeases], log),
      ...checkVigil(this.vigilLeases, log, scenario.vigil?.hasCheckpoints === true),
      ...checkAlarms(operations, log, causes),
      ...checkExclusion(this.guardedWrites),
      ...checkPermissions(this.guestOperations, this.users.changes),
      ...checkSnapshots(nemesis.archive.snapshots, log),
      ...checked.violations,
    ];
    return {
      traceHash: trace.finish(),
      traceLines: trace.lines,
      ...{ history, violations, statistics: checked.statistics },
      durationMs: scheduler.nowMs,
      events: scheduler.events,
      faults: nemesis.counts,
      steps: this.steps,
      downs: world.downs,
      acknowledged: operations.filter(({ outcome }) => outcome.kind === 'ok').length,
      unknown: operations.filter(({ outcome }) => outcome.kind === 'unknown').length,
    };
  }
}
