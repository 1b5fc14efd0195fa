import { CodedError, type CrashMode, type Logger, type SeededRandom, type Timer } from '@quorate/base';
import { createGrpcServer, type GrpcServer } from '@quorate/transport';
import { Member, type MemberConfig, type MemberDeps, MetricsRegistry, makeConfig, parseArguments } from 'quorate/parts';
import { type DiskSpeed, MachineDisk } from '../disk/machine-disk.ts';
import { type ClockSkew, type Host, MachineClock } from '../world/machine-clock.ts';
import { sourceOf } from '../world/random-sources.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { Trace } from '../world/trace.ts';

/** Of a stream whose client does not read: little, so that a slow watcher falls behind. */
const streamHighWaterBytes = 300;

/** What the language throws by itself. */
const unmeant = [TypeError, RangeError, ReferenceError, SyntaxError, URIError];

/** What a machine takes from its world, besides time. */
export interface MachineDeps {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly seed: number;
  /** The rest of what a member needs, in one life of the machine. */
  readonly partsOf: (machine: Machine, clock: MachineClock, random: SeededRandom) => Omit<MemberDeps, OwnParts>;
  /** Its member is open and about to take part. */
  readonly onOpen: (machine: Machine) => void;
  /** A life ended: by a planned fault, or by the member, which could not go on. */
  readonly onDown: (machine: Machine, cause: DownCause) => void;
}

type OwnParts = 'clock' | 'disk' | 'random' | 'logger' | 'metrics' | 'onFatal';

export interface DownCause {
  readonly kind: 'crash' | 'fatal' | 'stopped';
  readonly text: string;
  /** Of the error that the member gave up for. */
  readonly code?: string | undefined;
  /** Whether it is an error that nobody throws: whatever a disk does, a member says what is wrong with it. */
  readonly isUnmeant?: boolean;
  /** Whether a fault was put into the disk in this life, so that a member that gives up does right. */
  readonly isExcused: boolean;
  /** Whether its member was open. */
  readonly isOpen: boolean;
}

export interface MachineSettings {
  readonly name: string;
  /** Its place in the world: the port of its URLs. */
  readonly place: number;
  readonly speed: DiskSpeed;
  readonly skew: ClockSkew;
}

/** A member that runs in one life of a machine. */
interface Running {
  readonly member: Member;
  readonly grpc: GrpcServer;
}

/** A machine: a disk that outlives its crashes, and while it is up a real member. */
export class Machine implements Host {
  readonly name: string;
  readonly place: number;
  readonly scheduler: Scheduler;
  disk: MachineDisk;
  readonly skew: ClockSkew;
  private readonly deps: MachineDeps;
  private readonly speed: DiskSpeed;
  private life = 0;
  private isUp = false;
  private heldUntilMs = 0;
  private running: Running | undefined;
  private isExcused = false;
  private readonly downListeners = new Set<() => void>();
  /** When this life began. */
  upSinceMs = 0;
  /** Whether its peers and clients are answered. */
  isServing = false;
  /** Flags of every start. */
  flags: readonly string[] = [];

  constructor(deps: MachineDeps, settings: MachineSettings) {
    this.deps = deps;
    this.scheduler = deps.scheduler;
    this.name = settings.name;
    this.place = settings.place;
    this.skew = settings.skew;
    this.speed = settings.speed;
    this.disk = this.newDisk();
  }

  private newDisk(): MachineDisk {
    const { scheduler, trace, seed } = this.deps;
    return new MachineDisk(
      {
        random: sourceOf(seed, `disk ${this.name} ${this.life}`),
        nowMs: () => scheduler.nowMs,
        isUp: () => this.isUp,
        after: (delayMs, callback) => void this.at(scheduler.nowMs + delayMs, callback),
        onCrash: (operation, path) =>
          this.goDown({ kind: 'crash', text: `at ${operation} of ${path}`, isExcused: true }),
        onFault: (fault, operation, path) => {
          this.isExcused = true;
          const what =
            typeof fault === 'string' ? fault : `misdirect by ${fault.byBytes} into ${fault.into ?? 'itself'}`;
          trace.note(this.name, `disk: ${what} at ${operation} of ${path}`);
        },
      },
      this.speed,
    );
  }

  get url(): string {
    return `http://localhost:${12_000 + this.place}`;
  }

  get isAlive(): boolean {
    return this.isUp;
  }

  /** The member of this life, once it is open. */
  get member(): Member | undefined {
    return this.running?.member;
  }

  get grpc(): GrpcServer | undefined {
    return this.running?.grpc;
  }

  /** Whether it ran all the time since then. */
  hasRunSince(sinceMs: number): boolean {
    return this.isUp && this.upSinceMs <= sinceMs && this.heldUntilMs <= sinceMs;
  }

  get currentLife(): number {
    return this.life;
  }

  /** Whether that life of it still goes on. */
  lives(life: number): boolean {
    return this.isUp && this.life === life;
  }

