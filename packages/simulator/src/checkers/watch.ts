import { type etcdserverpb, mvccpb } from '@quorate/api';
import { equalBytes } from '@quorate/base';
import type { History, Violation, WatchRecord } from '../history/history.ts';
import { findDifference, showBytes } from './difference.ts';
import { nameOfInterval } from './operations.ts';
import type { Replay } from './replay.ts';
import { type ExpectedEvents, expectedEvents } from './watch-events.ts';

const checker = 'watch';

type WatchResponse = etcdserverpb.WatchResponse;

/**
 * What etcd promises of watches, against the events of the replayed log: a watch tells all events that match it, from its start on, each
 * once, in order, whole revisions at a time, with the right previous values; a progress notice with a revision comes after
 * all events up to it; and it ends for a compaction only when that took away what the watch needed.
 */
export function checkWatches(history: History, replay: Replay): Violation[] {
  const violations: Violation[] = [];
  for (const watch of history.watches) {
    const problem = new WatchCheck(watch, replay).run();
    if (problem === undefined) continue;
    const { id, client, member, request } = watch;
    const start = request.startRevision === 0 ? '' : ` from ${request.startRevision}`;
    const name = `watch ${id} (client ${client} at ${member}, ${nameOfInterval(request)}${start})`;
    violations.push({ checker, text: `${name} ${problem}` });
  }
  return violations;
}

/** Follows one watch and stops at the first thing that is wrong, as all that comes after is likely to be wrong as well. */
class WatchCheck {
  private readonly watch: WatchRecord;
  private readonly replay: Replay;
  private expected: Iterator<ExpectedEvents> = [][Symbol.iterator]();
  /** The revision to be told next and how many of its events were; undefined when the watch has told everything. */
  private due: ExpectedEvents | undefined;
  private told = 0;
  /** Where the watch begins; known once it is created. */
  private first = 0;
  private watchId = 0;
  private lastRevision = 0;
  private progressRevision = 0;
  private isFragmented = false;
  private isOver = false;

  constructor(watch: WatchRecord, replay: Replay) {
    this.watch = watch;
    this.replay = replay;
  }

  /** What is wrong, if anything. */
  run(): string | undefined {
    const [created, ...others] = this.watch.responses;
    if (created === undefined) return undefined;
    const problem = this.create(created.message);
    if (problem !== undefined) return problem;
    for (const { atMs, message } of others) {
      const problem = this.isOver ? 'goes on after its end' : this.follow(message);
      if (problem !== undefined) return `${problem} (at ${atMs} ms)`;
    }
    if (this.isOver || this.due === undefined || this.due.revision > this.watch.completeTo) return undefined;
    return `ended without ${this.nameOfDue()}, although it had the time`;
  }

  private create(message: WatchResponse): string | undefined {
    if (!message.created) return 'was not answered by its creation first';
    if (message.events.length > 0) return 'has events in the answer to its creation';
    this.isOver = message.canceled;
    this.watchId = message.watchId;
    if (this.isOver) return undefined;
    const { request } = this.watch;
    const revision = message.header?.revision ?? 0;
    if (revision > this.replay.revision) {
      return `was created at revision ${revision}, but the last one is ${this.replay.revision}`;
    }
    this.first = request.startRevision > 0 ? request.startRevision : revision + 1;
    this.expected = expectedEvents(this.replay, request, this.first)[Symbol.iterator]();
    this.advance();
    return undefined;
  }

  private follow(message: WatchResponse): string | undefined {
    if (message.created) return 'was created a second time';
    if (message.watchId !== this.watchId && (message.watchId !== -1 || message.events.length > 0)) {
      return `got an answer to watch id ${message.watchId}, its own is ${this.watchId}`;
    }
    if (message.canceled) return this.cancel(message);
    return message.events.length === 0 ? this.progress(message) : this.takeEvents(message);
  }

  private cancel({ compactRevision, events }: WatchResponse): string | undefined {
    this.isOver = true;
    if (events.length > 0) return 'was cancelled with events';
    if (compactRevision === 0) return undefined;
    if (!this.replay.compactions.has(compactRevision)) {
      return `was cancelled for a compaction at ${compactRevision}, which never was`;
    }
    const needed = Math.max(this.first, this.lastRevision + 1);
    if (compactRevision > needed) return undefined;
    return `was cancelled for the compaction at ${compactRevision}, but needed only ${needed} and later`;
  }

