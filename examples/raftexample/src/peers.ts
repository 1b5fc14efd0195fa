import type { Message, RaftNode, Snapshot } from '@quorate/raft';
import {
  etcdVersion,
  type ListeningPeerTransport,
  listenPeers,
  makePeerTransport,
  NodePeerDialer,
  type OutgoingSnapshot,
  type PeerListener,
  type RaftPeerSource,
} from 'quorate';
import type { World } from './durable-log.ts';
import type { Members } from './members.ts';

/** A node of another cluster, met by mistake, is refused by it. */
export const clusterId = 0x1000n;
const dialTimeoutMs = 1000;

export interface PeersDeps extends World {
  readonly node: RaftNode;
  readonly members: Members;
  /** Of the state as it is now. */
  readonly snapshot: () => Snapshot;
  /** The cluster goes on without this node. */
  readonly onRemoved: () => void;
}

/**
 * The way to the other nodes. The transport is the one that members of etcd use among each other: Raft's messages over HTTP streams that
 * are opened again when they break. All it wants is somebody who answers a few questions, and takes what arrives.
 */
export class Peers implements RaftPeerSource {
  readonly memberId: bigint;
  readonly clusterId = clusterId;
  private readonly deps: PeersDeps;
  private readonly listener: PeerListener;
  private readonly dialer = new NodePeerDialer({ dialTimeoutMs });
  private readonly transport: ListeningPeerTransport;
  private readonly dialed = new Map<bigint, string>();

  private constructor(deps: PeersDeps, id: bigint, listener: PeerListener) {
    this.memberId = id;
    this.deps = deps;
    this.listener = listener;
    const options = { serverVersion: etcdVersion, peerUrls: listener.urls };
    this.transport = makePeerTransport({ ...deps, dialer: this.dialer }, options, this);
  }

  /** @param cluster URL of each node, by id from 1 on: where the others are looked for until the log tells */
  static async open(deps: PeersDeps, id: bigint, cluster: readonly string[]): Promise<Peers> {
    const listener = await listenPeers([cluster[Number(id) - 1] as string], deps);
    const peers = new Peers(deps, id, listener);
    cluster.forEach((url, i) => {
      peers.dial(BigInt(i + 1), url);
    });
    listener.serve(peers.transport.handler);
    return peers;
  }

  async close(): Promise<void> {
    await this.transport.stop();
    this.dialer.close();
    await this.listener.close();
  }

  send(messages: readonly Message[]): void {
    this.transport.send(messages);
  }

  /** The members have changed. */
  update(): void {
    const { members, clock, onRemoved } = this.deps;
    for (const [id, url] of members.urls) this.dial(id, url);
    for (const id of members.removed) this.transport.removePeer(id);
    // Later: there may be more to apply.
    if (members.removed.has(this.memberId)) clock.defer(onRemoved);
  }

  private dial(id: bigint, url: string): void {
    if (this.dialed.get(id) === url) return;
    this.dialed.set(id, url);
    this.transport.setPeer(id, [url]);
  }

  /** One that was removed is told so when it calls. It may not know: nobody sends it anything any more, not even its own removal. */
  isRemoved(id: bigint): boolean {
    return this.deps.members.removed.has(id);
  }

  removedByPeer(): void {
    this.deps.onRemoved();
  }

  receive(message: Message): void {
    // One that is late, or from a stranger, is refused: no harm done.
    this.deps.node.step(message);
  }

  reportUnreachable(id: bigint): void {
    this.deps.node.reportUnreachable(id);
  }

  reportSnapshot(id: bigint, status: 'finished' | 'failed'): void {
    this.deps.node.reportSnapshot(id, status);
  }

  /**
   * A snapshot that Raft wants to send goes out as the state is now. The one that Raft found in the log may be from before its receiver was
   * added, and a node does not take a configuration without itself. All of the small store is in the message; a member of etcd sends its
   * database behind it.
   */
  async openSnapshot(message: Message): Promise<OutgoingSnapshot> {
    const snapshot = this.deps.snapshot();
    return { message: { ...message, snapshot }, sizeBytes: 0, async *chunks() {}, close() {} };
  }

  async receiveSnapshot(message: Message): Promise<void> {
    const refused = this.deps.node.step(message);
    if (refused !== undefined) throw refused;
  }
}
