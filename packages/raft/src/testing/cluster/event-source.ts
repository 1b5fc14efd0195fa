import { isJoint } from '../../tracker/configuration.ts';
import type { ChangeForm, ClusterEvent, LinkEvent, PlainNodeEvent } from './cluster-event.ts';
import { drawExchange, type ScriptItem, ScriptWriter } from './script.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** How likely each kind of event is, relative to the others. */
const usual = {
  network: 400,
  work: 350,
  tick: 70,
  propose: 45,
  change: 14,
  read: 25,
  transfer: 5,
  forget: 2,
  campaign: 1.5,
  compact: 10,
  crash: 8,
  start: 20,
  cut: 6,
  reconnect: 4,
  report: 6,
};

type Kind = keyof typeof usual;
type Weights = Record<Kind, number>;

const kinds = Object.keys(usual) as Kind[];

/** What each cluster has rarely, often or never. */
const varied: readonly Kind[] = [
  'change',
  'read',
  'transfer',
  'forget',
  'campaign',
  'compact',
  'crash',
  'cut',
  'report',
];

/** What happens in rough weather alone. */
const rough: readonly Kind[] = ['transfer', 'forget', 'campaign', 'crash', 'cut', 'report'];

/** `calm`: all goes well. `rough`: anything may happen. `split`: the network is, for as long as it lasts. */
type Weather = 'calm' | 'rough' | 'split';

const weathers: readonly Weather[] = ['calm', 'calm', 'rough', 'rough', 'split'];

/** Events between two changes of the weather. */
const WEATHER_EVENTS = 150;

/**
 * Draws what happens next. It looks at the cluster, since most of what is drawn blindly would have no effect; what it
 * draws are events as data all the same.
 */
export class EventSource {
  private readonly random: SeededRandom;
  private readonly cluster: SimulatedCluster;
  private readonly roughWeights: Weights;
  private readonly calmWeights: Weights;
  private readonly lossRate: number;
  private readonly repeatRate: number;
  private readonly reorderRate: number;
  private readonly stageRate: number;
  private drawn = 0;
  private weather: Weather = 'calm';
  /** Of the present weather: nodes that hardly get to work, and links on which hardly anything moves. */
  private lazyNodes = new Set<number>();
  private lazyLinks = new Set<string>();
  private readonly writer: ScriptWriter;
  private readonly script: ScriptItem[] = [];

  constructor(random: SeededRandom, cluster: SimulatedCluster) {
    this.random = random;
    this.cluster = cluster;
    this.writer = new ScriptWriter(cluster, random);
    this.roughWeights = { ...usual };
    for (const kind of varied) this.roughWeights[kind] *= random.pick([0, 0.3, 1, 1, 3]);
    this.calmWeights = { ...this.roughWeights };
    for (const kind of rough) this.calmWeights[kind] = 0;
    this.lossRate = random.pick([0, 0.02, 0.2]);
    this.repeatRate = random.pick([0, 0.02, 0.2]);
    this.reorderRate = random.pick([0, 0.05, 0.4]);
    this.stageRate = random.pick([0.1, 0.5, 0.9]);
  }

  next(): ClusterEvent {
    if (this.drawn++ % WEATHER_EVENTS === 0) this.changeWeather();
    const scripted = this.nextOfScript();
    if (scripted !== undefined) return scripted;
    return this.draw(this.random.weighted(kinds, this.weather === 'rough' ? this.roughWeights : this.calmWeights));
  }

  private nextOfScript(): ClusterEvent | undefined {
    for (let item = this.script[0]; item !== undefined; item = this.script[0]) {
      if (item.kind !== 'exchange') {
        this.script.shift();
        return item;
      }
      const event = item.eventsLeft-- > 0 ? drawExchange(item, this.cluster, this.random) : undefined;
      if (event !== undefined) return event;
      this.script.shift();
    }
    return undefined;
  }

  private changeWeather(): void {
    const { random } = this;
    this.weather = random.pick(weathers);
    this.lazyNodes = new Set();
    this.lazyLinks = new Set();
    if (this.weather === 'rough') this.makeLazy();
    if (this.weather !== 'rough' || random.chance(0.3)) {
      this.script.push({ kind: 'reconnect' });
      for (const node of this.numbers) this.script.push({ kind: 'start', node });
    }
    const leader = this.leader();
    if (leader === undefined) this.script.push(...this.writer.election(this.numbers, undefined));
    else if (this.weather === 'split') this.script.push(...this.writer.split(Number(leader.id)));
  }

  private get numbers(): readonly number[] {
    return this.cluster.setup.nodes;
  }

  private makeLazy(): void {
    const { random, numbers } = this;
    if (random.chance(0.4)) this.lazyNodes.add(random.pick(numbers));
    for (let i = random.pick([0, 0, 1, 3]); i > 0; i--) {
      this.lazyLinks.add(`${random.pick(numbers)}->${random.pick(numbers)}`);
    }
  }

