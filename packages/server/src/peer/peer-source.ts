import type { Member } from '@quorate/machine';
import type { Message } from '@quorate/raft';
import type { PeerHash, PeerLease, PeerPromotion } from './peer-client.ts';

/**
 * A message as it goes to another member with the database behind it: the bytes at one moment, in order. An application that has all of
 * its snapshot in the message sends none.
 */
export interface OutgoingSnapshot {
  /** MsgSnap; a member has the membership tree in its data. */
  readonly message: Message;
  /** Of the database. */
  readonly sizeBytes: number;
  chunks(): AsyncIterable<Uint8Array>;
  close(): void;
}

/** Whether a message is for another member than this one: for the one that its machine was before, say. */
export function isMisdirected(message: Message, memberId: bigint): boolean {
  return message.to !== memberId;
}

/** What the transport of raft messages asks of whatever application is behind it: the receiver's side of peer protocol sections 1 and 4. */
export interface RaftPeerSource {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  isRemoved(id: bigint): boolean;
  /** A raft message from another member; may be dropped. */
  receive(message: Message): void;
  /**
   * A snapshot: the database goes to a file, checked and synced, before raft hears of the message. Rejects with a CodedError whose text
   * goes to the sender; then nothing is kept.
   */
  receiveSnapshot(message: Message, database: AsyncIterable<Uint8Array>): Promise<void>;
  /** Of a MsgSnap that raft wants to send. */
  openSnapshot(message: Message): Promise<OutgoingSnapshot>;
  /** What the transport found out, for raft. */
  reportUnreachable(id: bigint): void;
  reportSnapshot(id: bigint, status: 'finished' | 'failed'): void;
  /** Another member said that this one is removed: it stops for good. */
  removedByPeer(): void;
}

/** What members of an etcd ask each other besides: section 5. An application that is none does without. */
export interface MemberPeerSource {
  /** All members, ascending by id. */
  members(): readonly Member[];
  /** As `3.7.0`; undefined before it is decided. */
  clusterVersion(): string | undefined;
  storageVersion(): string | undefined;
  /** The local member promotes; only a leader can. */
  promote(id: bigint, authorization: string): Promise<PeerPromotion>;
  isDowngradeEnabled(): Promise<boolean>;
  /** @throws CodedError with etcd's text */
  hashKeys(revision: number): Promise<PeerHash & { readonly currentRevision: number }>;
  /** TTL in seconds; waits until what is committed is applied. Rejects with CodedError `peer/not-found`, `peer/not-primary`, `peer/lagging`. */
  renewLease(id: bigint): Promise<number>;
  leaseTimeToLive(id: bigint, wantsKeys: boolean): Promise<PeerLease>;
}

/** All that the peer port asks of an etcd member. */
export interface PeerSource extends RaftPeerSource, MemberPeerSource {}

/** The way to the other members; the replica's PeerNetwork is part of it. */
export interface PeerTransport {
  send(messages: readonly Message[]): void;
  /** Dials the member and answers its streams; again with other URLs changes them. */
  setPeer(id: bigint, urls: readonly string[]): void;
  /** Stops all that is under way to it. */
  removePeer(id: bigint): void;
  /** A sender known only by its headers, or a member of a cluster that is being joined: reached by POST alone. */
  addRemote(id: bigint, urls: readonly string[]): void;
  /** Since when (`Clock.nowMs`) the peer has been connected; undefined while it is not. */
  activeSince(id: bigint): number | undefined;
  /** Stops dialling, closes all streams; tells its source of nothing that it finds out from now on. */
  stop(): Promise<void>;
}
