import type { StoreEvent } from '../mvcc/contract.ts';
import type { Cohort } from './cohort.ts';
import { isWanted } from './event-batch.ts';
import type { Interest, Slotted } from './interest-index.ts';
import type { Watcher } from './watcher.ts';

/** Watchers of one cohort that need exactly the same: interval, variant and next revision. They share one batch. */
export class CatchUpGroup implements Slotted {
  readonly cohort: Cohort;
  readonly name: string;
  readonly variant: number;
  readonly watchers: Watcher[] = [];
  /** Changes before it are not wanted. */
  readonly fromRevision: number;
  interest: Interest<CatchUpGroup> | undefined = undefined;
  slot = -1;

  /** The batch: wanted events read and not yet sent, and the revision of each. */
  events: StoreEvent[] = [];
  revisions: number[] = [];
  distinctRevisions = 0;
  bytes = 0;

  constructor(cohort: Cohort, name: string, first: Watcher) {
    this.cohort = cohort;
    this.name = name;
    this.variant = first.variant;
    this.fromRevision = first.nextRevision;
  }

  append(revision: number, event: StoreEvent): void {
    if (revision < this.fromRevision || !isWanted(this.variant, event)) return;
    if (this.revisions[this.revisions.length - 1] !== revision) this.distinctRevisions++;
    this.events.push(event);
    this.revisions.push(revision);
    const bytes = event.keyValue.length + 16;
    this.bytes += bytes;
    this.cohort.bytes += bytes;
  }

  /** The first revision whose changes are not in the batch yet. */
  get readRevision(): number {
    return Math.max(this.fromRevision, this.cohort.cursor);
  }

  /** The first revision whose changes were not sent yet. */
  get unsentRevision(): number {
    return this.revisions[0] ?? this.readRevision;
  }

  clearBatch(): void {
    this.cohort.bytes -= this.bytes;
    this.events = [];
    this.revisions = [];
    this.distinctRevisions = 0;
    this.bytes = 0;
  }
}

export function groupName(watcher: Watcher): string {
  return `${watcher.nextRevision}/${watcher.variant}/${watcher.key.length}:${watcher.key}${watcher.end}`;
}
