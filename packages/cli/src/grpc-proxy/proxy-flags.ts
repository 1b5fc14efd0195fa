import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { noTls, parseDurationMs, type TlsSettings } from 'quorate';

/** A flag of `grpc-proxy start`, as etcd has it. */
interface ProxyFlag {
  readonly name: string;
  readonly kind: 'text' | 'bool' | 'number' | 'duration' | 'list';
  readonly default: string;
  readonly meaning: string;
  /** Why setting it is refused. */
  readonly refused?: string;
}

const flags: readonly ProxyFlag[] = [
  { name: 'listen-addr', kind: 'text', default: '127.0.0.1:23790', meaning: 'Address to listen on, host:port' },
  { name: 'endpoints', kind: 'list', default: '127.0.0.1:2379', meaning: 'The servers behind the proxy' },
  {
    name: 'endpoints-auto-sync-interval',
    kind: 'duration',
    default: '0s',
    meaning: 'How often the servers are looked up in the member list; 0 never',
  },
  { name: 'discovery-srv', kind: 'text', default: '', meaning: 'Domain whose SRV records name the servers' },
  { name: 'discovery-srv-name', kind: 'text', default: '', meaning: 'Suffix of the service names in those records' },
  { name: 'insecure-discovery', kind: 'bool', default: 'false', meaning: 'Takes records of servers without TLS' },
  { name: 'metrics-addr', kind: 'list', default: '', meaning: 'More URLs for metrics and health' },
  {
    name: 'advertise-client-url',
    kind: 'text',
    default: '127.0.0.1:23790',
    meaning: 'How clients reach the proxy, host:port',
  },
  {
    name: 'resolver-prefix',
    kind: 'text',
    default: '',
    meaning: 'Key prefix under which proxies make themselves known',
  },
  { name: 'resolver-ttl', kind: 'number', default: '0', meaning: 'Seconds after which one that is gone is forgotten' },
  { name: 'namespace', kind: 'text', default: '', meaning: 'Prefix of all keys' },
  { name: 'data-dir', kind: 'text', default: 'default.proxy', meaning: 'Where a certificate of its own is kept' },
  { name: 'max-send-bytes', kind: 'number', default: '1572864', meaning: 'Largest request to the servers' },
  { name: 'max-recv-bytes', kind: 'number', default: '2147483647', meaning: 'Largest answer of the servers' },
  { name: 'max-concurrent-streams', kind: 'number', default: '4294967295', meaning: 'Streams a connection' },
  {
    name: 'dial-keepalive-time',
    kind: 'duration',
    default: '0s',
    meaning: 'Pings servers after this long without anything heard; 0 never',
  },
  { name: 'dial-keepalive-timeout', kind: 'duration', default: '20s', meaning: 'How long such a ping may take' },
  {
    name: 'permit-without-stream',
    kind: 'bool',
    default: 'false',
    meaning: 'Pings servers without a call under way, too',
  },
  {
    name: 'grpc-keepalive-min-time',
    kind: 'duration',
    default: '5s',
    meaning: 'Clients that ping more often are sent away',
  },
  {
    name: 'grpc-keepalive-interval',
    kind: 'duration',
    default: '2h0m0s',
    meaning: 'Pings clients after this long without anything heard',
  },
  { name: 'grpc-keepalive-timeout', kind: 'duration', default: '20s', meaning: 'How long such a ping may take' },
  { name: 'cert', kind: 'text', default: '', meaning: 'Certificate shown to the servers; it must have no common name' },
  { name: 'key', kind: 'text', default: '', meaning: 'Key of that certificate' },
  { name: 'cacert', kind: 'text', default: '', meaning: 'Authorities that servers are checked by' },
  { name: 'insecure-skip-tls-verify', kind: 'bool', default: 'false', meaning: 'Does not check the servers at all' },
  { name: 'cert-file', kind: 'text', default: '', meaning: 'Certificate shown to clients' },
  { name: 'key-file', kind: 'text', default: '', meaning: 'Key of that certificate' },
  { name: 'trusted-ca-file', kind: 'text', default: '', meaning: 'Authorities that clients are checked by' },
  { name: 'client-crl-file', kind: 'text', default: '', meaning: 'Revoked certificates of clients' },
  {
    name: 'auto-tls',
    kind: 'bool',
    default: 'false',
    meaning: 'Shows clients a certificate of its own making',
  },
  {
    name: 'self-signed-cert-validity',
    kind: 'number',
    default: '1',
    meaning: 'Years that such a certificate is valid',
  },
  {
    name: 'listen-cipher-suites',
    kind: 'list',
    default: '',
    meaning: 'TLS 1.2 cipher suites for clients, by Go names',
  },
  { name: 'tls-min-version', kind: 'text', default: 'TLS1.2', meaning: 'Lowest TLS version for clients' },
  { name: 'tls-max-version', kind: 'text', default: '', meaning: 'Highest TLS version for clients' },
  {
    name: 'enable-pprof',
    kind: 'bool',
    default: 'false',
    meaning: 'Serves profiles below /debug/pprof/',
  },
  { name: 'debug', kind: 'bool', default: 'false', meaning: 'Logs more' },
  {
    name: 'experimental-serializable-ordering',
    kind: 'bool',
    default: 'false',
    meaning: 'Reads never go back to an older revision, whichever server answers; none is answered from the cache',
  },
  {
    name: 'experimental-leasing-prefix',
    kind: 'text',
    default: '',
    meaning: 'Key prefix of leases on keys',
    refused:
      'keys that a client leases to read them by itself need every writer to go through such a proxy; serializable reads are cached without it',
  },
  {
    name: 'experimental-enable-grpc-logging',
    kind: 'bool',
    default: 'false',
    meaning: 'Logs every message',
    refused:
      'it puts keys, values and passwords into the log; an audit log of the members (--audit-log) has who did what',
  },
];

