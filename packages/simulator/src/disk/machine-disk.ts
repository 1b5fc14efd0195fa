import { type DiskFault, type DiskOperation, MemoryDisk, type Random } from '@quorate/base';
import { exponential } from '../world/random-sources.ts';

/** What can be told to happen to a disk, counted from now on. */
export interface PlannedDiskFault {
  readonly operation: 'any' | DiskOperation;
  /** After so many more of these operations; 0 for the next. */
  skip: number;
  /** Counting begins with an operation on a file whose path ends so. */
  after?: string | undefined;
  readonly fault: DiskFault;
  /** Told when it is about to happen; what answers false keeps it from happening, for ever. */
  readonly begins?: ((path: string) => boolean) | undefined;
}

export interface DiskSpeed {
  /** Mean milliseconds of a sync. */
  readonly syncMs: number;
  /** Mean milliseconds of anything else. */
  readonly otherMs: number;
}

export interface MachineDiskDeps {
  readonly random: Random;
  readonly nowMs: () => number;
  /** Who looks at the disk of a machine that is down does not wait, and nothing fails. */
  readonly isUp: () => boolean;
  /** Runs on the machine, in the life that it has now. */
  readonly after: (delayMs: number, callback: () => void) => void;
  /** The disk stops with the machine in the middle of an operation. */
  readonly onCrash: (operation: DiskOperation, path: string) => void;
  /** An operation is about to fail. */
  readonly onFault: (fault: DiskFault, operation: DiskOperation, path: string) => void;
}

const isSync: Partial<Record<DiskOperation, boolean>> = { datasync: true, sync: true, 'sync-directory': true };
const instant: Partial<Record<DiskOperation, boolean>> = { lock: true, close: true };

/** A machine's disk: takes its time, and fails as planned. */
export class MachineDisk {
  readonly disk: MemoryDisk;
  readonly planned: PlannedDiskFault[] = [];
  /** Until then nothing is finished. */
  stalledUntilMs = 0;
  /** How many times slower than usual. */
  slowness = 1;
  /** Whether only files whose path ends so are. */
  slowPath = '';
  /** Nothing more can be written. */
  isFull = false;
  /** Operations of a running machine so far. */
  operations = 0;
  private readonly deps: MachineDiskDeps;
  private readonly speed: DiskSpeed;

  constructor(deps: MachineDiskDeps, speed: DiskSpeed) {
    this.deps = deps;
    this.speed = speed;
    this.disk = new MemoryDisk({
      onOperation: (operation, path) => this.begin(operation, path),
      settle: (operation, path) => this.settle(operation, path),
    });
  }

  private begin(operation: DiskOperation, path: string): DiskFault | undefined {
    if (!this.deps.isUp()) return undefined;
    this.operations++;
    const fault = this.due(operation, path) ?? (this.isFull && operation === 'write' ? 'no-space' : undefined);
    if (fault === 'crash') this.deps.onCrash(operation, path);
    else if (fault !== undefined) this.deps.onFault(fault, operation, path);
    return fault;
  }

  private due(operation: DiskOperation, path: string): DiskFault | undefined {
    for (let i = 0; i < this.planned.length; i++) {
      const plan = this.planned[i] as PlannedDiskFault;
      if (plan.operation !== 'any' && plan.operation !== operation) continue;
      if (plan.after !== undefined && !path.endsWith(plan.after)) continue;
      plan.after = undefined;
      if (plan.skip-- > 0) continue;
      this.planned.splice(i, 1);
      return plan.begins?.(path) === false ? undefined : plan.fault;
    }
    return undefined;
  }

  private settle(operation: DiskOperation, path: string): Promise<void> | undefined {
    if (instant[operation] === true || !this.deps.isUp()) return undefined;
    const { random, nowMs, after } = this.deps;
    const mean = isSync[operation] === true ? this.speed.syncMs : this.speed.otherMs;
    const slowness = path.endsWith(this.slowPath) ? this.slowness : 1;
    const tookMs = exponential(random, mean) * slowness + Math.max(0, this.stalledUntilMs - nowMs());
    return new Promise((resolve) => after(tookMs, resolve));
  }
}
