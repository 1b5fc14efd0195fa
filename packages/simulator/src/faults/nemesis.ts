import { type Message, MessageType } from '@quorate/raft';
import { rootLogin, type Users } from '../clients/users.ts';
import type { Machine } from '../cluster/machine.ts';
import type { World } from '../cluster/world.ts';
import type { CutKind } from '../network/network.ts';
import { Archive } from '../restore/archive.ts';
import type { Fault, Moment, Scenario } from '../scenario.ts';
import { Admin, type Ledger } from './admin.ts';
import { AlarmDuty } from './alarm-duty.ts';
import { misdirect } from './misdirect.ts';
import { mayDecay, rot, rotDatabase } from './rot.ts';
import { watchOver } from './watch-over.ts';

/** Makes the faults of a scenario happen. */
export class Nemesis {
  readonly counts = new Map<string, number>();
  readonly archive: Archive;
  private readonly world: World;
  private readonly seed: number;
  private readonly faults: Scenario['faults'];
  private readonly clients: readonly string[];
  private waiting: number;
  private isHealed = false;
  private readonly admin: Admin;
  private readonly duty: AlarmDuty;
  private readonly users: Users;
  /** Faults whose time has come, and not their moment. */
  private readonly armed: Fault[] = [];
  /** What administrators are at. */
  private busy = 0;

  constructor(world: World, users: Users, scenario: Scenario, clients: readonly string[], ledger: Ledger) {
    this.users = users;
    this.world = world;
    this.seed = scenario.seed;
    this.faults = scenario.faults;
    this.clients = clients;
    this.waiting = scenario.faults.length;
    const login = scenario.hasUsers ? rootLogin : undefined;
    this.admin = new Admin(world, login, ledger);
    this.duty = new AlarmDuty(world, login);
    this.archive = new Archive(world, login);
    world.onRottenDown = (machine) => this.doing(this.admin.replace({ machine, asLearner: false, isStale: false }));
    world.onSent = (message) => this.hear(message);
  }

  start(): void {
    const { scheduler } = this.world;
    for (const fault of this.faults) {
      scheduler.after(fault.atMs, () => {
        this.waiting--;
        if (fault.when === undefined) this.begin(fault);
        else this.armed.push(fault);
      });
    }
  }

  private hear(message: Message): void {
    if (this.armed.length === 0) return;
    const moment = this.momentOf(message);
    const place = this.armed.findIndex(({ when }) => when === moment);
    if (moment === undefined || place < 0) return;
    const [fault] = this.armed.splice(place, 1) as [Fault];
    // Not in the midst of what the sender is doing.
    this.world.scheduler.after(fault.afterMs ?? 0, () => this.begin(fault));
  }

  private momentOf({ type, reject, from, to }: Message): Moment | undefined {
    if (type === MessageType.MsgVoteResp && !reject && from !== to) return 'vote';
    const isUp = this.world.machines.some(({ member }) => member?.memberId === to);
    return type === MessageType.MsgSnap && isUp ? 'snapshot' : undefined;
  }

  private begin(fault: Fault): void {
    if (this.isHealed) return;
    this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
    this.world.trace.note('world', `fault ${JSON.stringify(fault)}`);
    this.happen(fault);
  }

  /** Whether all faults have begun, and what administrators do about them is done. */
  get isOver(): boolean {
    return this.waiting === 0 && this.busy === 0;
  }

  /** From now on nothing goes wrong any more; machines that are down come back by themselves. */
  heal(): void {
    this.isHealed = true;
    this.world.network.heal();
    for (const { disk } of this.world.machines) {
      disk.planned.length = 0;
      disk.stalledUntilMs = 0;
      disk.slowness = 1;
      disk.slowPath = '';
      disk.isFull = false;
    }
  }

  private machine(place: number): Machine {
    return this.world.machines[place] as Machine;
  }

