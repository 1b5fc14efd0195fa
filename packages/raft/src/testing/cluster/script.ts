import { ReadOnlyOption } from '../../core/config.ts';
import { emptyConfiguration } from '../../tracker/configuration.ts';
import type { ClusterEvent } from './cluster-event.ts';
import { LEADER_TICKS } from './lease-clock.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import { isUpToDate } from './simulated-disk.ts';

/**
 * Sequences of events that chance alone hardly ever hits upon, as they take many steps in the right order: a leader that is
 * cut off and a successor that commits, say. What is in between is still drawn.
 */
export type ScriptItem = ClusterEvent | Exchange;

/** These nodes do their work and get each other's messages, until there is nothing more or so many events are over. */
export interface Exchange {
  readonly kind: 'exchange';
  readonly nodes: readonly number[];
  eventsLeft: number;
}

function exchange(nodes: readonly number[], events: number): Exchange {
  return { kind: 'exchange', nodes, eventsLeft: events };
}

/** The next event of an exchange; undefined when it is over. */
export function drawExchange(
  { nodes }: Exchange,
  cluster: SimulatedCluster,
  random: SeededRandom,
): ClusterEvent | undefined {
  const busy = nodes.filter((node) => cluster.node(node)?.hasWork());
  if (busy.length > 0 && random.chance(0.6)) return { kind: 'work', node: random.pick(busy) };
  const count = nodes.length * nodes.length;
  const start = random.below(count);
  for (let i = 0; i < count; i++) {
    const at = (start + i) % count;
    const from = nodes[Math.floor(at / nodes.length)] as number;
    const to = nodes[at % nodes.length] as number;
    if (cluster.network.waiting(from, to) > 0) return { kind: 'deliver', from, to, place: 0 };
  }
  return busy.length > 0 ? { kind: 'work', node: random.pick(busy) } : undefined;
}

export class ScriptWriter {
  private readonly cluster: SimulatedCluster;
  private readonly random: SeededRandom;

  constructor(cluster: SimulatedCluster, random: SeededRandom) {
    this.cluster = cluster;
    this.random = random;
  }

  private get isLeaseBased(): boolean {
    return this.cluster.setup.options.readOnlyOption === ReadOnlyOption.LeaseBased;
  }

  /** A leader is cut off, alone or with a few, has entries that go nowhere, and the others get to elect another. */
  split(leader: number): ScriptItem[] {
    const { random } = this;
    const { nodes } = this.cluster.setup;
    const { incoming, outgoing } = this.cluster.node(leader)?.raft?.tracker.config ?? emptyConfiguration;
    const voters = [...incoming].map(Number);
    if (this.isLeaseBased && voters.length > 2 && random.chance(0.7)) return this.deaf(leader, voters);
    if (voters.length > 2 && random.chance(0.2)) return this.handOver(leader, voters);
    const ally = nodes.find((node) => node !== leader && (!voters.includes(node) || voters.length > 4));
    if (outgoing.size === 0 && voters.length > 2 && ally !== undefined && random.chance(0.2)) {
      return this.halves(leader, ally, voters);
    }
    // Less than a majority; or in a joint configuration one of the new half, which is not enough.
    const count = outgoing.size > 0 && random.chance(0.5) ? (voters.length >> 1) + 1 : (voters.length - 1) >> 1;
    const few = new Set([leader, ...voters.slice(0, count).filter(() => random.chance(0.4))]);
    const side = nodes.filter((node) => few.has(node));
    const others = nodes.filter((node) => !few.has(node));
    const oneWay = random.chance(0.3);
    const [from, to] = oneWay && random.chance(0.5) ? [others, side] : [side, others];
    return [
      { kind: 'cut', from, to, oneWay },
      { kind: 'propose', node: leader, count: 1 + random.below(3) },
      ...this.election(others, leader),
    ];
  }

