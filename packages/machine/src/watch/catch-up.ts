import type { Clock } from '@quorate/base';
import type { History } from '../mvcc/contract.ts';
import type { BatchPart, CatchUpGroup } from './catch-up-group.ts';
import { Cohort } from './cohort.ts';
import type { EventBatch } from './event-batch.ts';
import type { Interest } from './interest-index.ts';
import type { Watcher } from './watcher.ts';

/** What the catch-up asks of the hub. */
export interface CatchUpHost {
  readonly history: History;
  /** The watcher has everything; it is in no list. */
  becomeSynced(watcher: Watcher): void;
  /** The watcher's stream is full; `nextRevision` is the first whose changes it did not get. */
  becomeBlocked(watcher: Watcher, nextRevision: number): void;
  /** What the watcher needs next is compacted. */
  becomeCompacted(watcher: Watcher): void;
}

export interface CatchUpOptions {
  readonly sliceMs: number;
  readonly revisionsPerBatchMax: number;
  readonly batchBytesMax: number;
  readonly changesPerSliceMax: number;
}

/** Passes over the history that may be under way at once. */
const cohortsMax = 16;
/** A watcher may join a pass that has at most so many revisions to go until it is of use to it. */
const joinDistanceMax = 1000;
/** Changes read, and handed to a group, between two looks at the clock; a power of two. */
const visitsPerLook = 64;
/** Batches of all groups of a cohort; above it they are sent early. */
const cohortBytesMax = 16 * 1024 * 1024;

/**
 * Brings watchers that are behind up to the present, in slices of a few milliseconds. Watchers behind by about the same are
 * served by one pass over the history (a cohort); the cohorts take turns, so that no long way back holds up a short one.
 */
export class CatchUp {
  private readonly clock: Clock;
  private readonly host: CatchUpHost;
  private readonly batch: EventBatch;
  private readonly options: CatchUpOptions;
  private readonly waiting = new Set<Watcher>();
  private readonly cohorts: Cohort[] = [];
  private turn = 0;
  private isScheduled = false;
  private deadlineMs = 0;
  private visitsLeft = 0;
  private isSpent = false;
  private readonly fullGroups = new Set<CatchUpGroup>();
  private readonly hits: Interest<CatchUpGroup>[] = [];

  constructor(clock: Clock, host: CatchUpHost, batch: EventBatch, options: CatchUpOptions) {
    this.clock = clock;
    this.host = host;
    this.batch = batch;
    this.options = options;
  }

  /** Takes on a watcher that is in no list. */
  add(watcher: Watcher): void {
    watcher.state = 'waiting';
    this.waiting.add(watcher);
    this.schedule();
  }

  /** Gives up a `waiting` or `scanning` watcher; its state is for the caller to set. */
  remove(watcher: Watcher): void {
    if (this.waiting.delete(watcher)) return;
    const group = watcher.group;
    if (group === undefined) return;
    group.cohort.remove(watcher, group);
    if (group.cohort.groups.size === 0) this.drop(group.cohort);
  }

  /** History below `revision` is gone: those who still need it are cancelled. */
  compacted(revision: number): void {
    for (const watcher of this.waiting) {
      if (watcher.nextRevision >= revision) continue;
      this.waiting.delete(watcher);
      this.host.becomeCompacted(watcher);
    }
    for (const cohort of [...this.cohorts]) {
      for (const group of cohort.groups) {
        if (group.readRevision >= revision) continue;
        for (let i = group.watchers.length - 1; i >= 0; i--) {
          const watcher = group.watchers[i] as Watcher;
          cohort.remove(watcher, group);
          this.host.becomeCompacted(watcher);
        }
      }
      cohort.cursor = Math.max(cohort.cursor, revision);
      if (cohort.groups.size === 0) this.drop(cohort);
    }
  }

  /** The history was exchanged: what was read of the old one and not sent is read again. */
  restart(): void {
    for (const cohort of this.cohorts.splice(0)) {
      for (const group of cohort.groups) {
        const next = group.unsentRevision;
        for (let i = group.watchers.length - 1; i >= 0; i--) {
          const watcher = group.watchers[i] as Watcher;
          cohort.remove(watcher, group);
          watcher.nextRevision = Math.max(watcher.nextRevision, next);
          this.add(watcher);
        }
      }
    }
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.clock.defer(() => {
      this.isScheduled = false;
      this.runSlice();
      if (this.cohorts.length > 0 || this.waiting.size > 0) this.schedule();
    });
  }

  private runSlice(): void {
    this.deadlineMs = this.clock.nowMs() + this.options.sliceMs;
    this.visitsLeft = this.options.changesPerSliceMax;
    this.isSpent = false;
    this.admit();
    while (this.cohorts.length > 0 && !this.isSpent) {
      this.turn = (this.turn + 1) % this.cohorts.length;
      this.advance(this.cohorts[this.turn] as Cohort);
    }
  }

