import type { ClusterEvent } from './cluster-event.ts';
import { plainer, withoutNode } from './cluster-setup.ts';
import { failureKind, type Outcome, replay, type Scenario } from './run.ts';

/** Bound on the work of shrinking: events run, and ticks of recoveries, a few seconds of them. */
const EFFORT_MAX = 6_000_000;

export interface Shrunk {
  readonly scenario: Scenario;
  readonly failure: Error;
  /** Runs it took. */
  readonly runs: number;
}

/**
 * Makes a failing run small: leaves out events (delta debugging: large pieces first), then nodes, makes options and events
 * plainer, as long as it fails for the same reason, and again until nothing more helps or the effort is spent.
 * @param run how a scenario is run
 */
export function shrink(scenario: Scenario, failure: Error, run: (scenario: Scenario) => Outcome = replay): Shrunk {
  return new Shrinker(scenario, failure, run).shrink();
}

class Shrinker {
  private best: Scenario;
  private failure: Error;
  private readonly kind: string;
  private readonly run: (scenario: Scenario) => Outcome;
  private runs = 0;
  private effort = 0;

  constructor(scenario: Scenario, failure: Error, run: (scenario: Scenario) => Outcome) {
    this.best = scenario;
    this.failure = failure;
    this.kind = failureKind(failure);
    this.run = run;
  }

  shrink(): Shrunk {
    for (let changed = true; changed; ) {
      changed = this.dropEvents();
      changed = this.dropNodes() || changed;
      changed = this.simplifySetup() || changed;
      changed = this.mergeTicks() || changed;
      changed = this.simplifyEvents() || changed;
    }
    return { scenario: this.best, failure: this.failure, runs: this.runs };
  }

  /** Keeps the candidate if it still fails for the same reason. */
  private attempt(candidate: Scenario): boolean {
    if (this.effort >= EFFORT_MAX) return false;
    this.runs++;
    const { failure, scenario, activity } = this.run(candidate);
    this.effort += activity.steps;
    if (failure === undefined || failureKind(failure) !== this.kind) return false;
    this.best = scenario;
    this.failure = failure;
    return true;
  }

  private dropEvents(): boolean {
    const before = this.best.events.length;
    for (let size = before; size >= 1; size = Math.floor(size / 2)) {
      // From the end, so that what is left out moves nothing that is still to be tried.
      for (let start = this.best.events.length - size; start > -size; start -= size) {
        const { events } = this.best;
        if (start >= events.length) continue;
        const kept = [...events.slice(0, Math.max(0, start)), ...events.slice(start + size)];
        this.attempt({ ...this.best, events: kept });
      }
    }
    return this.best.events.length < before;
  }

  private dropNodes(): boolean {
    const before = this.best.setup.nodes.length;
    for (const node of this.best.setup.nodes) {
      const setup = withoutNode(this.best.setup, node);
      if (setup !== undefined) this.attempt({ ...this.best, setup });
    }
    return this.best.setup.nodes.length < before;
  }

  private simplifySetup(): boolean {
    let changed = false;
    for (const simplify of plainer) {
      const setup = simplify(this.best.setup);
      if (setup !== undefined) changed = this.attempt({ ...this.best, setup }) || changed;
    }
    return changed;
  }

  /** Ticks of a node that follow each other are one event: that may be made plainer as a whole. */
  private mergeTicks(): boolean {
    const merged: ClusterEvent[] = [];
    for (const event of this.best.events) {
      const last = merged.at(-1);
      if (last?.kind !== 'tick' || event.kind !== 'tick' || last.node !== event.node) merged.push(event);
      else merged[merged.length - 1] = { ...last, times: last.times + event.times };
    }
    return merged.length < this.best.events.length && this.attempt({ ...this.best, events: merged });
  }

  private simplifyEvents(): boolean {
    let changed = false;
    for (let i = this.best.events.length - 1; i >= 0; i--) {
      const event = this.best.events[i];
      for (const simpler of event === undefined ? [] : simplerEvents(event)) {
        const events = this.best.events.with(i, simpler);
        if (!this.attempt({ ...this.best, events })) continue;
        changed = true;
        break;
      }
    }
    return changed;
  }
}

/** Events that could do in place of that one, the plainest first. */
function simplerEvents(event: ClusterEvent): ClusterEvent[] {
  switch (event.kind) {
    case 'tick':
      return [
        { kind: 'campaign', node: event.node },
        ...[1, event.times >> 1, event.times - 1]
          .filter((times, i, all) => times >= 1 && times < event.times && all.indexOf(times) === i)
          .map((times) => ({ ...event, times })),
      ];
    case 'propose':
      return event.count > 1 ? [{ ...event, count: 1 }] : [];
    case 'repeat':
      return [{ ...event, kind: 'deliver' }];
    case 'deliver':
    case 'lose':
      return event.place > 0 ? [{ ...event, place: 0 }] : [];
    case 'crash':
      return [
        ...(event.torn > 0 ? [{ ...event, torn: 0 }] : []),
        ...(event.losesUnsynced ? [{ ...event, losesUnsynced: false }] : []),
      ];
    case 'stage':
      return [{ ...event, kind: 'work' }];
    default:
      return [];
  }
}