/** How the proxy listens, dials and names itself; times in milliseconds. */
export interface ProxyConfig {
  readonly listenAddress: string;
  readonly endpoints: readonly string[];
  /** Whose SRV records name the servers instead; empty for none. */
  readonly discoveryDomain: string;
  readonly discoverySuffix: string;
  readonly takesInsecure: boolean;
  /** 0 for never. */
  readonly syncIntervalMs: number;
  readonly metricsUrls: readonly string[];
  readonly hostname: string;
  readonly advertiseAddress: string;
  readonly resolverPrefix: string;
  readonly resolverTtlSeconds: number;
  readonly namespace: string;
  readonly requestBytesMax: number;
  readonly answerBytesMax: number;
  readonly streamsMax: number;
  /** 0 for never. */
  readonly dialKeepaliveMs: number;
  readonly dialKeepaliveTimeoutMs: number;
  readonly dialWithoutStream: boolean;
  readonly keepaliveMinTimeMs: number;
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
  /** To the servers, PEM files. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly skipsVerification: boolean;
  /** To clients; without a certificate the proxy serves without TLS. */
  readonly clientTls: TlsSettings;
  /** Where a certificate of its own is kept, and how long it is valid. */
  readonly dataDir: string;
  readonly selfSignedValidityYears: number;
  readonly servesProfiles: boolean;
  /** Whether reads never go back. */
  readonly isOrdered: boolean;
  readonly isVerbose: boolean;
}

/** A command line that is none; the text says why. */
export class ProxyUsageError extends Error {}

export function proxyHelp(): string {
  const width = Math.max(...flags.map(({ name }) => name.length));
  const lines = flags.map(({ name, default: value, meaning }) => {
    return `      --${name.padEnd(width)}   ${meaning}${value === '' ? '' : ` (default ${value})`}`;
  });
  return `Usage:\n  quorate grpc-proxy start [flags]\n\nFlags:\n${lines.join('\n')}\n`;
}