  /** All up to its revision must have been told, so that a client can go on from there. */
  private progress({ header, fragment }: WatchResponse): string | undefined {
    const revision = header?.revision ?? 0;
    if (fragment || this.isFragmented) return 'has a progress notice between the parts of an answer';
    if (revision > this.replay.revision) {
      return `has a progress notice of ${revision}, but the last revision is ${this.replay.revision}`;
    }
    if (this.due !== undefined && this.due.revision <= revision) {
      return `has a progress notice of ${revision} before ${this.nameOfDue()}`;
    }
    if (revision < this.watch.request.startRevision) return `has a progress notice of ${revision}, before its start`;
    const before = Math.max(this.progressRevision, this.lastRevision);
    if (revision < before) return `has a progress notice of ${revision} after it told ${before}`;
    this.progressRevision = revision;
    return undefined;
  }

  private takeEvents({ header, events, fragment }: WatchResponse): string | undefined {
    if (fragment && !this.watch.request.fragment) return 'has an answer in parts, which it did not ask for';
    for (const event of events) {
      const problem = this.takeEvent(event);
      if (problem !== undefined) return problem;
    }
    this.isFragmented = fragment;
    if (this.told > 0 && !fragment) return `has an answer with a part of revision ${this.lastRevision} only`;
    const revision = header?.revision ?? 0;
    if (revision >= this.lastRevision) return undefined;
    return `has an answer of revision ${revision} with events of ${this.lastRevision}`;
  }

  private takeEvent(event: mvccpb.Event): string | undefined {
    const { kv } = event;
    if (kv === undefined) return 'has an event without a key';
    const { due, told } = this;
    const expected = due?.events[told];
    if (due === undefined || expected === undefined || due.revision !== kv.modRevision || !isSame(expected, event)) {
      return this.explain(event, kv.modRevision);
    }
    const difference = this.compare(event, expected);
    if (difference !== undefined) return `tells ${nameOf(event)} wrongly: ${difference}`;
    this.lastRevision = due.revision;
    this.told = told + 1;
    if (this.told === due.events.length) this.advance();
    return undefined;
  }

  /** A previous value that was compacted may be left out. */
  private compare(event: mvccpb.Event, expected: mvccpb.Event): string | undefined {
    const wasKept = (event.kv?.modRevision ?? 0) - 1 >= this.replay.compactRevision;
    const mayLack = event.prevKv === undefined && !wasKept;
    return findDifference(event, mayLack ? { ...expected, prevKv: undefined } : expected);
  }

  /** Why an event is not the one that was due. */
  private explain(event: mvccpb.Event, revision: number): string {
    const hasHappened = this.replay.model.eventsOf(revision).some((other) => isSame(other, event));
    const name = nameOf(event);
    if (!hasHappened) return `has ${name}, which never happened`;
    if (revision < this.first) return `has ${name}, from before its start at ${this.first}`;
    const [wanted] = expectedEvents(this.replay, this.watch.request, revision);
    const isWanted = wanted?.revision === revision && wanted.events.some((other) => isSame(other, event));
    if (!isWanted) return `has ${name}, which it is not about`;
    const isBehind = this.due === undefined || revision < this.due.revision;
    if (isBehind || this.isTold(event)) return `has ${name} again, after it told ${this.lastRevision}`;
    return `has ${name} before ${this.nameOfDue()}`;
  }

  /** Whether an event of the revision under way has been told already. */
  private isTold(event: mvccpb.Event): boolean {
    const { due } = this;
    if (due?.revision !== event.kv?.modRevision) return false;
    return due?.events.slice(0, this.told).some((told) => isSame(told, event)) === true;
  }

  private advance(): void {
    this.told = 0;
    const next = this.expected.next();
    this.due = next.done === true ? undefined : next.value;
  }

  private nameOfDue(): string {
    const event = this.due?.events[this.told];
    return event === undefined ? 'nothing' : nameOf(event);
  }
}

/** Whether two events of one revision are about the same. */
function isSame(a: mvccpb.Event, b: mvccpb.Event): boolean {
  return a.type === b.type && a.kv !== undefined && b.kv !== undefined && equalBytes(a.kv.key, b.kv.key);
}

/** `the put of "a" at 12` */
function nameOf({ type, kv }: mvccpb.Event): string {
  const verb = type === mvccpb.EventType.PUT ? 'put' : 'delete';
  return kv === undefined ? `a ${verb}` : `the ${verb} of ${showBytes(kv.key)} at ${kv.modRevision}`;
}
