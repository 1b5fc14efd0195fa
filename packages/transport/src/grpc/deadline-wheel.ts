import type { Clock, Timer } from '@quorate/base';

/** Something with a deadline; the links are the wheel's. */
export interface DeadlineEntry {
  /** Absolute, on the clock. */
  deadlineMs: number;
  wheelNext: DeadlineEntry | null;
  wheelPrevious: DeadlineEntry | null;
  /** The bucket it is in, or -1. */
  wheelBucket: number;
  onDeadline(): void;
}

const bucketCount = 512;
const bucketMs = 16;

/**
 * Deadlines of all calls of a server or client under one timer: a hashed wheel (Varghese and Lauck, scheme 6), 8 s around. Adding and removing are a few
 * stores, as nearly every call ends before its deadline.
 */
export class DeadlineWheel {
  private readonly clock: Clock;
  private readonly buckets: (DeadlineEntry | null)[] = new Array(bucketCount).fill(null);
  private count = 0;
  /** Buckets of earlier ticks hold nothing that is due. */
  private tick: number;
  private timer: Timer | null = null;
  private timerMs = Number.POSITIVE_INFINITY;
  private readonly run: () => void;

  constructor(clock: Clock) {
    this.clock = clock;
    this.tick = Math.floor(clock.nowMs() / bucketMs);
    this.run = () => {
      this.timer = null;
      this.timerMs = Number.POSITIVE_INFINITY;
      this.expire();
    };
  }

  /** Adds an entry with a finite deadline that is in no wheel. */
  add(entry: DeadlineEntry): void {
    // What is overdue already belongs where the next look begins.
    const bucket = Math.max(Math.floor(entry.deadlineMs / bucketMs), this.tick) % bucketCount;
    const first = this.buckets[bucket] as DeadlineEntry | null;
    entry.wheelBucket = bucket;
    entry.wheelPrevious = null;
    entry.wheelNext = first;
    if (first !== null) first.wheelPrevious = entry;
    this.buckets[bucket] = entry;
    this.count++;
    if (entry.deadlineMs < this.timerMs) this.schedule(entry.deadlineMs);
  }

  /** Takes an entry out; fine when it is in none. */
  remove(entry: DeadlineEntry): void {
    if (entry.wheelBucket < 0) return;
    if (entry.wheelPrevious === null) this.buckets[entry.wheelBucket] = entry.wheelNext;
    else entry.wheelPrevious.wheelNext = entry.wheelNext;
    if (entry.wheelNext !== null) entry.wheelNext.wheelPrevious = entry.wheelPrevious;
    entry.wheelBucket = -1;
    entry.wheelNext = null;
    entry.wheelPrevious = null;
    this.count--;
  }

  /** Drops the timer; entries stay where they are but nothing expires. */
  stop(): void {
    this.timer?.cancel();
    this.timer = null;
    this.timerMs = Number.NEGATIVE_INFINITY;
  }

  private schedule(atMs: number): void {
    this.timer?.cancel();
    const nowMs = this.clock.nowMs();
    // Never longer than a turn of the wheel: deadlines may lie beyond what a timer takes.
    this.timerMs = Math.min(atMs, nowMs + bucketCount * bucketMs);
    this.timer = this.clock.setTimer(Math.max(this.timerMs - nowMs, 0), this.run);
  }

  /** Fires what is due and sets the timer for the next entry, or for the next turn of the wheel. */
  private expire(): void {
    const nowMs = this.clock.nowMs();
    const nowTick = Math.floor(nowMs / bucketMs);
    const due: DeadlineEntry[] = [];
    const firstTick = Math.max(this.tick, nowTick - bucketCount + 1);
    for (let tick = firstTick; tick <= nowTick; tick++) {
      let entry = this.buckets[tick % bucketCount] as DeadlineEntry | null;
      for (; entry !== null; entry = entry.wheelNext) if (entry.deadlineMs <= nowMs) due.push(entry);
    }
    // The current bucket is not over: it is looked at again.
    this.tick = nowTick;
    for (const entry of due) this.remove(entry);
    if (this.count > 0) this.schedule(this.nextMs(nowMs, nowTick));
    for (const entry of due) entry.onDeadline();
  }

  /** The earliest deadline of this turn of the wheel, or the end of the turn. */
  private nextMs(nowMs: number, nowTick: number): number {
    for (let tick = nowTick; tick < nowTick + bucketCount; tick++) {
      let earliestMs = (tick + 1) * bucketMs;
      let found = false;
      let entry = this.buckets[tick % bucketCount] as DeadlineEntry | null;
      for (; entry !== null; entry = entry.wheelNext) {
        if (entry.deadlineMs < earliestMs) {
          earliestMs = entry.deadlineMs;
          found = true;
        }
      }
      if (found) return Math.max(earliestMs, nowMs);
    }
    return (nowTick + bucketCount) * bucketMs;
  }
}