/** @throws ProxyUsageError */
export function readProxyFlags(args: readonly string[]): ProxyConfig {
  const values = valuesOf(args);
  const text = (name: string) => values.get(name) ?? '';
  const number = (name: string) => wholeNumber(name, text(name));
  const duration = (name: string) => durationOf(name, text(name));
  const list = (name: string) =>
    text(name)
      .split(',')
      .filter((item) => item !== '');
  const bool = (name: string) => text(name) === 'true';
  const config: ProxyConfig = {
    listenAddress: text('listen-addr'),
    endpoints: list('endpoints').map(withoutScheme),
    discoveryDomain: text('discovery-srv'),
    discoverySuffix: text('discovery-srv-name'),
    takesInsecure: bool('insecure-discovery'),
    syncIntervalMs: duration('endpoints-auto-sync-interval'),
    metricsUrls: list('metrics-addr'),
    hostname: hostname(),
    advertiseAddress: text('advertise-client-url'),
    resolverPrefix: text('resolver-prefix'),
    resolverTtlSeconds: number('resolver-ttl'),
    namespace: text('namespace'),
    requestBytesMax: number('max-send-bytes'),
    answerBytesMax: number('max-recv-bytes'),
    streamsMax: number('max-concurrent-streams'),
    dialKeepaliveMs: duration('dial-keepalive-time'),
    dialKeepaliveTimeoutMs: duration('dial-keepalive-timeout'),
    dialWithoutStream: bool('permit-without-stream'),
    keepaliveMinTimeMs: duration('grpc-keepalive-min-time'),
    keepaliveIntervalMs: duration('grpc-keepalive-interval'),
    keepaliveTimeoutMs: duration('grpc-keepalive-timeout'),
    certFile: text('cert'),
    keyFile: text('key'),
    caFile: text('cacert'),
    skipsVerification: bool('insecure-skip-tls-verify'),
    clientTls: clientTlsOf(text, list, bool('auto-tls')),
    dataDir: text('data-dir'),
    selfSignedValidityYears: number('self-signed-cert-validity'),
    servesProfiles: bool('enable-pprof'),
    isOrdered: bool('experimental-serializable-ordering'),
    isVerbose: bool('debug'),
  };
  refuseNonsense(config);
  return config;
}

function valuesOf(args: readonly string[]): Map<string, string> {
  const options: Record<string, { type: 'string' | 'boolean' }> = {};
  for (const { name, kind } of flags) options[name] = { type: kind === 'bool' ? 'boolean' : 'string' };
  let given: Record<string, unknown>;
  try {
    // A boolean flag may have a value, as Go's have.
    const plain = args.map((argument) =>
      argument.replace(/^(--[a-z-]+)=true$/, (whole, flag: string) => (isBool(flag) ? flag : whole)),
    );
    const set = plain.filter(
      (argument) => !(argument.endsWith('=false') && isBool(argument.slice(0, -'=false'.length))),
    );
    given = parseArgs({ args: set, options, strict: true }).values;
  } catch (error) {
    throw new ProxyUsageError((error as Error).message);
  }
  const values = new Map<string, string>();
  for (const { name, default: value, refused } of flags) {
    const chosen = given[name] === undefined ? value : String(given[name]);
    if (refused !== undefined && chosen !== value) throw new ProxyUsageError(`--${name} is refused: ${refused}`);
    values.set(name, chosen);
  }
  return values;
}

function isBool(flag: string): boolean {
  return flags.some(({ name, kind }) => kind === 'bool' && flag === `--${name}`);
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ProxyUsageError(`invalid argument "${text}" for "--${name}" flag`);
}

function durationOf(name: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return ms;
  throw new ProxyUsageError(`invalid argument "${text}" for "--${name}" flag`);
}

/** `host:port` of a URL. */
export function withoutScheme(endpoint: string): string {
  return endpoint.replace(/^https?:\/\//, '');
}

function clientTlsOf(text: (name: string) => string, list: (name: string) => string[], autoTls: boolean): TlsSettings {
  return {
    ...noTls,
    certFile: text('cert-file'),
    keyFile: text('key-file'),
    trustedCaFile: text('trusted-ca-file'),
    crlFile: text('client-crl-file'),
    skipClientSanVerification: true,
    autoTls,
    cipherSuites: list('listen-cipher-suites'),
    minVersion: text('tls-min-version') as TlsSettings['minVersion'],
    maxVersion: text('tls-max-version') as TlsSettings['maxVersion'],
  };
}

function refuseNonsense(config: ProxyConfig): void {
  const { resolverPrefix, resolverTtlSeconds, endpoints, listenAddress } = config;
  if (resolverPrefix !== '' && resolverTtlSeconds < 1) {
    throw new ProxyUsageError(`invalid resolver-ttl ${resolverTtlSeconds}`);
  }
  if (resolverPrefix === '' && resolverTtlSeconds > 0) {
    throw new ProxyUsageError(`invalid resolver-prefix "${resolverPrefix}"`);
  }
  if (endpoints.length === 0) throw new ProxyUsageError('no endpoints found');
  if (config.clientTls.autoTls && config.selfSignedValidityYears === 0) {
    throw new ProxyUsageError('selfSignedCertValidity is invalid,it should be greater than 0');
  }
  if (!/:\d+$/.test(listenAddress)) throw new ProxyUsageError(`invalid listen-addr "${listenAddress}"`);
}
