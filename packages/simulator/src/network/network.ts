import type { Random } from '@quorate/base';
import { chance, exponential } from '../world/random-sources.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { Trace } from '../world/trace.ts';

/** How a network behaves when nothing is cut. */
export interface NetworkQuality {
  /** Every packet takes as long at least. */
  readonly latencyMs: number;
  /** Mean of what it takes longer. */
  readonly jitterMs: number;
  /** Probabilities of a packet. */
  readonly loss: number;
  readonly duplication: number;
  /** Packets of a way overtake each other; else each waits for the one before, as on a connection. */
  readonly reorders: boolean;
}

export type CutKind =
  /** Packets are lost. */
  | 'drop'
  /** Packets come once the cut is over. */
  | 'clog'
  /** Messages of raft come once the cut is over; other connections have nothing of it. */
  | 'delay';

interface Cut {
  readonly kind: CutKind;
  readonly until: number;
  /** What was sent meanwhile comes so long after the end, if it comes. */
  readonly lateMs: number;
}

/** The ways between machines and clients, by name. A way has a direction. */
export class Network {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  private readonly random: Random;
  private readonly quality: NetworkQuality;
  private readonly cuts = new Map<string, Cut>();
  private readonly lastArrival = new Map<string, number>();
  private readonly healedMs = new Map<string, number>();
  private readonly sentBy = new Map<string, number>();
  private readonly planned = new Map<string, { left: number; readonly action: () => void }[]>();
  /** Whether nothing passes from one to another, however long. */
  separates: (from: string, to: string) => boolean = () => false;
  /** Packets sent, lost and doubled. */
  readonly counts = { sent: 0, lost: 0, doubled: 0, clogged: 0 };

  constructor(deps: { scheduler: Scheduler; trace: Trace; random: Random }, quality: NetworkQuality) {
    this.scheduler = deps.scheduler;
    this.trace = deps.trace;
    this.random = deps.random;
    this.quality = quality;
  }

  /** Cuts a way until that time of the world. */
  cut(from: string, to: string, kind: CutKind, untilMs: number, lateMs = 0): void {
    const way = `${from}>${to}`;
    const known = this.cuts.get(way);
    this.cuts.set(way, { kind, until: Math.max(untilMs, known?.until ?? 0), lateMs });
    if (kind !== 'delay') this.healedMs.set(way, Math.max(untilMs, this.healedMs.get(way) ?? 0));
  }

  /** Does something right after so many more messages have left `from`, whether they arrive or not; 0 for the next. */
  afterSends(from: string, messages: number, action: () => void): void {
    const known = this.planned.get(from) ?? [];
    this.planned.set(from, [...known, { left: messages, action }]);
  }

  /** Messages that have left it. */
  messagesOf(from: string): number {
    return this.sentBy.get(from) ?? 0;
  }

  /** Ends all cuts, and forgets what was planned. */
  heal(): void {
    for (const way of this.cuts.keys()) this.healedMs.set(way, this.scheduler.nowMs);
    this.cuts.clear();
    this.planned.clear();
  }

  isCut(from: string, to: string): boolean {
    const cut = this.cutOf(`${from}>${to}`);
    return cut !== undefined && cut.kind !== 'delay';
  }

  /** Since when packets pass both ways; undefined while they do not. */
  openSince(one: string, other: string): number | undefined {
    if (this.isCut(one, other) || this.isCut(other, one)) return undefined;
    return Math.max(this.healedMs.get(`${one}>${other}`) ?? 0, this.healedMs.get(`${other}>${one}`) ?? 0);
  }

  private cutOf(way: string): Cut | undefined {
    const cut = this.cuts.get(way);
    if (cut === undefined) return undefined;
    if (cut.until > this.scheduler.nowMs) return cut;
    this.cuts.delete(way);
    return undefined;
  }

  /** A packet, which may be lost, come twice, or late. `arrive` runs with nobody's life: whoever it reaches must look whether it is up. */
  packet(from: string, to: string, mayDouble: boolean, arrive: () => void): boolean {
    const isSent = this.transfer(from, to, this.quality.loss, arrive, 'packet');
    if (mayDouble && isSent && chance(this.random, this.quality.duplication)) {
      this.counts.doubled++;
      this.transfer(from, to, 0, arrive, 'packet');
    }
    return isSent;
  }

  /** Part of a connection: comes once and in order, or the connection is at an end; false when a cut swallows it. */
  segment(from: string, to: string, arrive: () => void): boolean {
    return this.transfer(from, to, 0, arrive, 'segment');
  }

  private transfer(from: string, to: string, loss: number, arrive: () => void, what: 'packet' | 'segment'): boolean {
    const isOnItsWay = this.depart(from, to, loss, arrive, what);
    this.sentBy.set(from, this.messagesOf(from) + 1);
    this.doPlanned(from);
    return isOnItsWay;
  }

  private doPlanned(from: string): void {
    const planned = this.planned.get(from);
    if (planned === undefined) return;
    const due = planned.filter((plan) => plan.left-- === 0);
    if (due.length > 0)
      this.planned.set(
        from,
        planned.filter((plan) => !due.includes(plan)),
      );
    for (const { action } of due) action();
  }

  private depart(from: string, to: string, loss: number, arrive: () => void, what: 'packet' | 'segment'): boolean {
    const way = `${from}>${to}`;
    const known = this.cutOf(way);
    const cut = known?.kind === 'delay' && what === 'segment' ? undefined : known;
    // What is delayed does not hold back what is not.
    const order = cut?.kind === 'delay' ? `${way} delayed` : way;
    this.counts.sent++;
    const { nowMs } = this.scheduler;
    let atMs = nowMs + this.quality.latencyMs + exponential(this.random, this.quality.jitterMs);
    if (cut?.kind === 'drop' || chance(this.random, loss) || this.separates(from, to)) {
      this.counts.lost++;
      return false;
    }
    if (cut !== undefined) {
      this.counts.clogged++;
      atMs += cut.until + cut.lateMs - nowMs;
    }
    if (what === 'segment' || !this.quality.reorders) {
      atMs = Math.max(atMs, this.lastArrival.get(order) ?? 0);
      this.lastArrival.set(order, atMs);
    }
    this.scheduler.at(atMs, arrive);
    return true;
  }
}
