import { type CompactionPolicy, parseCompactionPolicy } from './compaction-policy.ts';
import { type DiscoveryConfig, readDiscovery } from './discovery-config.ts';
import { formatDuration, parseDurationMs } from './duration.ts';
import { readFeatureGates } from './feature-gates.ts';
import { flags } from './flag-table.ts';
import { impossibleSetting } from './impossible.ts';
import { type RawSettings, UsageError } from './parse.ts';
import { problemWithVersions, readClientTls, readPeerTls, type TlsSettings } from './tls-settings.ts';
import { problemWithTracing, readTracing, type TracingConfig } from './tracing-config.ts';
import { isBindable, type MemberUrl, parseMemberUrl, parseMemberUrls } from './urls.ts';

/** What is spoken over HTTP on the client side, and to whom. */
export interface HttpSettings {
  /** For HTTP alone; when there are any, the client URLs speak gRPC alone. */
  readonly listenClientHttpUrls: readonly MemberUrl[];
  /** For metrics and health alone. */
  readonly listenMetricsUrls: readonly MemberUrl[];
  /** Serves `/v3/`, the API as JSON over HTTP. */
  readonly grpcGateway: boolean;
  /** Origins whose scripts may read answers; `*` or none for any. */
  readonly corsOrigins: readonly string[];
  /** Names that plain HTTP requests may call this server by; `*` or none for any. */
  readonly hostWhitelist: readonly string[];
  /** Measures how long calls take. */
  readonly extensiveMetrics: boolean;
  /** Serves profiles under `/debug/pprof/`. */
  readonly profiles: boolean;
  /** Serves `/debug/requests`. */
  readonly recentCalls: boolean;
}

/** All that a member needs to know to run; times in milliseconds, sizes in bytes. */
export interface MemberConfig extends HttpSettings {
  readonly name: string;
  readonly dataDir: string;
  /** Empty: inside the data directory. */
  readonly walDir: string;
  readonly listenPeerUrls: readonly MemberUrl[];
  readonly listenClientUrls: readonly MemberUrl[];
  readonly advertisePeerUrls: readonly MemberUrl[];
  readonly advertiseClientUrls: readonly MemberUrl[];
  /** Peer URLs by member name. */
  readonly initialCluster: ReadonlyMap<string, readonly string[]>;
  /** What is wrong with the text of the initial cluster, which counts only at a first start; else empty. */
  readonly initialClusterProblem: string;
  readonly initialClusterState: 'new' | 'existing';
  readonly initialClusterToken: string;
  /** Where the initial cluster comes from, when it is not in the configuration. */
  readonly discovery: DiscoveryConfig;
  /** Makes a cluster of one out of a directory, dropping the other members. */
  readonly forceNewCluster: boolean;
  /** Learners allowed at once. */
  readonly learnersMax: number;
  /** How often the leader looks whether a downgrade is done; 0 never. */
  readonly downgradeCheckMs: number;
  readonly initialElectionTickAdvance: boolean;
  readonly strictReconfigCheck: boolean;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly preVote: boolean;
  /** Connections between members are given up after so long without a byte read, or taken. */
  readonly raftReadTimeoutMs: number;
  readonly raftWriteTimeoutMs: number;
  readonly snapshotCount: number;
  readonly snapshotCatchUpEntries: number;
  readonly walsMax: number;
  readonly snapshotsMax: number;
  /** 0 means 2 GiB, negative no quota. */
  readonly quotaBytes: number;
  readonly backendBatchIntervalMs: number;
  readonly backendBatchLimit: number;
  readonly txnOpsMax: number;
  readonly requestBytesMax: number;
  readonly concurrentStreamsMax: number;
  readonly keepaliveMinTimeMs: number;
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
  /** How the leader compacts by itself; undefined: it does not. */
  readonly autoCompaction: CompactionPolicy | undefined;
  /** What is wrong with its retention, which only a start finds out; else empty. */
  readonly autoCompactionProblem: string;
  /** How often the leader compares the keys of all members; 0 never. */
  readonly corruptCheckMs: number;
  /** How often it compares what compactions stored, where that is asked for. */
  readonly compactHashCheckMs: number;
  /** A member whose database has room again lowers its NOSPACE alarm. */
  readonly autoDisarmNoSpace: boolean;
  /** Where requests are noted while authentication is on; empty for nowhere. */
  readonly auditLog: string;
  /** Where spans go; undefined for none. */
  readonly tracing: TracingConfig | undefined;
  /** Bytes that a defragmentation at the start must free; 0: there is none. */
  readonly bootstrapDefragBytes: number;
  readonly compactionBatchLimit: number;
  readonly compactionSleepMs: number;
  readonly watchProgressIntervalMs: number;
  readonly warningApplyMs: number;
  readonly warningUnaryMs: number;
  readonly clientTls: TlsSettings;
  readonly peerTls: TlsSettings;
  /** How long certificates that the member makes for itself are valid. */
  readonly selfSignedValidityYears: number;
  readonly logLevel: string;
  readonly featureGates: ReadonlyMap<string, boolean>;
  /** `simple`, `jwt,key=value,…`, or nothing. */
  readonly authToken: string;
  readonly authTokenTtlSeconds: number;
  readonly bcryptCost: number;
  readonly unsafeNoFsync: boolean;
  /** Nothing on disk: for tests and embedded use. */
  readonly inMemory: boolean;
}

