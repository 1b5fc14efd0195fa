import { ClientPort } from './clients/client-port.ts';
import { KeyValueClient } from './clients/key-value-client.ts';
import { World, type WorldEdge } from './cluster/world.ts';
import { Nemesis } from './faults/nemesis.ts';
import type { History, Operation, Violation } from './history/history.ts';
import type { Scenario } from './scenario.ts';
import { sourceOf } from './world/random-sources.ts';

/** What came of a run. */
export interface RunResult {
  readonly traceHash: string;
  readonly traceLines: number;
  readonly history: History;
  readonly violations: readonly Violation[];
  /** Of the simulated world. */
  readonly durationMs: number;
  readonly events: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly downs: ReadonlyMap<string, number>;
  readonly acknowledged: number;
  readonly unknown: number;
}

/** A new cluster has a leader by then. */
const peaceLimitMs = 30_000;
/** All work and all faults are over by then, or something hangs. */
const workLimitMs = 600_000;
/** A healed cluster has a leader, and all members have caught up, by then. */
const healLimitMs = 60_000;

/** Plays a scenario to its end. The same scenario gives the same result, trace and all. */
export async function runScenario(scenario: Scenario, edge: WorldEdge): Promise<RunResult> {
  const world = new World(scenario, edge);
  const { scheduler, network, machines, trace } = world;
  const operations: Operation[] = [];
  const violations = world.violations;
  for (const machine of machines) machine.start();
  if (scenario.beginsInPeace) await scheduler.run(() => world.isSettled(), peaceLimitMs);
  let ids = 0;
  const clients = Array.from({ length: scenario.clients }, (_, i) => {
    const name = `c${i}`;
    const deps = {
      port: new ClientPort(name, network),
      random: sourceOf(scenario.seed, `client ${name}`),
      ...{ scheduler, machines },
      nextId: () => ids++,
      record: (operation: Operation) => void operations.push(operation),
    };
    return new KeyValueClient(deps, i);
  });
  const nemesis = new Nemesis(world, scenario.faults, scenario.clients);
  nemesis.start();
  let running = clients.length;
  const share = Math.ceil(scenario.operations / Math.max(1, clients.length));
  for (const client of clients) {
    void client
      .run(share, scenario.thinkMs, () => violations.length > 0)
      .then(() => {
        running--;
      });
  }
  const isBroken = () => violations.length > 0 || world.agreement.violations.length > 0;
  const isDone = await scheduler.run(() => (running === 0 && nemesis.isOver) || isBroken(), workLimitMs);
  if (!isDone) violations.push({ checker: 'liveness', text: `work was not over after ${workLimitMs} ms` });
  trace.note('world', 'heals');
  nemesis.heal();
  const healedMs = scheduler.nowMs;
  if (!isBroken() && !(await scheduler.run(() => world.isSettled() || isBroken(), healedMs + healLimitMs))) {
    violations.push({
      checker: 'liveness',
      text: `no settled cluster ${healLimitMs} ms after the last fault: ${world.describe()}`,
    });
  }
  violations.push(...world.agreement.violations);
  const history: History = { operations, watches: [], log: world.agreement.log() };
  const acknowledged = operations.filter(({ outcome }) => outcome.kind === 'ok').length;
  const unknown = operations.filter(({ outcome }) => outcome.kind === 'unknown').length;
  return {
    traceHash: trace.finish(),
    traceLines: trace.lines,
    ...{ history, violations, acknowledged, unknown },
    durationMs: scheduler.nowMs,
    events: scheduler.events,
    faults: nemesis.counts,
    downs: world.downs,
  };
}
