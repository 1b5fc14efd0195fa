import { CodedError, type CrashMode } from '@quorate/base';
import type { Message } from '@quorate/raft';
import type { PasswordHashing } from 'quorate/parts';
import { Passwords, SimpleTokens } from 'quorate/parts';
import { Agreement, type StandPoint } from '../checkers/agreement.ts';
import { Elections } from '../checkers/elections.ts';
import type { Violation } from '../history/history.ts';
import { Network } from '../network/network.ts';
import { PeerWays, peerClientOf, type WaysOf } from '../network/peer-ways.ts';
import type { Scenario } from '../scenario.ts';
import { sourceOf } from '../world/random-sources.ts';
import { type Pump, Scheduler } from '../world/scheduler.ts';
import { Trace, type TraceDigest, type TraceListener } from '../world/trace.ts';
import { Doubts } from './doubts.ts';
import { type DownCause, Machine } from './machine.ts';

/** What a simulation takes from outside; none of it is time or chance. */
export interface WorldEdge {
  readonly pump: Pump;
  readonly digest: () => TraceDigest;
  readonly sha1: (bytes: Uint8Array) => Uint8Array;
  readonly sha256: () => { update(bytes: Uint8Array): void; finish(): Uint8Array };
  readonly onTrace?: TraceListener;
}

/** Hides nothing and takes no time; what bcrypt does is not what is tested here. */
const plainHashing: PasswordHashing = {
  hash: async (password) => `plain ${password}`,
  hashNow: (password) => `plain ${password}`,
  compare: async (password, hash) => hash === `plain ${password}`,
  digest: (text) => text,
};

const tokenTtlMs = 300_000;
/** Until a machine whose member gave up is started again. */
const restartMs = 500;

/** A machine and how it comes back from its next crash. */
interface Recovery {
  mode: CrashMode;
  downMs: number;
}

/** Machines in a network, all on one scheduler. */
export class World {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly network: Network;
  readonly machines: Machine[] = [];
  readonly agreement = new Agreement();
  readonly elections = new Elections();
  readonly violations: Violation[] = [];
  /** What happened to machines, by kind. */
  readonly downs = new Map<string, number>();
  /** Machines whose disk has aged: what their members give up for is right, and they are to be replaced. */
  readonly rotten = new Set<Machine>();
  /** Those of them that do not notice. */
  readonly doubts = new Doubts();
  /** Machines whose member is about to join: before it is open it gives up when it cannot ask the others, and is started again. */
  readonly joining = new Set<Machine>();
  /** Machines whose member is being removed, which it may hear of at any time. */
  readonly leaving = new Set<Machine>();
  /** Hears of a rotten machine whose member gave up. */
  onRottenDown: (machine: Machine) => void = () => {};
  /** Hears of what members tell each other, before it is on its way. */
  onSent: (message: Message) => void = () => {};
  private readonly waysOf: WaysOf = new Map();
  private readonly retired = new Set<Machine>();
  private readonly scenario: Scenario;
  private readonly prefix: string;
  readonly edge: WorldEdge;
  private readonly recoveries = new Map<Machine, Recovery>();
  private readonly standPoints = new Map<Machine, StandPoint>();

  /** @param before goes on in its time and network, with machines of other names. */
  constructor(scenario: Scenario, edge: WorldEdge, before?: World) {
    this.scenario = scenario;
    this.edge = edge;
    this.scheduler = before?.scheduler ?? new Scheduler(edge.pump);
    this.trace = before?.trace ?? new Trace(edge.digest(), () => this.scheduler.nowMs, edge.onTrace);
    const { scheduler, trace } = this;
    const random = sourceOf(scenario.seed, 'network');
    this.network = before?.network ?? new Network({ scheduler, trace, random }, scenario.network);
    if (before === undefined) this.network.separates = (from, to) => this.doubts.separates(from, to, this.machines);
    this.prefix = before === undefined ? 'm' : 'n';
    for (let place = 0; place < scenario.members; place++) this.machines.push(this.makeMachine(place));
    const initial = this.machines.map(({ name, url }) => `${name}=${url}`).join(',');
    for (const machine of this.machines) this.setFlags(machine, [`--initial-cluster=${initial}`]);
  }

  /** What it is started with, besides what the scenario says. */
  setFlags(machine: Machine, flags: readonly string[]): void {
    machine.flags = [...flags, ...(this.scenario.flags[machine.place] ?? [])];
  }