  at(atMs: number, callback: () => void): Timer {
    const { life } = this;
    let timer: Timer;
    const run = () => {
      if (!this.lives(life)) return;
      if (this.heldUntilMs > this.scheduler.nowMs) timer = this.scheduler.at(this.heldUntilMs, run);
      else this.run(life, callback);
    };
    timer = this.scheduler.at(atMs, run);
    return { cancel: () => timer.cancel() };
  }

  /** What nobody catches ends the process, as on a real machine: a read of the database that fails, say. */
  private run(life: number, callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.gaveUp(life, error);
    }
  }

  /** Whatever this life's member gives up for from now on, it does right. */
  excuse(): void {
    this.isExcused = true;
  }

  /** Calls back once when this life ends. @returns what takes the callback off again. */
  onDown(callback: () => void): () => void {
    this.downListeners.add(callback);
    return () => {
      this.downListeners.delete(callback);
    };
  }

  /** Nothing runs on it until then: a process that was stopped, or a virtual machine that was moved. */
  hold(untilMs: number): void {
    this.heldUntilMs = Math.max(this.heldUntilMs, untilMs);
  }

  /** Starts the member that the disk holds, or a new one. */
  start(): void {
    if (this.isUp) return;
    this.life++;
    this.isUp = true;
    this.isExcused = false;
    this.upSinceMs = this.scheduler.nowMs;
    this.deps.trace.note(this.name, `start ${this.life}`);
    const { life } = this;
    this.serve(life).catch((error: unknown) => this.gaveUp(life, error));
  }

  private async serve(life: number): Promise<void> {
    const { trace, seed, partsOf } = this.deps;
    const clock = new MachineClock(this, this.skew);
    const random = sourceOf(seed, `member ${this.name} ${life}`);
    const logger = this.loggerOf(life);
    const metrics = new MetricsRegistry();
    const member = await Member.open(
      {
        ...partsOf(this, clock, random),
        ...{ clock, random, logger, metrics },
        disk: this.disk.disk,
        onFatal: (error) => this.gaveUp(life, error),
      },
      this.config(),
    );
    if (!this.lives(life)) return;
    const grpc = createGrpcServer({ clock, logger }, { streamHighWaterBytes });
    member.serveOn(grpc);
    await member.checkInitially();
    if (!this.lives(life)) return;
    this.running = { member, grpc };
    this.deps.onOpen(this);
    trace.note(this.name, `open, applied ${member.appliedIndex()} revision ${member.revision()}`);
    await member.start();
    if (!this.lives(life)) return;
    this.isServing = true;
    trace.note(this.name, 'serves');
  }

  private config(): MemberConfig {
    return makeConfig(
      parseArguments([
        `--name=${this.name}`,
        `--initial-advertise-peer-urls=${this.url}`,
        `--advertise-client-urls=http://localhost:${13_000 + this.place}`,
        ...this.flags,
      ]),
    );
  }

  private loggerOf(life: number): Logger {
    const note = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
      if (this.life === life && this.isUp) this.deps.trace.note(this.name, `${level}: ${message}${fieldsText(fields)}`);
    };
    return { debug() {}, info: note('info'), warn: note('warn'), error: note('error') };
  }

  private gaveUp(life: number, error: unknown): void {
    if (!this.lives(life)) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const code = error instanceof CodedError ? error.code : undefined;
    const isUnmeant = unmeant.some((kind) => error instanceof kind);
    const { isExcused } = this;
    this.goDown({ kind: 'fatal', text: text.replaceAll('\n', ' | '), code, isUnmeant, isExcused });
  }

  /** Power loss, or the process is killed. The disk keeps what {@link recover} says. */
  crash(text: string): void {
    if (this.isUp) this.goDown({ kind: 'crash', text, isExcused: true });
  }

  private goDown(cause: Omit<DownCause, 'isOpen'>): void {
    if (!this.isUp) return;
    const isOpen = this.running !== undefined;
    this.isUp = false;
    this.isServing = false;
    this.running = undefined;
    this.heldUntilMs = 0;
    this.disk.disk.stop();
    // Without the places in the program: a trace is to be the same wherever the program lies.
    this.deps.trace.note(this.name, `down, ${cause.kind}: ${cause.text.split(' | ', 1)[0]}`);
    const listeners = [...this.downListeners];
    this.downListeners.clear();
    for (const listener of listeners) listener();
    this.deps.onDown(this, { ...cause, isOpen });
  }

  /** What was not durable is lost as `mode` says. Before the next {@link start}. */
  recover(mode: CrashMode): void {
    this.deps.trace.note(this.name, `recover ${mode}`);
    this.disk.disk.crash(sourceOf(this.deps.seed, `recover ${this.name} ${this.life}`), mode);
  }

  /** It comes back with an empty disk. While it is down. */
  wipe(): void {
    this.deps.trace.note(this.name, 'wipe');
    this.disk = this.newDisk();
  }
}

function fieldsText(fields: Readonly<Record<string, unknown>> | undefined): string {
  if (fields === undefined) return '';
  return ` ${JSON.stringify(fields, (_, value) => (typeof value === 'bigint' ? value.toString(16) : value))}`;
}
