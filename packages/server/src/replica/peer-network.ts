import type { Message } from '@quorate/raft';

/** The way to the other members. The issue of a cluster over sockets brings the real one; tests and simulations have one in memory. */
export interface PeerNetwork {
  /** Sends each message to the member it names; may drop any of them. The messages must not be changed after. */
  send(messages: readonly Message[]): void;
}

/** Of a member without peers. */
export const noPeers: PeerNetwork = { send() {} };
