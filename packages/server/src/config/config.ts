import { type CompactionPolicy, parseCompactionPolicy } from './compaction-policy.ts';
import { formatDuration, parseDurationMs } from './duration.ts';
import { featureGates, flags } from './flag-table.ts';
import { type RawSettings, UsageError } from './parse.ts';
import { problemWithVersions, readClientTls, readPeerTls, type TlsSettings } from './tls-settings.ts';
import { isBindable, type MemberUrl, parseMemberUrls } from './urls.ts';

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
  readonly initialClusterState: 'new' | 'existing';
  readonly initialClusterToken: string;
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
  /** How often the leader compares the keys of all members; 0 never. */
  readonly corruptCheckMs: number;
  /** How often it compares what compactions stored, where that is asked for. */
  readonly compactHashCheckMs: number;
  /** A member whose database has room again lowers its NOSPACE alarm. */
  readonly autoDisarmNoSpace: boolean;
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
  readonly logOutputs: readonly string[];
  readonly logFormat: 'json' | 'console';
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
  throw new UsageError(message, 1, false);
}

const defaults = new Map(flags.map((flag) => [flag.name, flag.default]));

class SettingReader {
  private readonly settings: RawSettings;

  constructor(settings: RawSettings) {
    this.settings = settings;
  }

  isSet(name: string): boolean {
    return this.settings.sources.has(name);
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

/** Reads `name=url,name=url`. @throws UsageError */
export function parseInitialCluster(text: string): Map<string, string[]> {
  const members = new Map<string, string[]>();
  for (const part of text.split(',')) {
    const trimmed = part.trim();
    if (trimmed === '') continue;
    const split = trimmed.indexOf('=');
    const name = split > 0 ? trimmed.slice(0, split) : '';
    if (name === '') refuse(`empty URL given for "${trimmed}"`);
    const url = parseMemberUrls(trimmed.slice(split + 1))[0];
    if (!url) refuse(`empty URL given for "${name}"`);
    members.set(name, [...(members.get(name) ?? []), url.href].sort());
  }
  return members;
}

function readInitialCluster(read: SettingReader, name: string, peers: readonly MemberUrl[]): Map<string, string[]> {
  if (!read.isSet('initial-cluster') && name !== 'default') {
    return new Map([[name, peers.map((url) => url.href)]]);
  }
  return parseInitialCluster(read.text('initial-cluster'));
}

function readFeatureGates(text: string): Map<string, boolean> {
  const gates = new Map(featureGates.map((gate) => [gate.name, gate.default]));
  const named = new Set<string>();
  for (const part of text.split(',').filter((entry) => entry !== '')) {
    const [name = '', value] = part.split('=');
    if (value === undefined) refuse(`missing bool value for ${name}`);
    if (!gates.has(name)) refuse(`unrecognized feature gate: ${name}`);
    if (!/^(?:true|false)$/i.test(value)) {
      refuse(`invalid value of ${name}=${value}, err: strconv.ParseBool: parsing "${value}": invalid syntax`);
    }
    gates.set(name, value.toLowerCase() === 'true');
    named.add(name);
  }
  for (const gate of featureGates) {
    const group = gate.stage === 'alpha' ? 'AllAlpha' : 'AllBeta';
    if (!named.has(gate.name) && named.has(group)) gates.set(gate.name, gates.get(group) === true);
  }
  if (gates.get('LeaseCheckpointPersist') && !gates.get('LeaseCheckpoint')) {
    refuse('enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint');
  }
  return gates;
}

function readCompactionPolicy(read: SettingReader): CompactionPolicy | undefined {
  const mode = read.text('auto-compaction-mode');
  if (mode === '') refuse('undefined auto-compaction-mode');
  if (mode !== 'periodic' && mode !== 'revision') refuse(`unknown auto-compaction-mode "${mode}"`);
  const policy = parseCompactionPolicy(mode, read.text('auto-compaction-retention'));
  if (policy !== undefined && 'problem' in policy) refuse(`error parsing CompactionRetention: ${policy.problem}`);
  return policy;
}

/** 0 is refused when a certificate is made, but a file cannot tell it from nothing. */
function readSelfSignedValidity(read: SettingReader, settings: RawSettings): number {
  const isFromFile = settings.sources.get('self-signed-cert-validity') === 'file';
  return read.number('self-signed-cert-validity', isFromFile ? 1 : 0);
}

/** What a program that embeds the member says besides its settings. */
export interface ConfigExtra {
  readonly inMemory?: boolean;
  readonly withoutPeers?: boolean;
  readonly clientTls?: Partial<TlsSettings>;
  readonly peerTls?: Partial<TlsSettings>;
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
  };
}

/** Makes a checked configuration of settings. @throws UsageError with etcd's own text */
export function makeConfig(settings: RawSettings, extra: ConfigExtra = {}): MemberConfig {
  const read = new SettingReader(settings);
  if (
    read.isSet('listen-client-urls') &&
    !read.isSet('advertise-client-urls') &&
    settings.sources.get('listen-client-urls') !== 'file'
  ) {
    refuse('--advertise-client-urls is required when --listen-client-urls is set explicitly');
  }
  const name = read.text('name');
  const advertisePeerUrls = read.urls('initial-advertise-peer-urls');
  const config: MemberConfig = {
    name,
    dataDir: read.text('data-dir') || `${name}.etcd`,
    walDir: read.text('wal-dir'),
    listenPeerUrls: extra.withoutPeers ? [] : read.urls('listen-peer-urls'),
    listenClientUrls: read.urls('listen-client-urls'),
    advertisePeerUrls,
    advertiseClientUrls: read.urls('advertise-client-urls'),
    initialCluster: readInitialCluster(read, name, advertisePeerUrls),
    initialClusterState: read.text('initial-cluster-state') as 'new' | 'existing',
    initialClusterToken: read.text('initial-cluster-token'),
    forceNewCluster: read.bool('force-new-cluster'),
    learnersMax: read.number('max-learners'),
    downgradeCheckMs: read.durationMs('downgrade-check-time'),
    initialElectionTickAdvance: read.bool('initial-election-tick-advance'),
    strictReconfigCheck: read.bool('strict-reconfig-check'),
    heartbeatMs: read.number('heartbeat-interval'),
    electionMs: read.number('election-timeout'),
    preVote: read.bool('pre-vote'),
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
    autoCompaction: readCompactionPolicy(read),
    corruptCheckMs: read.durationMs('corrupt-check-time'),
    compactHashCheckMs: read.durationMs('compact-hash-check-time'),
    autoDisarmNoSpace: read.bool('auto-disarm-nospace'),
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
    logOutputs: read.list('log-outputs'),
    logFormat: read.text('log-format') as 'json' | 'console',
    featureGates: readFeatureGates(read.text('feature-gates')),
    authToken: read.text('auth-token'),
    authTokenTtlSeconds: read.number('auth-token-ttl', 300),
    bcryptCost: read.number('bcrypt-cost'),
    unsafeNoFsync: read.bool('unsafe-no-fsync'),
    inMemory: extra.inMemory ?? false,
  };
  verify(config, read);
  return config;
}

function verify(config: MemberConfig, read: SettingReader): void {
  const { listenPeerUrls, listenClientUrls, listenClientHttpUrls, listenMetricsUrls } = config;
  for (const url of [...listenPeerUrls, ...listenClientUrls, ...listenClientHttpUrls, ...listenMetricsUrls]) {
    if (!isBindable(url)) refuse(`expected IP in URL for binding (${url.href})`);
  }
  verifyHosts(config);
  verifyTimes(config);
  if (read.text('discovery-fallback') === 'proxy') {
    refuse(`v2 proxy is deprecated, and --discovery-fallback can't be configured as "proxy"`);
  }
  const logger = read.text('logger');
  if (logger === 'capnslog') refuse('--logger=capnslog is removed in v3.5');
  if (logger !== 'zap') refuse(`unknown logger option "${logger}"`);
  if (config.logFormat !== 'json' && config.logFormat !== 'console') {
    refuse(`unknown log format: ${config.logFormat as string}, supported values json, console`);
  }
  if (config.logOutputs.includes('default') && config.logOutputs.length > 1) {
    refuse('multi logoutput for "default" is not supported yet');
  }
  const problem = problemWithVersions(config.clientTls) ?? problemWithVersions(config.peerTls);
  if (problem !== undefined) refuse(problem);
}

/** Others must be able to reach what is advertised. */
function verifyHosts({ advertisePeerUrls, advertiseClientUrls }: MemberConfig): void {
  const texts = [
    ['--initial-advertise-peer-urls', advertisePeerUrls, 'must be "host:port"'],
    [
      '--advertise-client-urls',
      advertiseClientUrls,
      'must be in the format "host:port", "unix:/path/to/socket" or "unixs:/path/to/socket"',
    ],
  ] as const;
  for (const [flag, urls, must] of texts) {
    const empty = urls.find((url) => url.host === '');
    if (empty === undefined) continue;
    const list = urls.map((url) => url.href).join(',');
    refuse(`${flag} "${list}" ${must} (unexpected empty host (${empty.href}))`);
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
  if (config.compactHashCheckMs <= 0) {
    refuse(`--compact-hash-check-time must be >0 (set to ${formatDuration(config.compactHashCheckMs)})`);
  }
  if (config.electionMs > 50_000) {
    refuse(`--election-timeout[${config.electionMs}ms] is too long, and should be set less than 50000ms`);
  }
}

/** Names of flags that were set to something else than their default although nothing acts on them yet. */
export function settingsWithoutEffect(settings: RawSettings): string[] {
  return flags
    .filter((flag) => flag.later && settings.values.has(flag.name) && settings.values.get(flag.name) !== flag.default)
    .map((flag) => flag.name);
}