  private makeMachine(place: number): Machine {
    const { scenario, edge, network } = this;
    const machineAt = (url: string) => this.machines.find((machine) => machine.url === url);
    return new Machine(
      {
        ...{ scheduler: this.scheduler, trace: this.trace, seed: scenario.seed },
        partsOf: (machine, clock, random) => ({
          connect: (source) =>
            new PeerWays(network, machine, source, machineAt, this.waysOf, (message) => this.sends(machine, message)),
          peerClient: peerClientOf(network, machine, machineAt),
          resolver: { resolve: (host) => Promise.reject(new CodedError('dns/not-found', `no such host: ${host}`)) },
          tokens: new SimpleTokens({ clock, random }, tokenTtlMs),
          passwords: new Passwords(plainHashing),
          walShape: { segmentBytes: scenario.walSegmentBytes[place] ?? 65_536, preallocation: 'zeros' },
          compactEveryEntries: scenario.compactEveryEntries[place] ?? 1_000,
          sha1: edge.sha1,
          sha256: edge.sha256,
          onApplied: (entry, refusal) => {
            const now = standPointOf(machine);
            const opened = this.standPoints.get(machine);
            if (now !== undefined && opened !== undefined && !this.doubts.has(machine))
              this.agreement.applied(machine.name, this.scheduler.nowMs, entry, { ...now, refusal }, opened);
          },
        }),
        onOpen: (machine) => {
          const now = standPointOf(machine);
          if (now !== undefined) this.standPoints.set(machine, now);
        },
        onDown: (machine, cause) => this.wentDown(machine, cause),
      },
      {
        name: `${this.prefix}${place}`,
        place,
        speed: scenario.disks[place] ?? { syncMs: 1, otherMs: 0.1 },
        skew: { rate: scenario.clockRates[place] ?? 1, wallOffsetMs: 0 },
      },
    );
  }

  /** What bits that rotted have taken with them is nobody's fault. @returns whether the message is sent. */
  private sends(machine: Machine, message: Message): boolean {
    if (this.rotten.size === 0) this.elections.sent(message);
    if (!this.doubts.passes(machine, message)) return false;
    this.onSent(message);
    return true;
  }

  /** From now on, and until it is wiped, a machine may have other data than it was given. */
  doubt(machine: Machine): void {
    this.trace.note(machine.name, 'is in doubt');
    this.rotten.add(machine);
    this.doubts.begin(machine);
  }

  /** A machine's disk is empty. */
  renewed(machine: Machine): void {
    this.rotten.delete(machine);
    this.doubts.end(machine);
  }

  /** How the machine comes back from the crash that is about to happen to it. */
  expectCrash(machine: Machine, mode: CrashMode, downMs: number): void {
    this.recoveries.set(machine, { mode, downMs });
  }

  /** Stays down until {@link employ}. */
  retire(machine: Machine): void {
    this.retired.add(machine);
    machine.excuse();
    machine.crash('retired');
  }

  /** Starts it, and again when it has crashed. */
  employ(machine: Machine): void {
    this.retired.delete(machine);
    machine.start();
  }

  private wentDown(machine: Machine, cause: DownCause): void {
    this.downs.set(cause.kind, (this.downs.get(cause.kind) ?? 0) + 1);
    const isRotten = this.rotten.has(machine);
    // Whoever finds that two differ cannot tell which of them is right.
    const isMisled = cause.code === 'member/inconsistent' && this.doubts.reaches(machine);
    const isMoving = this.leaving.has(machine) || (this.joining.has(machine) && !cause.isOpen);
    if (cause.kind === 'fatal' && !cause.isExcused && !isRotten && !isMoving && !isMisled) {
      this.violations.push({ checker: 'fatal', text: `${machine.name} gave up: ${cause.text}` });
    }
    if (cause.kind === 'fatal' && isRotten) this.onRottenDown(machine);
    const { mode, downMs } = this.recoveries.get(machine) ?? { mode: 'torn', downMs: restartMs };
    this.recoveries.delete(machine);
    const life = machine.currentLife;
    this.scheduler.after(downMs, () => {
      if (machine.isAlive || machine.currentLife !== life || this.retired.has(machine)) return;
      machine.recover(mode);
      machine.start();
    });
  }

  leader(): Machine | undefined {
    let found: Machine | undefined;
    for (const machine of this.machines) {
      const { member } = machine;
      if (!machine.isAlive || member === undefined || !member.isLeader()) continue;
      if (found?.member === undefined || member.appliedTerm() >= found.member.appliedTerm()) found = machine;
    }
    return found;
  }

  /** All members are up, one leads, and all have applied the same. */
  isSettled(): boolean {
    let applied: number | undefined;
    let leaders = 0;
    for (const { isServing, member } of this.machines) {
      if (!isServing || member === undefined) return false;
      applied ??= member.appliedIndex();
      if (member.appliedIndex() !== applied) return false;
      if (member.isLeader()) leaders++;
    }
    return leaders === 1;
  }

  /** One line of where each member is. */
  describe(): string {
    const one = ({ name, isAlive, isServing, member }: Machine) => {
      const state = isServing ? 'serves' : isAlive ? 'starts' : 'down';
      return `${name} ${state} applied ${member?.appliedIndex()}${member?.isLeader() ? ' leads' : ''}`;
    };
    return this.machines.map(one).join(', ');
  }
}

function standPointOf({ member }: Machine): StandPoint | undefined {
  if (member === undefined) return undefined;
  const { voters, learners } = member.configuration();
  return {
    revision: member.revision(),
    authRevision: member.authRevision(),
    configuration: `${idsOf(voters)} and learners ${idsOf(learners)}`,
  };
}

function idsOf(ids: readonly bigint[]): string {
  return `[${ids
    .map((id) => id.toString(16))
    .sort()
    .join(' ')}]`;
}
