import type { Clock, Logger, Metrics } from '@quorate/base';
import { checkPeerUrls } from '@quorate/machine';
import { type Message, MessageType, messageTypeName } from '@quorate/raft';
import type { PeerDialer, PeerHandler, PeerSink, PeerSinkEvents } from '../peer-edge.ts';
import { defaultPeerLimits, type PeerLimits } from '../peer-limits.ts';
import { isMisdirected, type MemberPeerSource, type PeerTransport, type RaftPeerSource } from '../peer-source.ts';
import { makePeerRoutes } from '../routes/peer-routes.ts';
import { Peer, Remote } from './peer.ts';
import type { PeerContext } from './peer-context.ts';
import { PeerMetrics } from './peer-metrics.ts';
import { QuietWarnings } from './quiet-warnings.ts';
import { Reports } from './reports.ts';
import { isForRaft, type StreamHost } from './stream-host.ts';
import type { StreamKind } from './stream-kind.ts';

export interface PeerTransportDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly dialer: PeerDialer;
}

export interface PeerTransportOptions {
  /** As `3.7.1`: what the other members are told; not below the version of the cluster. */
  readonly serverVersion: string;
  /** Where other members reach this one. */
  readonly peerUrls: readonly string[];
  /** Instead of etcd's; for tests. */
  readonly limits?: Partial<PeerLimits>;
}

/** The transport with the handler that its listeners need. */
export interface ListeningPeerTransport extends PeerTransport {
  readonly handler: PeerHandler;
}

/**
 * The way to the other members by rafthttp (peer protocol, sections 1 to 5): both ends of everything that runs over the peer URLs.
 * @param member answers etcd's further questions; without it their paths are not found
 */
export function makePeerTransport(
  deps: PeerTransportDeps,
  options: PeerTransportOptions,
  source: RaftPeerSource,
  member?: MemberPeerSource,
): ListeningPeerTransport {
  return new RaftHttp(deps, options, source, member);
}

const detached: PeerSinkEvents = { flushed() {}, closed() {} };

class RaftHttp implements ListeningPeerTransport, StreamHost {
  readonly handler: PeerHandler;
  private readonly context: PeerContext;
  private readonly peers = new Map<bigint, Peer>();
  private readonly remotes = new Map<bigint, Remote>();
  private isStopped = false;
  private isTold = false;

  constructor(
    deps: PeerTransportDeps,
    options: PeerTransportOptions,
    source: RaftPeerSource,
    member: MemberPeerSource | undefined,
  ) {
    const { memberId, clusterId } = source;
    this.context = {
      clock: deps.clock,
      logger: deps.logger,
      warnings: new QuietWarnings(deps.clock, deps.logger),
      dialer: deps.dialer,
      metrics: new PeerMetrics(deps.metrics, memberId),
      limits: { ...defaultPeerLimits, ...options.limits },
      source,
      reports: new Reports(deps.clock, source),
      local: { memberId, clusterId, serverVersion: options.serverVersion, peerUrls: options.peerUrls },
      toldRemoved: () => this.toldRemoved(),
    };
    this.context.metrics.known(memberId).set(1);
    this.handler = makePeerRoutes(this.context, this, member);
  }

