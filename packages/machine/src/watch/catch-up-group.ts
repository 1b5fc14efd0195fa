import type { History, StoreEvent } from '../mvcc/contract.ts';
import type { Cohort } from './cohort.ts';
import { isWanted, Variant } from './event-batch.ts';
import type { Interest, Slotted } from './interest-index.ts';
import type { Watcher } from './watcher.ts';

/** A response may be so much larger than asked for, rather than leave a small rest to the next. */
const restBytesMax = 8 * 1024;

/** What one response of a batch holds. */
export interface BatchPart {
  readonly events: readonly StoreEvent[];
  readonly revisions: readonly number[];
  /** The key-value before each event, where the watchers want it. */
  readonly previous: readonly (Uint8Array | undefined)[] | undefined;
  /** The first revision after it. */
  readonly nextRevision: number;
}

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
    const bytes = eventBytes(event);
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

  /**
   * The batch in parts of about `bytesMax` at most, previous key-values included, or of one revision: a large value is a response
   * of its own, which need not be copied, and what is read of the past at a time has a bound.
   */
  *parts(history: History, bytesMax: number): Generator<BatchPart> {
    const { events, revisions } = this;
    const previous: (Uint8Array | undefined)[] | undefined = (this.variant & Variant.previous) === 0 ? undefined : [];
    let start = 0;
    let bytes = 0;
    for (let at = 0; at < events.length; ) {
      const revision = revisions[at] as number;
      let end = at;
      let more = 0;
      for (; revisions[end] === revision; end++) {
        const event = events[end] as StoreEvent;
        more += eventBytes(event);
        if (previous === undefined) continue;
        const before = event.isCreate ? undefined : history.keyValueAt(event.key, revision - 1);
        previous.push(before);
        more += before?.length ?? 0;
      }
      if (at > start && bytes + more > bytesMax + restBytesMax) {
        yield {
          events: events.slice(start, at),
          revisions: revisions.slice(start, at),
          previous: previous?.splice(0, at - start),
          nextRevision: revision,
        };
        start = at;
        bytes = 0;
      }
      bytes += more;
      at = end;
    }
    if (start === events.length) return;
    yield {
      events: events.slice(start),
      revisions: revisions.slice(start),
      previous,
      nextRevision: this.readRevision,
    };
  }

  clearBatch(): void {
    this.cohort.bytes -= this.bytes;
    this.events = [];
    this.revisions = [];
    this.distinctRevisions = 0;
    this.bytes = 0;
  }
}

function eventBytes(event: StoreEvent): number {
  return event.keyValue.length + 16;
}

export function groupName(watcher: Watcher): string {
  return `${watcher.nextRevision}/${watcher.variant}/${watcher.key.length}:${watcher.key}${watcher.end}`;
}
