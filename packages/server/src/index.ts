export { advertiseMissing, type MemberConfig, makeConfig } from './config/config.ts';
export { settingsFromFile } from './config/config-file.ts';
export { deprecationWarnings, raiseRaftTimeouts } from './config/deprecated.ts';
export { formatDuration, parseDurationMs } from './config/duration.ts';
export { addEnvironment, type Environment } from './config/environment.ts';
export { helpText, usageText } from './config/help.ts';
export { readLogConfig } from './config/log-config.ts';
export {
  parseArguments,
  type RawSettings,
  type SettingNote,
  UsageError,
  type UsageErrorData,
} from './config/parse.ts';
export { noTls, type TlsSettings } from './config/tls-settings.ts';
export { makeProfilePages, type ProfilePages } from './embed/profile-pages.ts';
export { srvResolver } from './embed/srv-resolver.ts';
export { type RunningMember, type StartOptions, startMember } from './embed/start-member.ts';
export { type QuorateOptions, startQuorate } from './embed/start-quorate.ts';
export { createLogger, type LoggerOptions, type ProgramLogger } from './logging/json-logger.ts';
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
export { withSelfSigned } from './tls/open-tls.ts';
export { TlsMaterial } from './tls/tls-material.ts';
export { etcdVersion, quorateVersion } from './version.ts';