  send(messages: readonly Message[]): void {
    if (this.isStopped) return;
    const { local, source } = this.context;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i] as Message;
      const { to } = message;
      if (to === 0n || to === local.memberId || isOvertaken(messages, i) || source.isRemoved(to)) continue;
      const target = this.peers.get(to) ?? this.remoteFor(message);
      if (target !== undefined) target.send(message);
      else this.ignored(message, 'ignored message send request; unknown remote peer target');
    }
  }

  setPeer(id: bigint, urls: readonly string[]): void {
    const { local, logger, metrics } = this.context;
    if (this.isStopped || id === local.memberId) return;
    const checked = checkPeerUrls(urls);
    if (checked === undefined) {
      logger.error('a member has peer URLs that cannot be used', { 'remote-peer-id': id, 'remote-peer-urls': urls });
      return;
    }
    const known = this.peers.get(id);
    if (known !== undefined) {
      if (!known.update(checked)) return;
      logger.info('updated remote peer', { 'remote-peer-id': id, 'updated-remote-peer-urls': checked });
      return;
    }
    this.remotes.get(id)?.stop();
    this.remotes.delete(id);
    logger.info('starting remote peer', { 'remote-peer-id': id });
    const peer = new Peer(this.context, id, checked, (message) => this.receive(message));
    this.peers.set(id, peer);
    metrics.known(id).set(1);
    logger.info('added remote peer', {
      'local-member-id': local.memberId,
      'remote-peer-id': id,
      'remote-peer-urls': checked,
    });
    peer.start();
    logger.info('started remote peer', { 'remote-peer-id': id });
  }

  removePeer(id: bigint): void {
    const peer = this.peers.get(id);
    if (peer === undefined) return;
    const { local, logger, metrics } = this.context;
    this.stopPeer(peer);
    this.peers.delete(id);
    metrics.known(id).set(0);
    logger.info('removed remote peer', { 'local-member-id': local.memberId, 'removed-remote-peer-id': id });
  }

  addRemote(id: bigint, urls: readonly string[]): void {
    const { limits, local, logger, warnings } = this.context;
    if (this.isStopped || id === 0n || id === local.memberId || this.peers.has(id) || this.remotes.has(id)) return;
    const checked = checkPeerUrls(urls);
    const fields = { 'remote-peer-id': id, 'remote-peer-urls': checked ?? urls };
    if (checked === undefined) warnings.warn('', 'ignored a sender whose peer URLs cannot be used', fields);
    else if (this.remotes.size >= limits.remotesMax) warnings.warn('', 'ignored a sender: there are too many', fields);
    else {
      this.remotes.set(id, new Remote(this.context, id, checked));
      logger.info('added new remote peer', { 'local-member-id': local.memberId, ...fields });
    }
  }

  activeSince(id: bigint): number | undefined {
    return this.peers.get(id)?.activity.sinceMs;
  }

  stop(): Promise<void> {
    this.isStopped = true;
    this.context.reports.stop();
    for (const peer of this.peers.values()) this.stopPeer(peer);
    for (const remote of this.remotes.values()) remote.stop();
    this.peers.clear();
    this.remotes.clear();
    return Promise.resolve();
  }

  private stopPeer(peer: Peer): void {
    const { logger } = this.context;
    logger.info('stopping remote peer', { 'remote-peer-id': peer.id });
    peer.stop();
    logger.info('stopped remote peer', { 'remote-peer-id': peer.id });
  }

  isPeer(id: bigint): boolean {
    return this.peers.has(id);
  }

  attach(id: bigint, kind: StreamKind, sink: PeerSink): PeerSinkEvents {
    const peer = this.peers.get(id);
    if (peer !== undefined) return peer.attach(kind, sink);
    // Removed since its request was looked at.
    sink.close();
    return detached;
  }

  refusal(message: Message): string | undefined {
    const { local, source } = this.context;
    if (source.isRemoved(message.from)) return 'cannot process message from removed member';
    return isMisdirected(message, local.memberId) ? 'cannot process message to mismatch member' : undefined;
  }

  /** A snapshot does not fit into a post: raft is told, else it would wait for the outcome. */
  private remoteFor(message: Message): Remote | undefined {
    if (message.type !== MessageType.MsgSnap) return this.remotes.get(message.to);
    this.context.reports.reportSnapshot(message.to, 'failed');
    return undefined;
  }

  private receive(message: Message): void {
    const refusal = this.refusal(message);
    if (refusal !== undefined) this.ignored(message, refusal);
    else if (isForRaft(message)) this.context.source.receive(message);
    else this.ignored(message, 'ignored a message of a type that members do not send each other');
  }

  private ignored(message: Message, why: string): void {
    this.context.logger.debug(why, {
      'message-type': messageTypeName(message.type),
      from: message.from,
      to: message.to,
    });
  }

  private toldRemoved(): void {
    if (this.isStopped || this.isTold) return;
    this.isTold = true;
    this.context.logger.error('the member has been permanently removed from the cluster', {
      'local-member-id': this.context.local.memberId,
    });
    this.context.clock.defer(() => {
      if (!this.isStopped) this.context.source.removedByPeer();
    });
  }
}

/** Of several acknowledgements in one batch the last says it all. */
function isOvertaken(messages: readonly Message[], i: number): boolean {
  const { type, to } = messages[i] as Message;
  if (type !== MessageType.MsgAppResp) return false;
  for (let j = i + 1; j < messages.length; j++) {
    const later = messages[j] as Message;
    if (later.type === MessageType.MsgAppResp && later.to === to) return true;
  }
  return false;
}
