import { assert } from '../../assert.ts';
import {
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  createConfChange,
  createConfChangeV2,
} from '../../conf-change.ts';
import { emptyBytes } from '../../entry.ts';
import { type Message, MessageType } from '../../message.ts';
import { createConfState, StateType } from '../../state.ts';
import { configurationIds, isJoint } from '../../tracker/configuration.ts';
import { Invariants } from './invariants.ts';
import { SeededRandom } from './seeded-random.ts';
import { type CrashPoint, type NodeOptions, SimulatedNode } from './simulated-node.ts';

/** Nodes there can be; the cluster starts with some of them. */
const NODES = 5;
/** Where the log starts: the first snapshot. */
const FIRST = { index: 5, term: 1 };
/** Messages on the way; the network drops what is more. */
const MESSAGES_MAX = 500;

function payload(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

/** A cluster with a hostile network and mortal nodes; all that happens follows from the seed. */
export class SimulatedCluster {
  private readonly random: SeededRandom;
  private readonly invariants = new Invariants(FIRST.index, FIRST.term);
  private readonly nodes: SimulatedNode[] = [];
  private messages: Message[] = [];
  /** Nodes that messages neither reach nor leave. */
  private readonly isolated = new Set<bigint>();
  private readonly lossRate: number;
  private readonly duplicateRate: number;
  private readonly crashRate: number;
  /**
   * Anybody proposes any change of the configuration. Then a cluster may end up where nobody can win an election, since a
   * configuration is in force when it is applied, not when it is appended: a leader that removed itself may die with the
   * longest log, the others not knowing yet that they need it no more. So only safety is checked.
   */
  private readonly reckless: boolean;
  private proposed = 0;
  private hostile = true;

  constructor(seed: number) {
    const random = new SeededRandom(seed);
    this.random = random;
    this.lossRate = random.pick([0, 0.02, 0.2]);
    this.duplicateRate = random.pick([0, 0.02, 0.2]);
    this.crashRate = random.pick([0, 0.01, 0.03]);
    this.reckless = random.chance(0.2);
    const options = this.drawOptions();
    const count = 1 + random.below(NODES);
    const ids = Array.from({ length: count }, (_, i) => BigInt(i + 1));
    const learners = count > 1 && random.chance(0.2) ? ids.slice(-1) : [];
    const confState = createConfState({ voters: ids.slice(0, count - learners.length), learners });
    for (let i = 0; i < NODES; i++) {
      const node = new SimulatedNode(BigInt(i + 1), options, this.invariants, (message) => this.send(message));
      if (i < count) node.install({ data: emptyBytes, metadata: { ...FIRST, confState } });
      node.start();
      this.nodes.push(node);
    }
  }

  private drawOptions(): NodeOptions {
    const { random } = this;
    return {
      electionTick: 5,
      heartbeatTick: 1,
      random,
      asyncStorageWrites: random.chance(0.4),
      preVote: random.chance(0.5),
      checkQuorum: random.chance(0.5),
      stepDownOnRemoval: random.chance(0.5),
      maxInflightMsgs: random.pick([1, 2, 8]),
      maxSizePerMsg: random.pick([0, 32, Number.POSITIVE_INFINITY]),
      maxCommittedSizePerReady: random.pick([1, 64, Number.POSITIVE_INFINITY]),
      maxUncommittedEntriesSize: random.pick([64, Number.POSITIVE_INFINITY]),
    };
  }

  /** Of the run so far, to see that something happened in it. */
  get stats(): { committed: number; proposed: number } {
    return { committed: this.invariants.committed, proposed: this.proposed };
  }

  // The network.

  private send(message: Message): void {
    if (this.messages.length < MESSAGES_MAX) this.messages.push(message);
    else this.lose(message);
  }

  /** The transport knows that a snapshot did not arrive; of other messages it says so now and then. */
  private lose(message: Message): void {
    const sender = this.nodes[Number(message.from) - 1];
    if (message.type === MessageType.MsgSnap) sender?.act((raw) => raw.reportSnapshot(message.to, 'failed'));
    else if (this.random.chance(0.1)) sender?.act((raw) => raw.reportUnreachable(message.to));
  }

  private deliverAt(position: number): void {
    const message = this.messages[position];
    if (message === undefined) return;
    const last = this.messages.pop() as Message;
    if (position < this.messages.length) this.messages[position] = last;
    this.deliver(message);
  }

  private deliver(message: Message): void {
    const { random } = this;
    const cutOff = this.isolated.has(message.from) || this.isolated.has(message.to);
    if (cutOff || (this.hostile && random.chance(this.lossRate))) {
      this.lose(message);
      return;
    }
    if (this.hostile && random.chance(this.duplicateRate)) this.send(message);
    const to = this.nodes[Number(message.to) - 1];
    if (to?.raw === undefined) this.lose(message);
    else to.act((raw) => raw.step(message));
    if (message.type === MessageType.MsgSnap) {
      // A transport always reports; now and then it takes for lost what arrived.
      const status = this.hostile && random.chance(0.2) ? 'failed' : 'finished';
      this.nodes[Number(message.from) - 1]?.act((raw) => raw.reportSnapshot(message.to, status));
    }
  }

  // What can happen.

  /** One random event. */
  step(): void {
    const { random } = this;
    const node = random.pick(this.nodes);
    const dice = random.below(1000);
    if (dice < 400) this.deliverAt(random.below(this.messages.length));
    else if (dice < 770) this.work(node);
    else if (dice < 850) node.act((raw) => raw.tick());
    else if (dice < 920) this.propose(node);
    else if (dice < 935) this.proposeConfChange(node);
    else if (dice < 955) this.read(node);
    else if (dice < 960) node.act((raw) => raw.transferLeader(random.pick(this.nodes).id));
    else if (dice < 962) node.act((raw) => raw.forgetLeader());
    else if (dice < 965) node.act((raw) => raw.campaign());
    else if (dice < 980) node.compact(random.below(5));
    else if (dice < 990) this.toggleIsolation(node);
    else if (node.raw === undefined) node.start();
    else if (random.chance(this.crashRate * 20)) node.crash();
  }

  private work(node: SimulatedNode): void {
    const crashAt = this.random.chance(this.crashRate)
      ? this.random.pick<CrashPoint>(['before-store', 'after-store', 'after-send'])
      : undefined;
    switch (this.random.below(4)) {
      case 0:
        node.appendOnce();
        return;
      case 1:
        node.applyOnce();
        return;
      default:
        node.handleReady(crashAt);
    }
  }

  private propose(node: SimulatedNode): void {
    const payloads: Uint8Array[] = [];
    for (let i = this.random.below(4); i >= 0; i--) payloads.push(payload(++this.proposed));
    node.act((raw) => raw.proposeBatch(payloads));
  }

  private proposeConfChange(node: SimulatedNode): void {
    const { random } = this;
    const config = node.raft?.tracker.config;
    if (config === undefined || (!this.reckless && node.raft?.role.state !== StateType.Leader)) return;
    if (isJoint(config) && random.chance(0.8)) {
      node.act((raw) => raw.proposeConfChange(createConfChangeV2({})));
      return;
    }
    const changes: ConfChangeSingle[] = [];
    for (let i = 1 + random.below(3); i > 0; i--) {
      const type = random.pick([ConfChangeType.AddNode, ConfChangeType.RemoveNode, ConfChangeType.AddLearnerNode]);
      const nodeId = random.pick(this.nodes).id;
      if (this.reckless || nodeId !== node.id) changes.push({ type, nodeId });
    }
    if (changes.length === 0) return;
    const [single] = changes as [ConfChangeSingle];
    const transition = random.pick(Object.values(ConfChangeTransition));
    const change = random.chance(0.4) ? createConfChange(single) : createConfChangeV2({ transition, changes });
    node.act((raw) => raw.proposeConfChange(change));
  }

  private read(node: SimulatedNode): void {
    // Contexts are used again now and then, as by who asks once more.
    const context = payload(this.random.chance(0.3) ? this.proposed : ++this.proposed);
    const key = context.join();
    if (!node.reads.has(key)) node.reads.set(key, this.invariants.committed);
    node.act((raw) => raw.readIndex(context));
  }

  private toggleIsolation(node: SimulatedNode): void {
    if (this.isolated.has(node.id)) this.isolated.delete(node.id);
    else if (this.random.chance(0.3)) this.isolated.add(node.id);
  }

  // Getting well again.

  /** Ends all trouble and waits until a new entry is applied by all members; throws if that does not come about. */
  heal(): void {
    const roundsMax = this.reckless ? 100 : 2000;
    this.hostile = false;
    this.isolated.clear();
    for (const node of this.nodes) if (node.raw === undefined) node.start();
    const target: { index?: number } = {};
    for (let round = 0; round < roundsMax; round++) {
      this.retireRemoved();
      // Without pre-votes and leases a learner whose term is higher than the leader's hears of it no more: a known gap,
      // which a new term ends.
      if (round === 500) this.restartAll();
      for (const node of this.nodes) {
        node.act((raw) => raw.tick());
        // A node that was added after a snapshot is not in it, and refuses it: only a newer one helps.
        if (round % 50 === 49) node.compact(0);
      }
      this.settle();
      const leader = this.leader();
      if (leader === undefined) continue;
      const members = configurationIds(leader.raft?.tracker.config as never);
      if (target.index !== undefined && members.every((id) => this.nodeOf(id).applied >= (target.index as number)))
        return;
      if (round % 20 === 0) {
        const failed = leader.act((raw) => raw.proposeBatch([payload(++this.proposed)]));
        if (failed === undefined && target.index === undefined) target.index = this.invariants.committed + 1;
      }
    }
    assert(this.reckless, `no progress after healing: ${this.describe()}`);
  }

  private nodeOf(id: bigint): SimulatedNode {
    return this.nodes[Number(id) - 1] as SimulatedNode;
  }

  /** What happens between two ticks; not without end, as a node may refuse a snapshot again and again. */
  private settle(): void {
    let more = true;
    for (let exchange = 0; more && exchange < 20; exchange++) {
      const { messages } = this;
      this.messages = [];
      for (const message of messages) this.deliver(message);
      for (const node of this.nodes) {
        while (node.act((raw) => raw.hasReady()) === true) node.handleReady();
        while (node.appendWork.length > 0) node.appendOnce();
        while (node.applyWork.length > 0) node.applyOnce();
      }
      more = this.messages.length > 0 || this.nodes.some((node) => node.act((raw) => raw.hasReady()) === true);
    }
  }

  /**
   * Nodes that are no members any more are switched off, as operators do: they would call elections. But not before all
   * members know, since their votes may be needed until then.
   */
  private retireRemoved(): void {
    let newest = this.nodes[0] as SimulatedNode;
    for (const node of this.nodes) if (node.applied > newest.applied) newest = node;
    const members = newest.memberIds();
    const needed = new Set(members);
    for (const member of members) for (const id of this.nodeOf(member).memberIds()) needed.add(id);
    for (const node of this.nodes) {
      if (!needed.has(node.id)) node.crash();
      else if (node.raw === undefined) node.start();
    }
  }

  private restartAll(): void {
    for (const node of this.nodes) {
      if (node.raw === undefined) continue;
      node.crash();
      node.start();
    }
  }

  private leader(): SimulatedNode | undefined {
    let best: SimulatedNode | undefined;
    for (const node of this.nodes) {
      if (node.raft?.role.state !== StateType.Leader) continue;
      if (best === undefined || node.raft.term > (best.raft?.term ?? 0)) best = node;
    }
    return best;
  }

  private describe(): string {
    const lines = this.nodes.map((node) => {
      const { raft } = node;
      if (raft === undefined) return `${node.id} is down`;
      const progress = raft.tracker.ordered.map((one) => `${one.id}: ${one}`).join(', ');
      return `${node.id} ${raft.role.state} term ${raft.term} applied ${node.applied} [${raft.log}] ${progress}`;
    });
    return `\n${lines.join('\n')}`;
  }
}
