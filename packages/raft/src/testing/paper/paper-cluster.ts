import { assert } from '../../assert.ts';
import { ConfChangeTransition, createConfChangeV2, parseConfChanges } from '../../conf-change.ts';
import type { RaftConfig } from '../../core/config.ts';
import type { RaftError } from '../../errors.ts';
import type { Message } from '../../message.ts';
import { LocalCluster } from '../local-cluster.ts';
import { Peer } from './peer.ts';

export interface PaperClusterInit {
  /** The servers, each with the terms of its log from index 1 on. */
  readonly logs: Readonly<Record<number, readonly number[]>>;
  /** Where a server's term is not that of its last entry. */
  readonly terms?: Readonly<Record<number, number>>;
  readonly commits?: Readonly<Record<number, number>>;
  /** All servers if not given. */
  readonly voters?: readonly bigint[];
  readonly learners?: readonly bigint[];
  readonly options?: Partial<RaftConfig>;
  /** Options that one server has besides. */
  readonly optionsOf?: (id: bigint) => Partial<RaftConfig>;
}

/** Servers 1 to n without entries. */
export function emptyLogs(count: number): Record<number, number[]> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [i + 1, []]));
}

/** Servers whose logs are drawn as in the paper's figures, on a network that can be cut. */
export class PaperCluster extends LocalCluster {
  declare readonly nodes: Map<bigint, Peer>;
  private readonly crashed = new Map<bigint, Peer>();
  /** Groups that hear only each other; undefined while all hear all. */
  private groups: readonly (readonly bigint[])[] | undefined;

  constructor(init: PaperClusterInit) {
    super(0);
    const ids = Object.keys(init.logs).map(BigInt);
    const learners = init.learners ?? [];
    const voters = init.voters ?? ids.filter((id) => !learners.includes(id));
    for (const id of ids) {
      const number = Number(id);
      const options = { ...init.options, ...init.optionsOf?.(id) };
      const log = init.logs[number] ?? [];
      const term = init.terms?.[number] ?? log.at(-1) ?? 0;
      const commit = init.commits?.[number] ?? 0;
      this.nodes.set(id, new Peer(id, { log, term, commit, voters, learners, options }));
    }
  }

  override node(id: bigint): Peer {
    const node = this.nodes.get(id);
    assert(node !== undefined, 'the server is up');
    return node;
  }

  get all(): Peer[] {
    return [...this.nodes.values()];
  }

  // The network.

  /** From here on only servers of the same group hear each other; those in none are alone. */
  partition(...groups: readonly (readonly bigint[])[]): void {
    this.groups = groups;
  }

  isolate(...ids: readonly bigint[]): void {
    this.partition([...this.nodes.keys(), ...this.crashed.keys()].filter((id) => !ids.includes(id)));
  }

  heal(): void {
    this.groups = undefined;
  }

  override deliver(message: Message): void {
    const { groups } = this;
    const connected =
      groups === undefined || groups.some((group) => group.includes(message.from) && group.includes(message.to));
    if (connected && this.nodes.has(message.to)) super.deliver(message);
  }

  /** Ends filtering and delivers what was held back; `choose` leaves the rest lost. */
  release(choose: (message: Message) => boolean = () => true): void {
    this.filter = () => false;
    for (const message of this.held.splice(0)) if (choose(message)) this.deliver(message);
    this.settle();
  }

  // What happens to servers.

  crash(id: bigint): void {
    this.crashed.set(id, this.node(id));
    this.nodes.delete(id);
  }

  restart(id: bigint): Peer {
    const peer = this.crashed.get(id);
    assert(peer !== undefined, 'the server is down');
    this.crashed.delete(id);
    peer.restart();
    this.nodes.set(id, peer);
    return peer;
  }

  /** Time goes on for all, or for some. */
  tick(ticks = 1, ids?: readonly bigint[]): void {
    for (let i = 0; i < ticks; i++) {
      for (const node of this.all) if (ids === undefined || ids.includes(node.id)) node.raw.tick();
      this.settle();
    }
  }

  override elect(id: bigint): Peer {
    super.elect(id);
    assert(this.node(id).state === 'StateLeader', 'it wins');
    return this.node(id);
  }

  /** Calls an election, which it may well lose. */
  campaign(id: bigint): void {
    super.elect(id);
  }

  propose(id: bigint, text: string): RaftError | undefined {
    const refused = this.node(id).propose(text);
    this.settle();
    return refused;
  }

  /** Proposes a change written as `v4 r1 l5`: voter, removed, learner. */
  change(id: bigint, changes: string, transition: ConfChangeTransition = ConfChangeTransition.Auto): void {
    this.node(id).raw.proposeConfChange(createConfChangeV2({ transition, changes: parseConfChanges(changes) }));
    this.settle();
  }

  /** All who believe that they lead. */
  get leaders(): bigint[] {
    return this.all.filter(({ state }) => state === 'StateLeader').map(({ id }) => id);
  }
}
