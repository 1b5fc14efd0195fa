import { CodedError } from '@quorate/base';
import type { PeerClient } from '../peer/peer-client.ts';
import type { PeerTransport } from '../peer/peer-source.ts';

/** The way to the other members: the real one is `peer/`; tests and simulations have one in memory. */
export type PeerNetwork = PeerTransport;

/** Of a member without peers. */
export const noPeers: PeerNetwork = {
  send() {},
  setPeer() {},
  removePeer() {},
  addRemote() {},
  activeSince: () => undefined,
  stop: () => Promise.resolve(),
};

function unreachable(): Promise<never> {
  return Promise.reject(new CodedError('peer/unreachable', 'this member has no peers'));
}

/** Of a member without peers. */
export const noPeerClient: PeerClient = {
  members: unreachable,
  version: unreachable,
  isDowngradeEnabled: unreachable,
  promote: unreachable,
  hashKeys: unreachable,
  renewLease: unreachable,
  leaseTimeToLive: unreachable,
};