  private happen(fault: Fault): void {
    const { world } = this;
    const { scheduler, machines, network } = world;
    const untilMs = 'forMs' in fault ? scheduler.nowMs + fault.forMs : scheduler.nowMs;
    switch (fault.kind) {
      case 'cut':
        network.cut(this.machine(fault.from).name, this.machine(fault.to).name, fault.how, untilMs, fault.lateMs);
        return;
      case 'partition': {
        const inside = fault.machines.map((place) => this.machine(place).name);
        const outside = machines.map(({ name }) => name).filter((name) => !inside.includes(name));
        this.cutBetween(inside, outside, fault.how, untilMs);
        return;
      }
      case 'isolate-leader': {
        const leader = world.leader()?.name;
        if (leader === undefined) return;
        const others = machines.map(({ name }) => name).filter((name) => name !== leader);
        for (const other of others) network.cut(other, leader, fault.how, untilMs);
        scheduler.after(fault.deafMs ?? 0, () => {
          if (this.isHealed) return;
          for (const other of others) network.cut(leader, other, fault.how, untilMs);
        });
        return;
      }
      case 'stall-leader': {
        const leader = world.leader();
        if (leader !== undefined) leader.disk.stalledUntilMs = Math.max(leader.disk.stalledUntilMs, untilMs);
        return;
      }
      case 'clients-cut':
        this.cutBetween([this.machine(fault.machine).name], this.clients, fault.how, untilMs);
        return;
      case 'crash':
        this.crash(this.machine(fault.machine), fault);
        return;
      case 'crash-all':
        for (const machine of machines) this.crash(machine, fault);
        return;
      case 'crash-at': {
        const machine = this.machine(fault.machine);
        world.expectCrash(machine, fault.mode, fault.downMs);
        const { operations: skip, after } = fault;
        machine.disk.planned.push({ operation: 'any', skip, after, fault: 'crash' });
        return;
      }
      case 'crash-at-send': {
        const machine = this.machine(fault.machine);
        network.afterSends(machine.name, fault.messages, () => this.crash(machine, fault));
        return;
      }
      case 'disk-error':
        this.machine(fault.machine).disk.planned.push({ operation: fault.operation, skip: 0, fault: 'fail' });
        return;
      case 'hold':
        this.machine(fault.machine).hold(untilMs);
        return;
      case 'hold-leader':
        world.leader()?.hold(untilMs);
        return;
      case 'clock-jump':
        this.machine(fault.machine).skew.wallOffsetMs += fault.ms;
        return;
      default:
        this.administer(fault);
    }
  }

  private doing(work: Promise<void>): void {
    this.busy++;
    void work.finally(() => this.busy--);
  }

  private administer(fault: Fault): void {
    const { admin, world } = this;
    switch (fault.kind) {
      case 'move-leader':
        this.doing(admin.moveLeader(this.machine(fault.to)));
        return;
      case 'defragment':
        this.doing(admin.defragment(this.machine(fault.machine)));
        return;
      case 'compact':
        this.doing(admin.compact(this.machine(fault.machine), fault.revisionsBack));
        return;
      case 'permission':
        this.doing(this.users.change(fault.isAllowed));
        return;
      case 'save-snapshot':
        this.doing(this.archive.save(this.machine(fault.machine), fault.restMs));
        return;
      case 'compare-hashes':
        this.doing(admin.compareHashes());
        return;
      case 'replace':
        this.doing(admin.replace({ ...fault, machine: this.machine(fault.machine) }));
        return;
      case 'rot':
        if (!admin.isReplacing) this.doing(rot(world, this.machine(fault.machine), fault.bits, this.seed));
        return;
      case 'misdirect': {
        const machine = this.machine(fault.machine);
        const mayBegin = () => !admin.isReplacing && mayDecay(world);
        misdirect(world, machine, fault, mayBegin, () => this.watchOver(machine, fault.forMs));
        return;
      }
      case 'rot-database': {
        if (admin.isReplacing || !mayDecay(world)) return;
        const machine = this.machine(fault.machine);
        this.doing(rotDatabase(world, machine, fault.bits, this.seed));
        this.watchOver(machine, fault.forMs);
        return;
      }
      default:
        this.happenToDisk(fault);
    }
  }

  private watchOver(machine: Machine, forMs: number): void {
    this.doing(watchOver(this.world, this.admin, this.duty, machine, forMs));
  }

  private happenToDisk(fault: Fault): void {
    if (!('machine' in fault && 'forMs' in fault)) return;
    const { scheduler } = this.world;
    const untilMs = scheduler.nowMs + fault.forMs;
    const { disk } = this.machine(fault.machine);
    switch (fault.kind) {
      case 'disk-full':
        disk.isFull = true;
        scheduler.at(untilMs, () => {
          disk.isFull = false;
        });
        return;
      case 'disk-stall':
        disk.stalledUntilMs = Math.max(disk.stalledUntilMs, untilMs);
        return;
      case 'disk-slow':
        disk.slowness = fault.times;
        disk.slowPath = fault.of ?? '';
        scheduler.at(untilMs, () => {
          disk.slowness = 1;
          disk.slowPath = '';
        });
        return;
      default:
    }
  }

  private crash(machine: Machine, { mode, downMs }: Extract<Fault, { downMs: number }>): void {
    if (!machine.isAlive) return;
    this.world.expectCrash(machine, mode, downMs);
    machine.crash('planned');
  }

  private cutBetween(some: readonly string[], others: readonly string[], how: CutKind, untilMs: number): void {
    for (const one of some) {
      for (const other of others) {
        this.world.network.cut(one, other, how, untilMs);
        this.world.network.cut(other, one, how, untilMs);
      }
    }
  }
}