/** A configuration that contradicts itself; etcd ends with `failed to verify flags` and this text. */
function refuse(message: string): never {
  throw new UsageError(message, 1, 'verify');
}

const defaults = new Map(flags.map((flag) => [flag.name, flag.default]));

/** Reads settings as the types they stand for, defaults where they say nothing. */
export class SettingReader {
  private readonly settings: RawSettings;

  constructor(settings: RawSettings) {
    this.settings = settings;
  }

  isSet(name: string): boolean {
    return this.settings.sources.has(name);
  }

  source(name: string): 'flag' | 'environment' | 'file' | undefined {
    return this.settings.sources.get(name);
  }

  text(name: string): string {
    return this.settings.values.get(name) ?? defaults.get(name) ?? '';
  }

  bool(name: string): boolean {
    return this.text(name) === 'true';
  }

  /** A number; 0 stands for `whenZero`. */
  number(name: string, whenZero = 0): number {
    return Number(this.text(name)) || whenZero;
  }

  durationMs(name: string, whenZero = 0): number {
    return (parseDurationMs(this.text(name)) as number) || whenZero;
  }

  list(name: string): string[] {
    return this.text(name)
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  }

  urls(name: string): MemberUrl[] {
    return parseMemberUrls(this.text(name));
  }
}

/** Reads `name=url,name=url`. @throws CodedError config/url */
export function parseInitialCluster(text: string): Map<string, string[]> {
  const members = new Map<string, string[]>();
  for (const part of text.split(',')) {
    const trimmed = part.trim();
    if (trimmed === '') continue;
    const [name = '', ...rest] = trimmed.split('=');
    members.set(name, [...(members.get(name) ?? []), parseMemberUrl(rest.join('=')).href].sort());
  }
  return members;
}

/** Of a name that is not the default, when nothing else is said, the cluster is this member with the URLs it advertises. */
function readInitialCluster(
  read: SettingReader,
  name: string,
  peers: readonly MemberUrl[],
): Pick<MemberConfig, 'initialCluster' | 'initialClusterProblem'> {
  const text = initialClusterText(read);
  if (text === defaults.get('initial-cluster') && name !== 'default') {
    const urls = peers.map((url) => url.href);
    return { initialCluster: new Map([[name === '' ? 'default' : name, urls]]), initialClusterProblem: '' };
  }
  try {
    return { initialCluster: parseInitialCluster(text), initialClusterProblem: '' };
  } catch (error) {
    return { initialCluster: new Map(), initialClusterProblem: (error as Error).message };
  }
}

/** Empty where the cluster is to be discovered. */
function initialClusterText(read: SettingReader): string {
  const isDiscovered = ['discovery-srv', 'discovery-srv-name', 'discovery-endpoints'].some(
    (key) => read.text(key) !== '',
  );
  return isDiscovered && !read.isSet('initial-cluster') ? '' : read.text('initial-cluster');
}