  /**
   * Puts waiting watchers into cohorts, so far as the slice allows; no scan starts before all are in, so that it serves them all.
   * The last free place takes all that would need more places.
   */
  private admit(): void {
    if (this.cohorts.length >= cohortsMax) return;
    let rest: Watcher[] | undefined;
    for (const watcher of this.waiting) {
      if (this.isSpent) break;
      this.countVisit();
      this.waiting.delete(watcher);
      const next = watcher.nextRevision;
      let cohort = this.cohorts.find((each) => each.cursor <= next && next - each.cursor <= joinDistanceMax);
      if (cohort === undefined) {
        if (this.cohorts.length >= cohortsMax - 1) {
          rest ??= [];
          rest.push(watcher);
          continue;
        }
        cohort = new Cohort(next);
        this.cohorts.push(cohort);
      }
      cohort.add(watcher);
    }
    if (rest === undefined) return;
    const cohort = new Cohort(rest.reduce((least, watcher) => Math.min(least, watcher.nextRevision), Infinity));
    for (const watcher of rest) cohort.add(watcher);
    this.cohorts.push(cohort);
  }

  private drop(cohort: Cohort): void {
    const at = this.cohorts.indexOf(cohort);
    if (at >= 0) this.cohorts.splice(at, 1);
  }

  /** Reads and sends until the slice is spent or the cohort is done. */
  private advance(cohort: Cohort): void {
    for (;;) {
      const current = this.host.history.currentRevision;
      if (cohort.cursor <= current) this.read(cohort, current);
      for (const group of this.fullGroups) this.flush(group, false);
      this.fullGroups.clear();
      if (cohort.cursor > current) this.finish(cohort);
      else if (cohort.bytes > cohortBytesMax) for (const group of cohort.groups) this.flush(group, false);
      if (cohort.groups.size === 0) {
        this.drop(cohort);
        return;
      }
      if (this.isSpent) return;
    }
  }

  /**
   * Reads on to the end of a revision after which there is something to send or the slice is spent. Sending waits until the
   * history has let go, because previous values are read from it.
   */
  private read(cohort: Cohort, to: number): void {
    let reading = cohort.cursor - 1;
    let stoppedAt = 0;
    this.host.history.readChanges(cohort.cursor, to, (revision, event) => {
      if (revision !== reading) {
        if (this.isSpent || this.fullGroups.size > 0 || cohort.bytes > cohortBytesMax) {
          stoppedAt = revision;
          return false;
        }
        reading = revision;
      }
      this.countVisit();
      this.hits.length = 0;
      cohort.index.collect(event.key, this.hits);
      for (const interest of this.hits) {
        for (const group of interest.items) {
          this.countVisit();
          group.append(revision, event);
          if (group.distinctRevisions >= this.options.revisionsPerBatchMax || group.bytes >= this.options.batchBytesMax)
            this.fullGroups.add(group);
        }
      }
      return true;
    });
    cohort.cursor = stoppedAt === 0 ? to + 1 : stoppedAt;
  }

  private countVisit(): void {
    this.visitsLeft--;
    if (this.visitsLeft <= 0) this.isSpent = true;
    else if ((this.visitsLeft & (visitsPerLook - 1)) === 0) this.look();
  }

  private look(): void {
    if (this.clock.nowMs() >= this.deadlineMs) this.isSpent = true;
  }

  /** The cohort has read everything: its groups become synced, as many as the slice allows and at least one. */
  private finish(cohort: Cohort): void {
    for (const group of cohort.groups) {
      this.flush(group, true);
      const next = group.readRevision;
      for (let i = group.watchers.length - 1; i >= 0; i--) {
        const watcher = group.watchers[i] as Watcher;
        cohort.remove(watcher, group);
        watcher.nextRevision = Math.max(watcher.nextRevision, next);
        this.host.becomeSynced(watcher);
      }
      this.look();
      if (this.isSpent) return;
    }
  }

  /** Sends the batch, in as many responses as it takes. */
  private flush(group: CatchUpGroup, isLast: boolean): void {
    const history = this.host.history;
    const end = group.readRevision;
    for (const part of group.parts(history, this.options.batchBytesMax)) {
      this.batch.begin(history, part.events, part.revisions, history.currentRevision, part.previous);
      this.send(group, part, isLast && part.nextRevision === end);
      this.batch.end();
      if (group.watchers.length === 0) break;
    }
    group.clearBatch();
  }

  /** Watchers whose stream was full before the part, or is full now with more to come, leave the cohort. */
  private send(group: CatchUpGroup, part: BatchPart, isLast: boolean): void {
    for (let i = group.watchers.length - 1; i >= 0; i--) {
      const watcher = group.watchers[i] as Watcher;
      const takes = watcher.stream.hasRoom();
      if (takes) watcher.stream.sendEvents(watcher, this.batch);
      if (!watcher.stream.isFull || (takes && isLast)) continue;
      group.cohort.remove(watcher, group);
      this.host.becomeBlocked(watcher, takes ? part.nextRevision : (part.revisions[0] as number));
    }
  }
}
