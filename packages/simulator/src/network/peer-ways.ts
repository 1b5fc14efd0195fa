import { CodedError, hasCode } from '@quorate/base';
import { type Message, MessageType } from '@quorate/raft';
import {
  decodeMessage,
  encodeMessage,
  etcdVersion,
  isMisdirected,
  type Member,
  type PeerClient,
  type PeerLeaseAnswer,
  type PeerNetwork,
  type PeerSource,
} from 'quorate/parts';
import type { Machine } from '../cluster/machine.ts';
import type { Network } from './network.ts';
import { sendSnapshot } from './snapshot-way.ts';

/** Finds the machine of a URL. */
export type MachineAt = (url: string) => Machine | undefined;

/** The ways of the member that a machine runs now. */
export type WaysOf = Map<Machine, PeerWays>;

/** How long a machine takes to find out that the other is not there. */
const lostAfterMs = 50;

/** The way of the member of one life of a machine to the others: what it sends travels as bytes. */
export class PeerWays implements PeerNetwork {
  private readonly network: Network;
  private readonly machine: Machine;
  private readonly source: PeerSource;
  private readonly machineAt: MachineAt;
  private readonly onSend: (message: Message) => boolean;
  private readonly waysOf: WaysOf;
  private readonly life: number;
  private readonly urls = new Map<bigint, readonly string[]>();
  private stopped = false;

  constructor(
    network: Network,
    machine: Machine,
    source: PeerSource,
    machineAt: MachineAt,
    waysOf: WaysOf,
    onSend: (message: Message) => boolean,
  ) {
    this.network = network;
    this.machine = machine;
    this.source = source;
    this.machineAt = machineAt;
    this.onSend = onSend;
    this.waysOf = waysOf;
    waysOf.set(machine, this);
    this.life = machine.currentLife;
  }

  /** Whether the machine still lives the life that this is part of. */
  get isAlive(): boolean {
    return !this.stopped && this.machine.lives(this.life);
  }

  setPeer(id: bigint, urls: readonly string[]): void {
    if (id !== this.source.memberId) this.urls.set(id, urls);
  }

  addRemote(id: bigint, urls: readonly string[]): void {
    if (!this.urls.has(id)) this.setPeer(id, urls);
  }

  removePeer(id: bigint): void {
    this.urls.delete(id);
  }

  activeSince(id: bigint): number | undefined {
    const peer = this.machineOf(id);
    if (peer === undefined || !peer.isAlive) return undefined;
    const openMs = this.network.openSince(this.machine.name, peer.name);
    if (openMs === undefined) return undefined;
    const sinceMs = Math.max(openMs, peer.upSinceMs, this.machine.upSinceMs);
    // As this machine's clock shows it.
    return 1_000 + sinceMs * this.machine.skew.rate;
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }

  private machineOf(id: bigint): Machine | undefined {
    const url = this.urls.get(id)?.[0];
    return url === undefined ? undefined : this.machineAt(url);
  }

  send(messages: readonly Message[]): void {
    if (!this.isAlive) return;
    for (const message of messages) {
      if (!this.onSend(message)) continue;
      const peer = this.machineOf(message.to);
      if (peer === undefined) continue;
      if (message.type === MessageType.MsgSnap) this.sendSnapshot(message, peer);
      else this.sendMessage(message, peer);
    }
  }

  private sendMessage(message: Message, peer: Machine): void {
    const { network, machine, source } = this;
    const bytes = encodeMessage(message);
    const what = describe(message);
    // A proposal that came twice would be done twice: connections do not double, and raft does not look.
    const mayDouble = message.type !== MessageType.MsgProp;
    const isSent = network.packet(machine.name, peer.name, mayDouble, () => {
      if (!peer.isAlive) {
        this.unreachable(message.to);
        return;
      }
      peer.at(network.scheduler.nowMs, () => {
        network.trace.note(peer.name, `from ${machine.name}: ${what}`);
        this.arrive(peer, decodeMessage(bytes), source.memberId);
      });
    });
    if (!isSent) this.unreachable(message.to);
  }

  /** On the machine of the receiver, as its peer port does it. */
  private arrive(peer: Machine, message: Message, from: bigint): void {
    const door = peer.member?.door;
    if (door === undefined || isMisdirected(message, door.memberId)) return;
    if (!door.isRemoved(from)) {
      // By the URLs in the headers of whoever calls: a member with an empty log knows nobody else.
      this.waysOf.get(peer)?.addRemote(from, [this.machine.url]);
      door.receive(message);
      return;
    }
    this.network.segment(peer.name, this.machine.name, () => this.here(() => this.source.removedByPeer()));
  }