/** What others are told instead of the default, when this member listens on all addresses. */
function advertised(read: SettingReader, flag: string, listen: readonly MemberUrl[], host?: string): MemberUrl[] {
  const urls = read.urls(flag);
  const [first] = listen;
  const isDefault = urls.length === 1 && urls[0]?.href === defaults.get(flag);
  if (host === undefined || !isDefault || first?.host !== '0.0.0.0') return urls;
  return [parseMemberUrl(`${urls[0]?.scheme}://${host}:${first.port}`)];
}

function gatesOf(text: string): ReadonlyMap<string, boolean> {
  const read = readFeatureGates(text);
  return 'reason' in read ? refuse(read.reason) : read.gates;
}

function readCompaction(read: SettingReader): Pick<MemberConfig, 'autoCompaction' | 'autoCompactionProblem'> {
  const mode = read.text('auto-compaction-mode');
  if (mode === '') refuse('undefined auto-compaction-mode');
  if (mode !== 'periodic' && mode !== 'revision') refuse(`unknown auto-compaction-mode "${mode}"`);
  const policy = parseCompactionPolicy(mode, read.text('auto-compaction-retention'));
  return policy !== undefined && 'problem' in policy
    ? { autoCompaction: undefined, autoCompactionProblem: policy.problem }
    : { autoCompaction: policy, autoCompactionProblem: '' };
}

/** 0 is refused when a certificate is made, but a file cannot tell it from nothing. */
function readSelfSignedValidity(read: SettingReader, settings: RawSettings): number {
  const isFromFile = settings.sources.get('self-signed-cert-validity') === 'file';
  return read.number('self-signed-cert-validity', isFromFile ? 1 : 0);
}

/** What the program around the member says besides its settings. */
export interface ConfigExtra {
  readonly inMemory?: boolean;
  readonly withoutPeers?: boolean;
  readonly clientTls?: Partial<TlsSettings>;
  readonly peerTls?: Partial<TlsSettings>;
  /** Address of this machine for others, where the default would be told although it listens on all. */
  readonly defaultHost?: string;
}

function readKeepalive(read: SettingReader) {
  return {
    keepaliveMinTimeMs: read.durationMs('grpc-keepalive-min-time'),
    keepaliveIntervalMs: read.durationMs('grpc-keepalive-interval'),
    keepaliveTimeoutMs: read.durationMs('grpc-keepalive-timeout'),
  };
}

function readHttp(read: SettingReader): HttpSettings {
  return {
    listenClientHttpUrls: read.urls('listen-client-http-urls'),
    listenMetricsUrls: read.urls('listen-metrics-urls'),
    grpcGateway: read.bool('enable-grpc-gateway'),
    corsOrigins: read.list('cors'),
    hostWhitelist: read.list('host-whitelist'),
    extensiveMetrics: read.text('metrics') === 'extensive',
    profiles: read.bool('enable-pprof') || read.text('log-level') === 'debug',
    recentCalls: read.text('log-level') === 'debug',
  };
}

function readCorruptionChecks(read: SettingReader): Pick<MemberConfig, 'corruptCheckMs' | 'compactHashCheckMs'> {
  return {
    corruptCheckMs: read.durationMs('corrupt-check-time'),
    compactHashCheckMs: read.durationMs('compact-hash-check-time'),
  };
}

/**
 * Makes a checked configuration of settings; what is to be warned of goes to the settings' warnings.
 * @throws UsageError with etcd's own text
 */
