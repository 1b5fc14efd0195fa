/**
 * A member without its sockets, and what it takes from outside: for whoever brings another clock, disk and network, as the simulator
 * does. Not for programs; they have `startMember` and `startQuorate`.
 */
export { type PasswordHashing, Passwords } from './auth/passwords.ts';
export { SimpleTokens } from './auth/simple-tokens.ts';
export { type MemberConfig, makeConfig } from './config/config.ts';
export { parseArguments } from './config/parse.ts';
export type { HostResolver } from './config/url-match.ts';
export { Member } from './member/member.ts';
export type { MemberDeps } from './member/member-deps.ts';
export { MetricsRegistry } from './metrics/registry.ts';
export { decodeMessage, encodeMessage } from './peer/codec/message-codec.ts';
export type {
  PeerClient,
  PeerHash,
  PeerLease,
  PeerLeaseAnswer,
  PeerPromotion,
  PeerVersion,
} from './peer/peer-client.ts';
export { isMisdirected, type OutgoingSnapshot, type PeerSource } from './peer/peer-source.ts';
export type { PeerNetwork } from './replica/peer-network.ts';
export { etcdVersion } from './version.ts';
