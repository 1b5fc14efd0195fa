export { type MemberConfig, makeConfig, settingsWithoutEffect } from './config/config.ts';
export { parseDurationMs } from './config/duration.ts';
export { helpText, usageText } from './config/help.ts';
export { addEnvironment, parseArguments, type RawSettings, settingsFromFile, UsageError } from './config/parse.ts';
export type { TlsSettings } from './config/tls-settings.ts';
export { type RunningMember, type StartOptions, startMember } from './embed/start-member.ts';
export { type QuorateOptions, startQuorate } from './embed/start-quorate.ts';
export { createLogger, type LoggerOptions } from './logging/json-logger.ts';
export { MetricsRegistry } from './metrics/registry.ts';
export { makePeerClient } from './peer/client/http-peer-client.ts';
export { NodePeerDialer, type NodePeerDialerOptions } from './peer/node/node-peer-dialer.ts';
export { listenPeers, type PeerListener, type PeerListenOptions } from './peer/node/peer-listener.ts';
export type { PeerClient } from './peer/peer-client.ts';
export type { PeerDialer, PeerHandler } from './peer/peer-edge.ts';
export type {
  MemberPeerSource,
  OutgoingSnapshot,
  PeerSource,
  PeerTransport,
  RaftPeerSource,
} from './peer/peer-source.ts';
export {
  type ListeningPeerTransport,
  makePeerTransport,
  type PeerTransportDeps,
  type PeerTransportOptions,
} from './peer/transport/peer-transport.ts';
export { guardServer } from './tls/guard-server.ts';
export { TlsMaterial } from './tls/tls-material.ts';
export { etcdVersion, quorateVersion } from './version.ts';