  private unreachable(id: bigint): void {
    const { scheduler } = this.network;
    this.machine.at(scheduler.nowMs + lostAfterMs, () => this.here(() => this.source.reportUnreachable(id)));
  }

  private here(action: () => void): void {
    if (this.isAlive) action();
  }

  private sendSnapshot(message: Message, peer: Machine): void {
    const { network, machine, source } = this;
    network.trace.note(machine.name, `sends a snapshot to ${peer.name}`);
    sendSnapshot({ network, from: machine, to: peer, source, message })
      .then(() => 'finished' as const)
      .catch((error: unknown) => {
        network.trace.note(machine.name, `snapshot to ${peer.name}: ${String(error)}`);
        return 'failed' as const;
      })
      .then((status) => this.here(() => source.reportSnapshot(message.to, status)));
  }
}

function describe({ type, term, index, commit, entries, reject }: Message): string {
  return `type ${type} term ${term} index ${index} commit ${commit} entries ${entries.length}${reject ? ' reject' : ''}`;
}

/** What a member asks others besides, as its peer client does it over HTTP. */
export function peerClientOf(network: Network, machine: Machine, machineAt: MachineAt): PeerClient {
  const ask = <Answer>(url: string, timeoutMs: number, question: (member: Member) => Promise<Answer> | Answer) =>
    askPeer(network, machine, machineAt(url), timeoutMs, question);
  return {
    members: (url, timeoutMs) =>
      ask(url, timeoutMs, ({ door, clusterId }) => ({ clusterId, members: [...door.members()] })),
    version: (url, timeoutMs) =>
      ask(url, timeoutMs, ({ door }) => ({ server: etcdVersion, cluster: door.clusterVersion() })),
    isDowngradeEnabled: (url, timeoutMs) => ask(url, timeoutMs, ({ door }) => door.isDowngradeEnabled()),
    promote: (url, id, authorization, timeoutMs) => ask(url, timeoutMs, ({ door }) => door.promote(id, authorization)),
    hashKeys: (url, revision, clusterId, timeoutMs) =>
      ask(url, timeoutMs, (member) => {
        if (member.clusterId !== clusterId) throw new CodedError('peer/refused', 'cluster ID mismatch');
        return member.door.hashKeys(revision);
      }),
    renewLease: (url, id, timeoutMs) => ask(url, timeoutMs, ({ door }) => leaseAnswer(door.renewLease(id))),
    leaseTimeToLive: (url, id, wantsKeys, timeoutMs) =>
      ask(url, timeoutMs, ({ door }) => leaseAnswer(door.leaseTimeToLive(id, wantsKeys))),
  };
}

async function leaseAnswer<Found>(asked: Promise<Found>): Promise<PeerLeaseAnswer<Found>> {
  try {
    return { kind: 'found', lease: await asked };
  } catch (error) {
    if (hasCode(error, 'peer/not-found')) return { kind: 'not-found' };
    return { kind: 'retry', reason: String(error) };
  }
}

function askPeer<Answer>(
  network: Network,
  machine: Machine,
  peer: Machine | undefined,
  timeoutMs: number,
  question: (member: Member) => Promise<Answer> | Answer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { scheduler } = network;
    const { currentLife } = machine;
    // What a life that has ended had asked for does not go on in the next one.
    const back = (settle: () => void) => {
      if (machine.lives(currentLife)) machine.at(scheduler.nowMs, settle);
    };
    const fail = (text: string) => reject(new CodedError('peer/unreachable', text));
    machine.at(scheduler.nowMs + timeoutMs, () => fail('timed out'));
    if (peer === undefined) return back(() => fail('no such host'));
    network.segment(machine.name, peer.name, () => {
      if (!peer.isAlive) return back(() => fail('connection refused'));
      peer.at(scheduler.nowMs, () => {
        const { member, currentLife: life } = peer;
        if (member === undefined) return;
        const answer = (settle: () => void) => {
          if (peer.lives(life)) network.segment(peer.name, machine.name, () => back(settle));
        };
        Promise.resolve()
          .then(() => question(member))
          .then((found) => answer(() => resolve(found)))
          .catch((error: unknown) => answer(() => reject(error)));
      });
    });
  });
}
