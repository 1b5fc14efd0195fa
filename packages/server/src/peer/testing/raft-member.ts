import type { Clock, Timer } from '@quorate/base';
import type { Bootstrap } from '@quorate/machine';
import {
  confChangeOfEntry,
  type Entry,
  EntryType,
  MemoryStorage,
  type Message,
  type MessageType,
  RawNode,
  type Ready,
  StateType,
} from '@quorate/raft';
import type { PeerTransport } from '../peer-source.ts';
import { RecordingSource } from './recording-source.ts';

const tickMs = 20;

export interface RaftMemberOptions {
  readonly memberId: bigint;
  readonly bootstrap: Bootstrap;
  readonly clock: Clock;
  readonly random: { nextUint32(): number };
}

/** As little of a member as can vote, lead and follow behind a transport: raft over memory; what is committed is kept in a list. */
export class RaftMember extends RecordingSource {
  readonly applied: Entry[] = [];
  private readonly clock: Clock;
  private readonly storage = new MemoryStorage();
  private readonly node: RawNode;
  private transport: PeerTransport | undefined;
  private ticker: Timer | undefined;
  private isScheduled = false;

  constructor({ memberId, bootstrap, clock, random }: RaftMemberOptions) {
    super(memberId, bootstrap.clusterId);
    this.memberList = bootstrap.members;
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

  propose(data: Uint8Array): void {
    this.node.propose(data);
    this.schedule();
  }

  takeLeadership(): void {
    this.node.transferLeader(this.memberId);
    this.schedule();
  }

  override receive(message: Message): void {
    super.receive(message);
    this.node.step(message);
    this.schedule();
  }

  override reportUnreachable(id: bigint): void {
    super.reportUnreachable(id);
    this.node.reportUnreachable(id);
    this.schedule();
  }

  override reportSnapshot(id: bigint, status: 'finished' | 'failed'): void {
    super.reportSnapshot(id, status);
    this.node.reportSnapshot(id, status);
    this.schedule();
  }

  /** Messages of that type that came in. */
  count(type: MessageType): number {
    return this.messages.filter((message) => message.type === type).length;
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
}
