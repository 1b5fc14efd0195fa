import { type Clock, CodedError, type Timer } from '@quorate/base';
import type { Bootstrap, Member } from '@quorate/machine';
import {
  confChangeOfEntry,
  createMessage,
  type Entry,
  EntryType,
  MemoryStorage,
  type Message,
  MessageType,
  RawNode,
  type Ready,
  StateType,
} from '@quorate/raft';
import type { PeerHash, PeerLease, PeerPromotion } from '../peer-client.ts';
import type { OutgoingSnapshot, PeerSource, PeerTransport } from '../peer-source.ts';

const tickMs = 20;

export interface RaftMemberOptions {
  readonly memberId: bigint;
  readonly bootstrap: Bootstrap;
  readonly clock: Clock;
  readonly random: { nextUint32(): number };
}

/** As little of a member as can vote, lead and follow behind a transport: raft over memory; what is committed is kept in a list. */
export class RaftMember implements PeerSource {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly applied: Entry[] = [];
  /** By type, what came in. */
  readonly received = new Map<MessageType, number>();
  readonly removed = new Set<bigint>();
  readonly unreachable: bigint[] = [];
  readonly snapshotReports: string[] = [];
  /** Databases that came in. */
  readonly snapshots: { readonly message: Message; readonly bytes: number; readonly sum: number }[] = [];
  toldRemoved = 0;
  /** What openSnapshot hands out. */
  database: () => AsyncIterable<Uint8Array> = async function* () {};
  version: string | undefined;
  private readonly clock: Clock;
  private readonly knownMembers: readonly Member[];
  private readonly storage = new MemoryStorage();
  private readonly node: RawNode;
  private transport: PeerTransport | undefined;
  private ticker: Timer | undefined;
  private isScheduled = false;

  constructor({ memberId, bootstrap, clock, random }: RaftMemberOptions) {
    this.memberId = memberId;
    this.clusterId = bootstrap.clusterId;
    this.knownMembers = bootstrap.members;
    this.clock = clock;
    this.node = new RawNode({
      id: memberId,
      electionTick: 1000 / tickMs,
      heartbeatTick: 100 / tickMs,
      storage: this.storage,
      random,
      maxSizePerMsg: 1024 * 1024,
      maxInflightMsgs: 512,
      checkQuorum: true,
      preVote: true,
    });
    this.node.bootstrap(bootstrap.changes.map(({ nodeId, context }) => ({ id: nodeId, context })));
  }

  start(transport: PeerTransport): void {
    this.transport = transport;
    this.schedule();
  }

  /** From now on it may stand for election. */
  tick(): void {
    this.ticker = this.clock.setTimer(tickMs, () => {
      this.node.tick();
      this.schedule();
      this.tick();
    });
  }

  stop(): void {
    this.ticker?.cancel();
    this.transport = undefined;
  }

  get leader(): bigint {
    return this.node.basicStatus().softState.leader;
  }

  get isLeader(): boolean {
    return this.node.basicStatus().softState.state === StateType.Leader;
  }

  get term(): number {
    return this.node.basicStatus().hardState.term;
  }

  propose(data: Uint8Array): void {
    this.node.propose(data);
    this.schedule();
  }

  takeLeadership(): void {
    this.node.transferLeader(this.memberId);
    this.schedule();
  }

  readIndex(context: Uint8Array): void {
    this.node.readIndex(context);
    this.schedule();
  }

  receive(message: Message): void {
    this.received.set(message.type, this.count(message.type) + 1);
    this.node.step(message);
    this.schedule();
  }

  count(type: MessageType): number {
    return this.received.get(type) ?? 0;
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.clock.defer(() => {
      this.isScheduled = false;
      while (this.transport !== undefined && this.node.hasReady()) this.take(this.node.ready());
    });
  }

  private take(ready: Ready): void {
    if (ready.hardState !== undefined) this.storage.setHardState(ready.hardState);
    this.storage.append(ready.entries);
    this.transport?.send(ready.messages);
    for (const entry of ready.committedEntries) this.apply(entry);
    this.node.advance(ready);
  }

  private apply(entry: Entry): void {
    this.applied.push(entry);
    const change = entry.type === EntryType.Normal ? undefined : confChangeOfEntry(entry);
    if (change !== undefined) this.node.applyConfChange(change);
  }

  members(): readonly Member[] {
    return this.knownMembers;
  }

  isRemoved(id: bigint): boolean {
    return this.removed.has(id);
  }

  clusterVersion(): string | undefined {
    return this.version;
  }

  storageVersion(): string | undefined {
    return this.version;
  }

  async receiveSnapshot(message: Message, database: AsyncIterable<Uint8Array>): Promise<void> {
    let bytes = 0;
    let sum = 0;
    for await (const chunk of database) {
      bytes += chunk.length;
      for (const byte of chunk) sum = (sum + byte) >>> 0;
    }
    this.snapshots.push({ message, bytes, sum });
  }

  async openSnapshot(message: Message): Promise<OutgoingSnapshot> {
    return { message, sizeBytes: 0, chunks: () => this.database(), close() {} };
  }

  reportUnreachable(id: bigint): void {
    this.unreachable.push(id);
    this.node.reportUnreachable(id);
    this.schedule();
  }

  reportSnapshot(id: bigint, status: 'finished' | 'failed'): void {
    this.snapshotReports.push(`${id.toString(16)} ${status}`);
    this.node.reportSnapshot(id, status);
    this.schedule();
  }

  removedByPeer(): void {
    this.toldRemoved++;
  }

  promote(): Promise<PeerPromotion> {
    return Promise.resolve({ kind: 'not-found' });
  }

  isDowngradeEnabled(): Promise<boolean> {
    return Promise.resolve(false);
  }

  hashKeys(): Promise<PeerHash & { readonly currentRevision: number }> {
    return Promise.reject(new CodedError('mvcc/future', 'mvcc: required revision is a future revision'));
  }

  renewLease(): Promise<number> {
    return Promise.reject(new CodedError('peer/not-primary', 'not a primary lessor'));
  }

  leaseTimeToLive(): Promise<PeerLease> {
    return Promise.reject(new CodedError('peer/not-found', 'lease not found'));
  }
}

/** A snapshot message as a leader sends it. */
export function snapshotMessage(from: bigint, to: bigint, index = 10): Message {
  const confState = { voters: [from, to], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const snapshot = { data: Uint8Array.of(0x7b, 0x7d), metadata: { confState, index, term: 2 } };
  return createMessage({ type: MessageType.MsgSnap, from, to, term: 2, snapshot });
}