  /** A voter does not hear the leader any more, all others do, and its time runs out: their lease must hold against it. */
  private deaf(leader: number, voters: readonly number[]): ScriptItem[] {
    const { random } = this;
    const { nodes, options } = this.cluster.setup;
    const deaf = random.pick(voters.filter((node) => node !== leader));
    const hearing = nodes.filter((node) => node !== deaf);
    const others = nodes.filter((node) => node !== leader);
    const forget: ScriptItem[] = random.chance(0.5) ? others.map((node) => ({ kind: 'forget', node })) : [];
    const script: ScriptItem[] = [{ kind: 'cut', from: [leader], to: [deaf], oneWay: true }];
    for (let i = 0; i < 2 * options.electionTick; i++) {
      script.push({ kind: 'tick', node: leader, times: LEADER_TICKS }, exchange(hearing, 60), ...forget);
      for (const node of others) script.push({ kind: 'tick', node, times: 1 });
      script.push(exchange(others, 60), { kind: 'read', node: leader, again: false });
    }
    return script;
  }

  /** Leadership is transferred, and the old leader hears nothing of it. */
  private handOver(leader: number, voters: readonly number[]): ScriptItem[] {
    const others = this.cluster.setup.nodes.filter((node) => node !== leader);
    const to = this.random.pick(voters.filter((node) => node !== leader));
    return [
      exchange(this.cluster.setup.nodes, 60),
      { kind: 'transfer', node: leader, to },
      { kind: 'work', node: leader },
      { kind: 'deliver', from: leader, to, place: 0 },
      { kind: 'cut', from: others, to: [leader], oneWay: true },
      exchange(others, 60),
      { kind: 'read', node: leader, again: false },
      { kind: 'work', node: leader },
    ];
  }

  /**
   * The leader makes itself and an ally the new half of a joint configuration. The others, a majority of the old half, hold the
   * change but do not know that it is committed when they are cut off: they elect one of them by the old configuration.
   */
  private halves(leader: number, ally: number, voters: readonly number[]): ScriptItem[] {
    const others = voters.filter((node) => node !== leader && node !== ally);
    const changes = [...others.map((node) => `r${node}`), `v${ally}`].join(' ');
    const script: ScriptItem[] = [
      exchange(this.cluster.setup.nodes, 60),
      { kind: 'change', node: leader, how: 'explicit', changes },
      { kind: 'work', node: leader },
    ];
    for (const other of others) {
      script.push({ kind: 'deliver', from: leader, to: other, place: 0 }, { kind: 'work', node: other });
      script.push({ kind: 'deliver', from: other, to: leader, place: 0 });
    }
    script.push({ kind: 'cut', from: others, to: [leader, ally], oneWay: false }, exchange([leader, ally], 60));
    script.push(...this.election(others, leader), { kind: 'read', node: leader, again: false });
    script.push(exchange([leader, ally], 20));
    return script;
  }

  /** Mostly whoever has the most campaigns, and the others may vote; in lease-based clusters their time has to run out. */
  election(nodes: readonly number[], leader: number | undefined): ScriptItem[] {
    const script: ScriptItem[] = [];
    const candidates = nodes.filter((node) => this.cluster.node(node)?.raft?.isPromotable());
    if (candidates.length === 0) return script;
    if (this.isLeaseBased) {
      for (let i = 0; i < 2 * this.cluster.setup.options.electionTick; i++) {
        if (leader !== undefined) script.push({ kind: 'tick', node: leader, times: LEADER_TICKS });
        for (const node of nodes) script.push({ kind: 'tick', node, times: 1 });
        script.push(exchange(nodes, 60));
        if (leader !== undefined) script.push({ kind: 'read', node: leader, again: false });
      }
    } else {
      for (const node of nodes) script.push({ kind: 'forget', node });
      script.push({
        kind: 'campaign',
        node: this.random.chance(0.7) ? this.longest(candidates) : this.random.pick(candidates),
      });
    }
    script.push(exchange(nodes, 60));
    return script;
  }

  private longest(nodes: readonly number[]): number {
    const last = (node: number) => this.cluster.node(node)?.raft?.log.lastEntryId() ?? { term: 0, index: 0 };
    return nodes.reduce((best, node) => (isUpToDate(last(best), last(node)) ? best : node));
  }
}