export function makeConfig(settings: RawSettings, extra: ConfigExtra = {}): MemberConfig {
  const read = new SettingReader(settings);
  verifyUrls(read, settings);
  verifyBootstrap(read);
  const name = read.text('name');
  const discovery = readDiscovery(read);
  const listenPeerUrls = read.urls('listen-peer-urls');
  const advertisePeerUrls = advertised(read, 'initial-advertise-peer-urls', listenPeerUrls, extra.defaultHost);
  const listenClientUrls = read.urls('listen-client-urls');
  const config: MemberConfig = {
    name,
    dataDir: read.text('data-dir') || `${name}.etcd`,
    walDir: read.text('wal-dir'),
    listenPeerUrls: extra.withoutPeers ? [] : listenPeerUrls,
    listenClientUrls,
    advertisePeerUrls,
    advertiseClientUrls: advertised(read, 'advertise-client-urls', listenClientUrls, extra.defaultHost),
    ...readInitialCluster(read, name, advertisePeerUrls),
    initialClusterState: read.text('initial-cluster-state') as 'new' | 'existing',
    initialClusterToken: read.text('initial-cluster-token'),
    discovery,
    forceNewCluster: read.bool('force-new-cluster'),
    learnersMax: read.number('max-learners'),
    downgradeCheckMs: read.durationMs('downgrade-check-time'),
    initialElectionTickAdvance: read.bool('initial-election-tick-advance'),
    strictReconfigCheck: read.bool('strict-reconfig-check'),
    heartbeatMs: read.number('heartbeat-interval'),
    electionMs: read.number('election-timeout'),
    preVote: read.bool('pre-vote'),
    raftReadTimeoutMs: read.durationMs('raft-read-timeout'),
    raftWriteTimeoutMs: read.durationMs('raft-write-timeout'),
    snapshotCount: read.number('snapshot-count', 10_000),
    snapshotCatchUpEntries: read.number('snapshot-catchup-entries', 5_000),
    walsMax: read.number('max-wals'),
    snapshotsMax: read.number('max-snapshots'),
    quotaBytes: read.number('quota-backend-bytes'),
    backendBatchIntervalMs: read.durationMs('backend-batch-interval', 100),
    backendBatchLimit: read.number('backend-batch-limit', 10_000),
    txnOpsMax: read.number('max-txn-ops'),
    requestBytesMax: read.number('max-request-bytes'),
    concurrentStreamsMax: read.number('max-concurrent-streams'),
    ...readKeepalive(read),
    ...readCompaction(read),
    ...readCorruptionChecks(read),
    autoDisarmNoSpace: read.bool('auto-disarm-nospace'),
    auditLog: read.text('audit-log'),
    tracing: readTracing(read),
    bootstrapDefragBytes: read.number('bootstrap-defrag-threshold-megabytes') * 1024 * 1024,
    compactionBatchLimit: read.number('compaction-batch-limit', 1_000),
    compactionSleepMs: read.durationMs('compaction-sleep-interval', 10),
    watchProgressIntervalMs: Math.max(100, read.durationMs('watch-progress-notify-interval', 600_000)),
    warningApplyMs: read.durationMs('warning-apply-duration', 100),
    warningUnaryMs: read.durationMs('warning-unary-request-duration', 300),
    clientTls: { ...readClientTls(read), ...extra.clientTls },
    peerTls: { ...readPeerTls(read), ...extra.peerTls },
    selfSignedValidityYears: readSelfSignedValidity(read, settings),
    ...readHttp(read),
    logLevel: read.text('log-level'),
    featureGates: gatesOf(read.text('feature-gates')),
    authToken: read.text('auth-token'),
    authTokenTtlSeconds: read.number('auth-token-ttl', 300),
    bcryptCost: read.number('bcrypt-cost'),
    unsafeNoFsync: read.bool('unsafe-no-fsync'),
    inMemory: extra.inMemory ?? false,
  };
  verify(config, read, settings);
  const impossible = impossibleSetting(settings);
  if (impossible !== undefined) refuse(impossible);
  return config;
}

function verify(config: MemberConfig, read: SettingReader, { warnings }: RawSettings): void {
  verifyTimes(config);
  if (
    read.isSet('listen-client-urls') &&
    !read.isSet('advertise-client-urls') &&
    read.source('listen-client-urls') !== 'file'
  ) {
    refuse(advertiseMissing);
  }
  const tracingProblem = problemWithTracing(config.tracing);
  if (tracingProblem !== undefined) refuse(tracingProblem);
  verifyGates(config, warnings);
  const hashCheckMs = read.durationMs('compact-hash-check-time');
  if (hashCheckMs <= 0) refuse(`--compact-hash-check-time must be >0 (set to ${formatDuration(hashCheckMs)})`);
  if (config.name === 'default') {
    warnings.push({ level: 'warn', message: defaultNameAdvice, fields: { name: config.name } });
  }
  const problem = problemWithVersions(config.clientTls) ?? problemWithVersions(config.peerTls);
  if (problem !== undefined) refuse(problem);
}

