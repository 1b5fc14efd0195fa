import { type Clock, nextTurn } from '@quorate/base';
import { type Entry, entriesSize } from '@quorate/raft';

/** A snapshot that is being put in place of the state machine, and the committed entries that wait for that. */
export class SnapshotInstallation {
  private entries: Entry[] = [];
  private isOver = false;
  /** Of the entries that wait. */
  bytes = 0;
  /** Resolves when the state machine stands on the snapshot and has applied what waited; rejects when it cannot. */
  readonly done: Promise<void>;

  /**
   * @param installed resolves when the state machine stands on the snapshot.
   * @param applySlice applies some of the entries in one stretch and returns how many.
   */
  constructor(clock: Clock, installed: Promise<void>, applySlice: (entries: readonly Entry[]) => number) {
    this.done = installed.then(async () => {
      while (this.entries.length > 0 && !this.isOver) {
        const count = applySlice(this.entries);
        this.bytes -= entriesSize(this.entries.slice(0, count));
        this.entries = this.entries.slice(count);
        await nextTurn(clock);
      }
    });
  }

  add(entries: readonly Entry[]): void {
    this.entries.push(...entries);
    this.bytes += entriesSize(entries);
  }

  /** What came after the last turn of {@link done}; to be applied by whoever was told that it is. */
  rest(): readonly Entry[] {
    const { entries } = this;
    this.entries = [];
    return entries;
  }

  /** Nothing more is applied: the member stops, or a newer snapshot stands for what waits. */
  abandon(): void {
    this.isOver = true;
    this.entries = [];
    this.bytes = 0;
  }
}
