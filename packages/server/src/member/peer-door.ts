import { type ErrorSymbol, errors } from '@quorate/api';
import { CodedError, type Disk } from '@quorate/base';
import { type Cluster, encodeV2Store, hashKeys, type Member } from '@quorate/machine';
import type { MemoryStorage, Message, RawNode } from '@quorate/raft';
import { inspectDatabase, type SnapshotStore } from '@quorate/storage';
import type { PeerHash, PeerLease, PeerPromotion } from '../peer/peer-client.ts';
import type { OutgoingSnapshot, PeerSource } from '../peer/peer-source.ts';
import { storeErrorText } from '../peer/protocol/error-text.ts';
import type { Access } from '../rpc/access.ts';
import type { LeaderLeases, LeaseAnswer } from './leader-leases.ts';
import type { MemberDeps } from './member-deps.ts';
import type { MemberState } from './member-state.ts';
import type { MembershipChanges } from './membership-changes.ts';
import type { MembershipHistory } from './membership-history.ts';
import type { Snapshotter } from './snapshotter.ts';

export interface PeerDoorDeps extends Pick<MemberDeps, 'clock' | 'logger'> {
  readonly disk: Disk;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly state: MemberState;
  readonly snapshots: SnapshotStore;
  readonly snapshotter: Snapshotter;
  readonly history: MembershipHistory;
  readonly raftStorage: MemoryStorage;
  readonly replica: {
    receive(message: Message): boolean;
    withNode(action: (node: RawNode) => void): void;
    linearizableRead(read: { readable(): void; failed(symbol: ErrorSymbol): void }): void;
  };
  readonly leases: LeaderLeases;
  readonly changes: MembershipChanges;
  readonly access: Pick<Access, 'refuseAdmin'>;
  readonly storageVersion: () => string | undefined;
  readonly onRemoved: () => void;
}

/** The member as other members see it over its peer port. */
export class PeerDoor implements PeerSource {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  private readonly deps: PeerDoorDeps;

  constructor(deps: PeerDoorDeps) {
    this.deps = deps;
    this.memberId = deps.memberId;
    this.clusterId = deps.clusterId;
  }

  private get cluster(): Cluster {
    return this.deps.state.cluster;
  }

  members(): readonly Member[] {
    return this.cluster.members;
  }

  isRemoved(id: bigint): boolean {
    return this.cluster.isRemoved(id);
  }

  clusterVersion(): string | undefined {
    return this.cluster.version;
  }

  storageVersion(): string | undefined {
    return this.deps.storageVersion();
  }

  receive(message: Message): void {
    this.deps.replica.receive(message);
  }

  async receiveSnapshot(message: Message, database: AsyncIterable<Uint8Array>): Promise<void> {
    const { snapshots, replica, disk } = this.deps;
    const metadata = message.snapshot?.metadata;
    if (metadata === undefined) throw new CodedError('peer/bad-snapshot', 'a snapshot message without snapshot');
    const { index } = metadata;
    await snapshots.saveDatabase(index, database);
    const path = (await snapshots.databasePath(index)) as string;
    const { consistentIndex } = await inspectDatabase(this.deps, path);
    if (consistentIndex !== index) {
      await disk.remove(path);
      const text = `the database of snapshot ${index} stands at entry ${consistentIndex}`;
      throw new CodedError('peer/bad-snapshot', text);
    }
    if (!replica.receive(message)) throw new CodedError('peer/overloaded', 'too many messages wait');
  }

  /** The database as it is now, at the entry it stands at, with the membership as of that entry. */
  async openSnapshot(message: Message): Promise<OutgoingSnapshot> {
    const { state, snapshotter, history, raftStorage } = this.deps;
    const keepsEntries = snapshotter.keepEntries();
    try {
      const image = await state.backend.snapshot();
      const index = image.consistentIndex;
      const moment = history.at(index);
      const term = image.consistentTerm || raftStorage.term(index);
      if (moment === undefined) {
        image.close();
        throw new CodedError('peer/no-snapshot', `the membership at entry ${index} is not known any more`);
      }
      const snapshot = { data: encodeV2Store(moment.state), metadata: { index, term, confState: moment.confState } };
      return {
        message: { ...message, snapshot },
        sizeBytes: image.sizeBytes,
        chunks: () => image.chunks(),
        close: () => {
          image.close();
          keepsEntries();
        },
      };
    } catch (error) {
      keepsEntries();
      throw error;
    }
  }

  reportUnreachable(id: bigint): void {
    this.deps.replica.withNode((node) => node.reportUnreachable(id));
  }

  reportSnapshot(id: bigint, status: 'finished' | 'failed'): void {
    this.deps.replica.withNode((node) => node.reportSnapshot(id, status));
  }

  removedByPeer(): void {
    this.deps.onRemoved();
  }

  async promote(id: bigint, authorization: string): Promise<PeerPromotion> {
    const refused = this.deps.access.refuseAdmin(authorization === '' ? undefined : authorization);
    if (refused !== undefined) return { kind: 'retry', reason: errors[refused].message };
    const answer = await this.deps.changes.promoteHere(id, () => {});
    if (answer.kind === 'changed') return { kind: 'promoted', members: answer.members };
    switch (answer.symbol) {
      case 'ErrGRPCMemberNotFound':
        return { kind: 'not-found' };
      case 'ErrGRPCLearnerNotReady':
        return { kind: 'not-ready' };
      case 'ErrGRPCMemberNotLearner':
        return { kind: 'not-learner' };
      default:
        return { kind: 'retry', reason: errors[answer.symbol].message };
    }
  }

  isDowngradeEnabled(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.deps.replica.linearizableRead({
        readable: () => resolve(this.cluster.downgrade.isEnabled),
        failed: (symbol) => reject(new CodedError('peer/no-read', errors[symbol].message)),
      });
    });
  }

  async hashKeys(revision: number): Promise<PeerHash & { readonly currentRevision: number }> {
    const hash = await hashKeys(this.deps.state.store, revision);
    if (typeof hash === 'string') throw new CodedError('peer/refused', storeErrorText(hash));
    return { ...hash, revision: hash.currentRevision };
  }

  async renewLease(id: bigint): Promise<number> {
    return found(await this.deps.leases.renewAsked(id));
  }

  async leaseTimeToLive(id: bigint, wantsKeys: boolean): Promise<PeerLease> {
    return found(await this.deps.leases.timeToLiveHere(id, wantsKeys));
  }
}

function found<Found>(answer: LeaseAnswer<Found>): Found {
  if (answer.kind === 'found') return answer.lease;
  if (answer.kind === 'not-found') throw new CodedError('peer/not-found', 'lease not found');
  if (answer.symbol === 'ErrGRPCTimeoutWaitAppliedIndex') {
    throw new CodedError('peer/lagging', 'waiting for node to catch up its applied index has timed out');
  }
  throw new CodedError('peer/not-primary', 'not a primary lessor');
}