/** What a listen-client-urls without an advertised URL is refused with. */
export const advertiseMissing = '--advertise-client-urls is required when --listen-client-urls is set explicitly';

const defaultNameAdvice =
  "it isn't recommended to use default name, please set a value for --name. Note that etcd might run into issue when multiple members have the same default name";

function verifyUrls(read: SettingReader, { warnings }: RawSettings): void {
  const verifyBindable = (flag: string) => {
    for (const url of read.urls(flag)) if (!isBindable(url)) refuse(`expected IP in URL for binding (${url.href})`);
  };
  if (read.text('discovery-fallback') === 'proxy') {
    refuse(`v2 proxy is deprecated, and --discovery-fallback can't be configured as "proxy"`);
  }
  for (const flag of ['listen-peer-urls', 'listen-client-urls', 'listen-client-http-urls']) verifyBindable(flag);
  if (read.text('listen-client-http-urls') === '') {
    const message = 'Running http and grpc server on single port. This is not recommended for production.';
    warnings.push({ level: 'warn', message });
  }
  verifyBindable('listen-metrics-urls');
  verifyHosts(read);
}

/** Others must be able to reach what is advertised. */
function verifyHosts(read: SettingReader): void {
  const texts = [
    ['initial-advertise-peer-urls', 'must be "host:port"'],
    ['advertise-client-urls', 'must be in the format "host:port", "unix:/path/to/socket" or "unixs:/path/to/socket"'],
  ] as const;
  for (const [flag, must] of texts) {
    const urls = read.urls(flag);
    const empty = urls.find((url) => url.host === '');
    if (empty === undefined) continue;
    const list = urls.map((url) => url.href).join(',');
    refuse(`--${flag} "${list}" ${must} (unexpected empty host (${empty.href}))`);
  }
}

function verifyBootstrap(read: SettingReader): void {
  const state = read.text('initial-cluster-state');
  if (state !== 'new' && state !== 'existing') refuse(`unexpected clusterState ${JSON.stringify(state)}`);
  const endpoints = read.text('discovery-endpoints');
  const methods = [initialClusterText(read), read.text('discovery-srv'), endpoints];
  if (methods.filter((method) => method !== '').length > 1) {
    refuse(
      'multiple discovery or bootstrap flags are set. Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"',
    );
  }
  if ((read.text('discovery-token') === '') !== (endpoints === '')) {
    refuse('both --discovery-token and --discovery-endpoints must be set');
  }
  if (endpoints !== '' && endpoints.split(',').some((endpoint) => endpoint.trim() === '')) {
    refuse('--discovery-endpoints must not contain empty endpoints');
  }
}

function verifyGates({ featureGates }: MemberConfig, warnings: RawSettings['warnings']): void {
  const checkpoint = featureGates.get('LeaseCheckpoint');
  const persist = featureGates.get('LeaseCheckpointPersist');
  if (checkpoint && !persist) {
    const message =
      'Detected that checkpointing is enabled without persistence. Consider enabling feature gate LeaseCheckpointPersist';
    warnings.push({ level: 'warn', message });
  }
  if (persist && !checkpoint) {
    refuse('enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint');
  }
}

function verifyTimes(config: MemberConfig): void {
  if (config.heartbeatMs === 0) refuse('--heartbeat-interval must be >0 (set to 0ms)');
  if (config.electionMs === 0) refuse('--election-timeout must be >0 (set to 0ms)');
  if (config.electionMs < 5 * config.heartbeatMs) {
    refuse(
      `--election-timeout[${config.electionMs}ms] should be at least as 5 times as --heartbeat-interval[${config.heartbeatMs}ms]`,
    );
  }
  if (config.electionMs > 50_000) {
    refuse(`--election-timeout[${config.electionMs}ms] is too long, and should be set less than 50000ms`);
  }
}
