import { unreachable } from '../../assert.ts';
import {
  type ConfChangeSingle,
  ConfChangeTransition,
  createConfChange,
  createConfChangeV2,
  parseConfChanges,
} from '../../conf-change.ts';
import { ReadOnlyOption } from '../../core/config.ts';
import { emptyBytes } from '../../entry.ts';
import { type Message, MessageType } from '../../message.ts';
import { createConfState } from '../../state.ts';
import type { ChangeForm, ClusterEvent, LinkEvent } from './cluster-event.ts';
import type { ClusterSetup } from './cluster-setup.ts';
import { Invariants } from './invariants.ts';
import { LeaseClock } from './lease-clock.ts';
import { Network } from './network.ts';
import { numberBytes, SimulatedNode } from './simulated-node.ts';

/** Where the log starts: the first snapshot. */
const FIRST = { index: 5, term: 1 };

/** How much happened, to see that a run is worth something. */
export interface Activity {
  /** Events, and ticks of the recovery. */
  readonly steps: number;
  readonly committed: number;
  readonly elections: number;
  readonly changes: number;
  readonly snapshots: number;
  readonly reads: number;
  readonly crashes: number;
}

const transitions = {
  auto: ConfChangeTransition.Auto,
  implicit: ConfChangeTransition.JointImplicit,
  explicit: ConfChangeTransition.JointExplicit,
} as const;

/**
 * A cluster on a network that does only what events say, of nodes that live and die as events say. All invariants are
 * checked after every step; a broken one throws.
 */
export class SimulatedCluster {
  readonly setup: ClusterSetup;
  readonly nodes: readonly SimulatedNode[];
  readonly network: Network;
  readonly invariants = new Invariants(FIRST);
  /** In lease-based clusters, what makes leases hold. */
  private readonly lease: LeaseClock | undefined;
  private readonly byNumber: (SimulatedNode | undefined)[] = [];
  private lastNumber = 0;
  private steps = 0;

  constructor(setup: ClusterSetup) {
    this.setup = setup;
    this.network = new Network(Math.max(...setup.nodes));
    const confState = createConfState({ voters: setup.voters.map(BigInt), learners: setup.learners.map(BigInt) });
    this.nodes = setup.nodes.map((number) => {
      const node = new SimulatedNode(BigInt(number), setup, this.invariants, (message) => this.send(node, message));
      this.byNumber[number] = node;
      const isMember = setup.voters.includes(number) || setup.learners.includes(number);
      if (isMember) node.disk.install({ data: emptyBytes, metadata: { ...FIRST, confState } });
      return node;
    });
    const isLeaseBased = setup.options.readOnlyOption === ReadOnlyOption.LeaseBased;
    this.lease = isLeaseBased ? new LeaseClock(this.nodes, setup.options.electionTick) : undefined;
    for (const node of this.nodes) node.start();
  }

  node(number: number): SimulatedNode | undefined {
    return this.byNumber[number];
  }

  /** For a payload or read context that was not there before. */
  private nextNumber(): number {
    return ++this.lastNumber;
  }

  // The network.

  private send(from: SimulatedNode, message: Message): void {
    this.invariants.leaving(from, message);
    const isTaken = this.network.put(Number(message.from), Number(message.to), { message, sentAt: from.ticks });
    if (!isTaken) this.lose(message);
  }

  /** A transport knows that a snapshot did not arrive. */
  private lose(message: Message): void {
    if (message.type !== MessageType.MsgSnap) return;
    this.node(Number(message.from))?.act((raw) => raw.reportSnapshot(message.to, 'failed'));
  }

  deliver(message: Message): void {
    const to = this.node(Number(message.to));
    if (to?.raw === undefined || this.network.isCut(Number(message.from), Number(message.to))) {
      this.lose(message);
      return;
    }
    to.receive(message);
    if (message.type !== MessageType.MsgSnap) return;
    this.node(Number(message.from))?.act((raw) => raw.reportSnapshot(message.to, 'finished'));
  }

  private moveMessage({ kind, from, to, place }: LinkEvent): void {
    const parcel = this.network.take(from, to, place);
    if (parcel === undefined) return;
    const { message, sentAt } = parcel;
    if (kind === 'lose' || this.lease?.isTooLate(this.node(from), sentAt)) {
      this.lose(message);
      return;
    }
    if (kind === 'repeat') this.network.put(from, to, parcel);
    this.deliver(message);
  }