  private draw(kind: Kind): ClusterEvent {
    const { random } = this;
    const node = random.pick(this.numbers);
    switch (kind) {
      case 'network':
        return this.drawMove() ?? this.drawTick(node);
      case 'tick':
        return this.drawTick(node);
      case 'work':
        return this.drawWork(node);
      case 'propose':
        return { kind, node: this.preferLeader(node), count: 1 + random.below(4) };
      case 'change':
        return this.drawChange(node);
      case 'read':
        return { kind, node: this.preferLeader(node), again: random.chance(0.2) };
      case 'transfer':
        return { kind, node, to: random.pick(this.numbers) };
      case 'compact':
        return { kind, node, keep: random.below(5) };
      case 'crash':
        return { kind, node, losesUnsynced: random.chance(0.5), torn: random.below(3) };
      case 'start':
        return { kind, node: this.down() ?? node };
      case 'cut':
        return this.drawCut(node);
      case 'reconnect':
        return { kind };
      case 'report':
        return this.drawReport(node);
      default:
        return { kind, node };
    }
  }

  /** Now and then a clock runs away from the others, so that there are elections. */
  private drawTick(node: number): ClusterEvent {
    const { random } = this;
    return { kind: 'tick', node, times: this.weather === 'rough' && random.chance(0.03) ? 1 + random.below(12) : 1 };
  }

  private drawMove(): LinkEvent | undefined {
    const { random, cluster } = this;
    const size = cluster.setup.nodes.length;
    const isLazy = (link: { from: number; to: number }) =>
      this.lazyLinks.has(`${link.from}->${link.to}`) || cluster.network.isCut(link.from, link.to);
    let link = cluster.network.nextBusy(random.below(size * size));
    for (let i = 0; i < 3 && link !== undefined && isLazy(link) && random.chance(0.9); i++) {
      link = cluster.network.nextBusy(random.below(size * size));
    }
    if (link === undefined) return undefined;
    const { from, to } = link;
    if (this.weather === 'calm') return { kind: 'deliver', from, to, place: 0 };
    const place = random.chance(this.reorderRate) ? random.below(cluster.network.waiting(from, to)) : 0;
    if (random.chance(this.lossRate)) return { kind: 'lose', from, to, place };
    return { kind: random.chance(this.repeatRate) ? 'repeat' : 'deliver', from, to, place };
  }

  private drawWork(drawn: number): PlainNodeEvent {
    const { random } = this;
    const { nodes } = this.cluster;
    const first = random.below(nodes.length);
    let node = drawn;
    for (let i = 0; i < nodes.length; i++) {
      const one = nodes[(first + i) % nodes.length] as SimulatedNode;
      node = Number(one.id);
      if (one.hasWork() && !(this.lazyNodes.has(node) && random.chance(0.9))) break;
    }
    if (this.weather === 'split' || !random.chance(this.stageRate)) return { kind: 'work', node };
    if (this.cluster.setup.options.asyncStorageWrites !== true) return { kind: 'stage', node };
    return { kind: random.pick(['stage', 'append', 'append', 'apply', 'apply']), node };
  }

  private leader(): SimulatedNode | undefined {
    const leaders = this.cluster.nodes.filter(({ isLeader }) => isLeader);
    return leaders.length === 0 ? undefined : this.random.pick(leaders);
  }

  private preferLeader(node: number): number {
    const leader = this.random.chance(0.7) ? this.leader() : undefined;
    return leader === undefined ? node : Number(leader.id);
  }

  private down(): number | undefined {
    const dead = this.cluster.nodes.filter(({ raw }) => raw === undefined);
    return dead.length === 0 ? undefined : Number(this.random.pick(dead).id);
  }

  private drawChange(drawn: number): ClusterEvent {
    const { random, cluster } = this;
    const node = this.preferLeader(drawn);
    const config = cluster.node(node)?.raft?.tracker.config;
    const how = random.pick<ChangeForm>(['v1', 'v1', 'auto', 'implicit', 'explicit']);
    if (config !== undefined && isJoint(config) && random.chance(0.8)) {
      return { kind: 'change', node, how: random.chance(0.9) ? 'auto' : how, changes: '' };
    }
    const changes = new Set<string>();
    for (let i = how === 'v1' ? 1 : 1 + random.below(3); i > 0; i--) {
      changes.add(`${random.pick(['v', 'v', 'v', 'r', 'l'])}${random.pick(cluster.setup.nodes)}`);
    }
    return { kind: 'change', node, how, changes: [...changes].join(' ') };
  }

  /** One node, a leader often, or a group, from the rest: in both directions or in one. */
  private drawCut(drawn: number): ClusterEvent {
    const { random } = this;
    const { nodes } = this.cluster.setup;
    const one = random.chance(0.5) ? this.preferLeader(drawn) : drawn;
    const side = random.chance(0.6) ? [one] : nodes.filter(() => random.chance(0.5));
    const others = nodes.filter((node) => !side.includes(node));
    const [from, to] = random.chance(0.5) ? [side, others] : [others, side];
    return { kind: 'cut', from, to, oneWay: random.chance(0.4) };
  }

  private drawReport(node: number): ClusterEvent {
    const { random } = this;
    const to = random.pick(this.numbers);
    if (random.chance(0.5)) return { kind: 'unreachable', node, to };
    return { kind: 'snapshot-report', node, to, failed: random.chance(0.5) };
  }
}
