import { isLocalMessage, type Message, MessageType } from '@quorate/raft';
import type { PeerSink, PeerSinkEvents } from '../peer-edge.ts';
import type { StreamKind } from './stream-kind.ts';

/** What the routes see of the transport. */
export interface StreamHost {
  isPeer(id: bigint): boolean;
  /** Takes the writing end of a stream that a peer opened. */
  attach(id: bigint, kind: StreamKind, sink: PeerSink): PeerSinkEvents;
  addRemote(id: bigint, urls: readonly string[]): void;
  /** Why a message is not for this member; undefined when it may go to raft. */
  refusal(message: Message): string | undefined;
}

/**
 * Not one that only a node itself may step, nor one of a release to come. A snapshot comes with its database alone: without it raft would
 * take it for done.
 */
export function isForRaft(message: Message): boolean {
  const { type } = message;
  return !isLocalMessage(type) && type !== MessageType.MsgSnap && type <= MessageType.MsgForgetLeader;
}