  get activity(): Activity {
    const { log, elections } = this.invariants;
    const sum = (count: (node: SimulatedNode) => number) => this.nodes.reduce((total, node) => total + count(node), 0);
    return {
      steps: this.steps,
      committed: log.committed - FIRST.index,
      elections: elections.count,
      changes: log.committedChanges.length,
      snapshots: sum(({ snapshotsInstalled }) => snapshotsInstalled),
      reads: sum(({ readsAnswered }) => readsAnswered),
      crashes: sum(({ crashes }) => crashes),
    };
  }

  // What happens.

  apply(event: ClusterEvent): void {
    this.steps++;
    switch (event.kind) {
      case 'deliver':
      case 'repeat':
      case 'lose':
        this.moveMessage(event);
        return;
      case 'cut':
        this.network.cut(event.from, event.to);
        if (!event.oneWay) this.network.cut(event.to, event.from);
        return;
      case 'reconnect':
        this.network.reconnect();
        return;
      default: {
        const node = this.node(event.node);
        if (node !== undefined) this.applyToNode(node, event);
      }
    }
  }

  private applyToNode(
    node: SimulatedNode,
    event: Exclude<ClusterEvent, LinkEvent | { readonly kind: 'cut' | 'reconnect' }>,
  ): void {
    switch (event.kind) {
      case 'work':
        node.work();
        return;
      case 'stage':
        node.stage();
        return;
      case 'append':
        node.append();
        return;
      case 'apply':
        node.applyNext();
        return;
      case 'tick':
        for (let i = 0; i < event.times; i++) this.tick(node);
        return;
      case 'start':
        if (this.lease === undefined || this.lease.mayStart(node)) node.start();
        return;
      case 'crash':
        this.crash(node, event.losesUnsynced, event.torn);
        return;
      case 'propose':
        this.propose(node, event.count);
        return;
      case 'change':
        node.act((raw) => raw.proposeConfChange(makeChange(event.how, parseConfChanges(event.changes))));
        return;
      case 'read':
        this.read(node, event.again);
        return;
      case 'campaign':
        if (this.lease === undefined) node.act((raw) => raw.campaign());
        return;
      case 'forget':
        node.act((raw) => raw.forgetLeader());
        return;
      case 'transfer':
        node.act((raw) => raw.transferLeader(BigInt(event.to)));
        return;
      case 'compact':
        node.compact(event.keep);
        return;
      case 'unreachable':
        node.act((raw) => raw.reportUnreachable(BigInt(event.to)));
        return;
      case 'snapshot-report':
        node.act((raw) => raw.reportSnapshot(BigInt(event.to), event.failed ? 'failed' : 'finished'));
        return;
      default:
        unreachable(event);
    }
  }

  tick(node: SimulatedNode): void {
    this.steps++;
    if (node.raw === undefined) return;
    if (this.lease !== undefined) {
      if (!this.lease.mayTick(node)) return;
      this.lease.note(node);
      // What it has to say leaves it before its clock goes on.
      while (node.hasWork()) node.work();
    }
    node.ticks++;
    node.act((raw) => raw.tick());
  }

  private crash(node: SimulatedNode, losesUnsynced: boolean, torn: number): void {
    node.crash(losesUnsynced, torn);
    if (this.lease === undefined) return;
    this.lease.note(node);
    this.network.forgetFrom(Number(node.id));
  }

  /** @returns whether the proposal was taken. */
  propose(node: SimulatedNode, count: number): boolean {
    const payloads = Array.from({ length: count }, () => numberBytes(this.nextNumber()));
    return node.raw !== undefined && node.act((raw) => raw.proposeBatch(payloads)) === undefined;
  }

  /** Contexts are used again now and then, as by who asks once more. */
  private read(node: SimulatedNode, again: boolean): void {
    const number = again ? this.lastNumber : this.nextNumber();
    if (!node.reads.has(number)) node.reads.set(number, this.invariants.log.committed);
    node.act((raw) => raw.readIndex(numberBytes(number)));
  }
}

function makeChange(how: ChangeForm, changes: readonly ConfChangeSingle[]) {
  const [first] = changes;
  if (how === 'v1' && first !== undefined) return createConfChange(first);
  return createConfChangeV2(how === 'v1' ? {} : { transition: transitions[how], changes });
}
