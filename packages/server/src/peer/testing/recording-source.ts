import { CodedError } from '@quorate/base';
import type { Member } from '@quorate/machine';
import type { Message } from '@quorate/raft';
import type { PeerHash, PeerLease, PeerPromotion } from '../peer-client.ts';
import type { OutgoingSnapshot, PeerSource } from '../peer-source.ts';

/** A member that writes down what it is told, and answers what the test put there. */
export class RecordingSource implements PeerSource {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly removed = new Set<bigint>();
  readonly messages: Message[] = [];
  readonly unreachable: bigint[] = [];
  readonly snapshotReports: string[] = [];
  toldRemoved = 0;
  memberList: readonly Member[] = [];
  version: string | undefined = '3.7.0';
  promotion: (id: bigint, authorization: string) => Promise<PeerPromotion> = async () => ({ kind: 'not-found' });
  downgrade: () => Promise<boolean> = async () => false;
  hash: (revision: number) => Promise<PeerHash & { readonly currentRevision: number }> = () =>
    Promise.reject(new CodedError('mvcc/future', 'mvcc: required revision is a future revision'));
  renewal: (id: bigint) => Promise<number> = () => Promise.reject(new CodedError('peer/not-found', 'lease not found'));
  timeToLive: (id: bigint, wantsKeys: boolean) => Promise<PeerLease> = () =>
    Promise.reject(new CodedError('peer/not-found', 'lease not found'));
  takeSnapshot: (message: Message, database: AsyncIterable<Uint8Array>) => Promise<void> = async (_, database) => {
    for await (const chunk of database) this.databaseBytes += chunk.length;
  };
  snapshotOf: (message: Message) => Promise<OutgoingSnapshot> = () => Promise.reject(new Error('no snapshot'));
  databaseBytes = 0;

  constructor(memberId: bigint, clusterId: bigint) {
    this.memberId = memberId;
    this.clusterId = clusterId;
  }

  members(): readonly Member[] {
    return this.memberList;
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

  receive(message: Message): void {
    this.messages.push(message);
  }

  receiveSnapshot(message: Message, database: AsyncIterable<Uint8Array>): Promise<void> {
    return this.takeSnapshot(message, database);
  }

  openSnapshot(message: Message): Promise<OutgoingSnapshot> {
    return this.snapshotOf(message);
  }

  reportUnreachable(id: bigint): void {
    this.unreachable.push(id);
  }

  reportSnapshot(id: bigint, status: 'finished' | 'failed'): void {
    this.snapshotReports.push(`${id} ${status}`);
  }

  removedByPeer(): void {
    this.toldRemoved++;
  }

  promote(id: bigint, authorization: string): Promise<PeerPromotion> {
    return this.promotion(id, authorization);
  }

  isDowngradeEnabled(): Promise<boolean> {
    return this.downgrade();
  }

  hashKeys(revision: number): Promise<PeerHash & { readonly currentRevision: number }> {
    return this.hash(revision);
  }

  renewLease(id: bigint): Promise<number> {
    return this.renewal(id);
  }

  leaseTimeToLive(id: bigint, wantsKeys: boolean): Promise<PeerLease> {
    return this.timeToLive(id, wantsKeys);
  }
}

/** A snapshot of so many bytes, in chunks; counts how often it was closed. */
export function countedSnapshot(
  message: Message,
  chunks: readonly Uint8Array[],
): OutgoingSnapshot & { closes: number } {
  return {
    message,
    sizeBytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    closes: 0,
    async *chunks() {
      yield* chunks;
    },
    close() {
      this.closes++;
    },
  };
}
