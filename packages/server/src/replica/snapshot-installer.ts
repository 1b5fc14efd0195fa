import type { Clock } from '@quorate/base';
import { countWithinSize, type Entry, type Ready, type Snapshot } from '@quorate/raft';
import { SnapshotInstallation } from './snapshot-installation.ts';

export interface SnapshotInstallerDeps {
  readonly clock: Clock;
  readonly saveSnapshot: (snapshot: Snapshot, ready: Ready) => Promise<void>;
  readonly installSnapshot: (snapshot: Snapshot) => Promise<void>;
  readonly applyEntries: (entries: readonly Entry[]) => void;
  /** An exchange of the state machine begins, or is over. */
  readonly onInstalling: (isInstalling: boolean) => void;
  /** The state machine stands on the snapshot; what waited for that is applied next. */
  readonly onInstalled: (snapshot: Snapshot) => void;
  /** Only `rest` is left to be applied of what waited. */
  readonly onDone: (rest: readonly Entry[]) => void;
  readonly onFatal: (error: unknown) => void;
}

/** Bytes of entries applied in one turn after a snapshot. */
const sliceBytes = 256 * 1024;

/** Puts snapshots of the leader in place of the state machine, one at a time, while the replica goes on. */
export class SnapshotInstaller {
  private readonly deps: SnapshotInstallerDeps;
  private current: SnapshotInstallation | undefined;

  constructor(deps: SnapshotInstallerDeps) {
    this.deps = deps;
  }

  /** Whether the state machine is being exchanged. */
  get isBusy(): boolean {
    return this.current !== undefined;
  }

  /** Of the entries that wait for the exchange. */
  get waitingBytes(): number {
    return this.current?.bytes ?? 0;
  }

  /** Makes a snapshot durable. */
  async save(snapshot: Snapshot, ready: Ready): Promise<void> {
    // A newer one stands for what waits for the one before; but the exchange itself has to end first.
    this.current?.abandon();
    await this.current?.done;
    await this.deps.saveSnapshot(snapshot, ready);
  }

  /** Begins to exchange the state machine. */
  install(snapshot: Snapshot): void {
    const { clock, installSnapshot, applyEntries, onInstalling, onInstalled, onDone, onFatal } = this.deps;
    onInstalling(true);
    const installed = installSnapshot(snapshot).then(() => onInstalled(snapshot));
    const installation = new SnapshotInstallation(clock, installed, (entries) => {
      const count = countWithinSize(entries, 0, entries.length, sliceBytes);
      applyEntries(entries.slice(0, count));
      return count;
    });
    this.current = installation;
    installation.done.then(() => {
      if (this.current === installation) this.current = undefined;
      onInstalling(false);
      onDone(installation.rest());
    }, onFatal);
  }

  /** Committed entries: applied at once, or when the exchange is over. */
  apply(entries: readonly Entry[]): void {
    if (this.current === undefined) this.deps.applyEntries(entries);
    else this.current.add(entries);
  }

  /** Nothing that waits is applied. */
  abandon(): void {
    this.current?.abandon();
  }
}
