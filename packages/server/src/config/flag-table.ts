/**
 * Every flag of etcd 3.7.1, and ours, in one table, which parsing, the environment, the configuration file, `--help`, and the tests read.
 * The environment variable of a flag is `ETCD_` and its name in capitals with `-` as `_`. Defaults are in the flag's own syntax.
 */
export type FlagKind = 'string' | 'bool' | 'int' | 'uint' | 'uint32' | 'duration' | 'urls' | 'origins' | 'list' | 'enum' | 'ignored' | 'removed';

export interface Flag {
  readonly name: string;
  /** Dotted key of the configuration file; empty where the file has none. */
  readonly fileKey: string;
  readonly kind: FlagKind;
  readonly values?: readonly string[];
  readonly default: string;
  readonly status: 'normal' | 'deprecated' | 'hidden' | 'removed' | 'unsafe';
  /** Not one of etcd's. */
  readonly ours?: true;
  readonly meaning: string;
}

export const flags: readonly Flag[] = [
  { name: 'name', fileKey: 'name', kind: 'string', default: 'default', status: 'normal', meaning: 'Human name of this member; must appear as a key in the initial cluster map. Leaving it at the default logs a warning' },
  { name: 'data-dir', fileKey: 'data-dir', kind: 'string', default: '', status: 'normal', meaning: 'Root directory for everything the member persists' },
  { name: 'wal-dir', fileKey: 'wal-dir', kind: 'string', default: '', status: 'normal', meaning: 'Separate directory for the write-ahead log' },
  { name: 'snapshot-count', fileKey: 'snapshot-count', kind: 'uint', default: '10000', status: 'normal', meaning: 'Applied raft entries between two on-disk raft snapshots; 0 is replaced by the default at start' },
  { name: 'snapshot-catchup-entries', fileKey: 'snapshot-catchup-entries', kind: 'uint', default: '5000', status: 'normal', meaning: 'Raft entries kept in memory behind a snapshot so slow followers can catch up without a snapshot transfer; 0 is replaced by the default' },
  { name: 'heartbeat-interval', fileKey: 'heartbeat-interval', kind: 'uint', default: '100', status: 'normal', meaning: 'Raft tick and leader heartbeat period; must be > 0' },
  { name: 'election-timeout', fileKey: 'election-timeout', kind: 'uint', default: '1000', status: 'normal', meaning: 'Raft election timeout; must be >= 5x heartbeat and <= 50000' },
  { name: 'initial-election-tick-advance', fileKey: 'initial-election-tick-advance', kind: 'bool', default: 'true', status: 'normal', meaning: 'On boot skip most of the first election timeout once peers are connected; a single-member cluster always does it' },
  { name: 'listen-peer-urls', fileKey: 'listen-peer-urls', kind: 'urls', default: 'http://localhost:2380', status: 'normal', meaning: 'Addresses bound for raft/peer HTTP. Host must be an IP or the word localhost (or unix/unixs)' },
  { name: 'listen-client-urls', fileKey: 'listen-client-urls', kind: 'urls', default: 'http://localhost:2379', status: 'normal', meaning: 'Addresses bound for gRPC clients, and for HTTP too unless listen-client-http-urls is given' },
  { name: 'listen-client-http-urls', fileKey: 'listen-client-http-urls', kind: 'urls', default: '', status: 'normal', meaning: 'Addresses for HTTP-only client traffic; when set, listen-client-urls serves gRPC only' },
  { name: 'listen-metrics-urls', fileKey: 'listen-metrics-urls', kind: 'urls', default: '', status: 'normal', meaning: 'Extra listeners that serve only metrics and health endpoints; https needs the client cert/key' },
  { name: 'max-snapshots', fileKey: 'max-snapshots', kind: 'uint', default: '5', status: 'deprecated', meaning: 'How many .snap and .snap.db files to keep, 0 keeps all' },
  { name: 'max-wals', fileKey: 'max-wals', kind: 'uint', default: '5', status: 'normal', meaning: 'How many WAL segments to keep, 0 keeps all' },
  { name: 'memory-mlock', fileKey: 'memory-mlock', kind: 'bool', default: 'false', status: 'normal', meaning: 'mlock the backend database memory' },
  { name: 'quota-backend-bytes', fileKey: 'quota-backend-bytes', kind: 'int', default: '0', status: 'normal', meaning: 'Backend size limit that raises the NOSPACE alarm; negative disables the quota; above 8 GiB logs a warning' },
  { name: 'auto-disarm-nospace', fileKey: 'auto-disarm-nospace', kind: 'bool', default: 'false', status: 'normal', ours: true, meaning: 'Each member lowers its NOSPACE alarm by itself once a tenth of its quota is free again' },
  { name: 'backend-bbolt-freelist-type', fileKey: 'backend-bbolt-freelist-type', kind: 'string', default: '', status: 'normal', meaning: 'bbolt freelist kind: array, anything else means map' },
  { name: 'backend-batch-interval', fileKey: 'backend-batch-interval', kind: 'duration', default: '0s', status: 'normal', meaning: 'Longest time writes stay in the pending backend transaction before commit' },
  { name: 'backend-batch-limit', fileKey: 'backend-batch-limit', kind: 'int', default: '0', status: 'normal', meaning: 'Pending backend operations that force a commit' },
  { name: 'max-txn-ops', fileKey: 'max-txn-ops', kind: 'uint', default: '128', status: 'normal', meaning: 'Largest number of compares/ops per branch of a transaction' },
  { name: 'max-request-bytes', fileKey: 'max-request-bytes', kind: 'uint', default: '1572864', status: 'normal', meaning: 'Largest raft proposal; gRPC receive limit is this plus 524288. Above 10 MiB logs a warning' },
  { name: 'max-concurrent-streams', fileKey: 'max-concurrent-streams', kind: 'uint32', default: '4294967295', status: 'normal', meaning: 'HTTP/2 stream limit per client connection' },
  { name: 'grpc-keepalive-min-time', fileKey: 'grpc-keepalive-min-time', kind: 'duration', default: '5s', status: 'normal', meaning: 'Shortest ping period tolerated from a client before GOAWAY too_many_pings; 0 leaves the enforcement policy unset' },
  { name: 'grpc-keepalive-interval', fileKey: 'grpc-keepalive-interval', kind: 'duration', default: '2h0m0s', status: 'normal', meaning: 'Server-to-client ping period; used only when both this and the timeout are > 0' },
  { name: 'grpc-keepalive-timeout', fileKey: 'grpc-keepalive-timeout', kind: 'duration', default: '20s', status: 'normal', meaning: 'Extra wait for a ping answer before the connection is dropped' },
  { name: 'socket-reuse-port', fileKey: 'socket-options.reuse-port', kind: 'bool', default: 'false', status: 'normal', meaning: 'SO_REUSEPORT on every listener' },
  { name: 'socket-reuse-address', fileKey: 'socket-options.reuse-address', kind: 'bool', default: 'false', status: 'normal', meaning: 'SO_REUSEADDR on every listener' },
  { name: 'raft-read-timeout', fileKey: '', kind: 'duration', default: '5s', status: 'normal', meaning: 'Read deadline of peer connections; lower values are raised to 5s with an info log' },
  { name: 'raft-write-timeout', fileKey: '', kind: 'duration', default: '5s', status: 'normal', meaning: 'Write deadline of peer connections; lower values are raised to 5s with an info log' },
  { name: 'enable-grpc-gateway', fileKey: 'enable-grpc-gateway', kind: 'bool', default: 'true', status: 'normal', meaning: 'Serve the /v3/* JSON gateway' },
  { name: 'feature-gates', fileKey: 'feature-gates', kind: 'list', default: '', status: 'normal', meaning: 'Turns alpha/beta features on or off, see the feature-gate rows' },
  { name: 'initial-advertise-peer-urls', fileKey: 'initial-advertise-peer-urls', kind: 'urls', default: 'http://localhost:2380', status: 'normal', meaning: "Peer URLs announced to other members; must match this member's entry in initial-cluster" },
  { name: 'initial-cluster', fileKey: 'initial-cluster', kind: 'string', default: 'default=http://localhost:2380', status: 'normal', meaning: 'Bootstrap member map; a name may repeat for several URLs. Rebuilt from name + advertised peer URLs when only the name was changed' },
  { name: 'initial-cluster-state', fileKey: 'initial-cluster-state', kind: 'enum', values: ['new', 'existing'], default: 'new', status: 'normal', meaning: 'Create a cluster or join one; ignored once a WAL exists' },
  { name: 'initial-cluster-token', fileKey: 'initial-cluster-token', kind: 'string', default: 'etcd-cluster', status: 'normal', meaning: 'Mixed into member and cluster ID hashing so clusters cannot mix by accident' },
  { name: 'advertise-client-urls', fileKey: 'advertise-client-urls', kind: 'urls', default: 'http://localhost:2379', status: 'normal', meaning: 'Client URLs published in the member list; mandatory when listen-client-urls is given on the command line or by env' },
  { name: 'discovery-endpoints', fileKey: 'discovery-config.client.endpoints', kind: 'list', default: '', status: 'normal', meaning: 'v3 discovery: endpoints of the discovery cluster' },
  { name: 'discovery-token', fileKey: 'discovery-config.token', kind: 'string', default: '', status: 'normal', meaning: 'v3 discovery: registry token; must be given together with the endpoints' },
  { name: 'discovery-dial-timeout', fileKey: 'discovery-config.client.dial-timeout', kind: 'duration', default: '2s', status: 'normal', meaning: 'v3 discovery client dial timeout' },
  { name: 'discovery-request-timeout', fileKey: 'discovery-config.client.request-timeout', kind: 'duration', default: '5s', status: 'normal', meaning: 'v3 discovery per-request timeout' },
  { name: 'discovery-keepalive-time', fileKey: 'discovery-config.client.keepalive-time', kind: 'duration', default: '2s', status: 'normal', meaning: 'v3 discovery client keepalive period' },
  { name: 'discovery-keepalive-timeout', fileKey: 'discovery-config.client.keepalive-timeout', kind: 'duration', default: '6s', status: 'normal', meaning: 'v3 discovery client keepalive timeout' },
  { name: 'discovery-insecure-transport', fileKey: 'discovery-config.client.secure.insecure-transport', kind: 'bool', default: 'true', status: 'normal', meaning: 'v3 discovery: plain-text connection' },
  { name: 'discovery-insecure-skip-tls-verify', fileKey: 'discovery-config.client.secure.insecure-skip-tls-verify', kind: 'bool', default: 'false', status: 'normal', meaning: 'v3 discovery: do not check the server certificate' },
  { name: 'discovery-cert', fileKey: 'discovery-config.client.secure.cert', kind: 'string', default: '', status: 'normal', meaning: 'v3 discovery client certificate' },
  { name: 'discovery-key', fileKey: 'discovery-config.client.secure.key', kind: 'string', default: '', status: 'normal', meaning: 'v3 discovery client key' },
  { name: 'discovery-cacert', fileKey: 'discovery-config.client.secure.cacert', kind: 'string', default: '', status: 'normal', meaning: 'v3 discovery CA bundle' },
  { name: 'discovery-user', fileKey: 'discovery-config.client.auth.username', kind: 'string', default: '', status: 'normal', meaning: 'v3 discovery user name' },
  { name: 'discovery-password', fileKey: 'discovery-config.client.auth.password', kind: 'string', default: '', status: 'normal', meaning: 'v3 discovery password' },
  { name: 'discovery-srv', fileKey: 'discovery-srv', kind: 'string', default: '', status: 'normal', meaning: 'DNS domain whose SRV records give the initial cluster' },
  { name: 'discovery-srv-name', fileKey: 'discovery-srv-name', kind: 'string', default: '', status: 'normal', meaning: 'Suffix -<value> appended to the SRV service names' },
  { name: 'discovery-fallback', fileKey: '', kind: 'enum', values: ['exit', 'proxy'], default: 'exit', status: 'normal', meaning: 'Left over from v2 discovery; proxy is refused at validation' },
  { name: 'strict-reconfig-check', fileKey: 'strict-reconfig-check', kind: 'bool', default: 'true', status: 'normal', meaning: 'Refuse membership changes that would lose quorum' },
  { name: 'pre-vote', fileKey: 'pre-vote', kind: 'bool', default: 'true', status: 'normal', meaning: 'Raft pre-vote' },
  { name: 'auto-compaction-mode', fileKey: 'auto-compaction-mode', kind: 'enum', values: ['periodic', 'revision'], default: 'periodic', status: 'normal', meaning: 'How auto-compaction-retention is read' },
  { name: 'auto-compaction-retention', fileKey: 'auto-compaction-retention', kind: 'string', default: '0', status: 'normal', meaning: 'periodic: Go duration, or a bare integer meaning hours; revision: number of revisions to keep; 0 is off' },
  { name: 'v2-deprecation', fileKey: 'v2-deprecation', kind: 'enum', values: ['write-only', 'write-only-skip-check', 'write-only-drop-data', 'gone'], default: '', status: 'deprecated', meaning: 'Old v2 store phase switch; accepted, warned about and ignored. not-yet is an invalid value on the command line' },
  { name: 'cert-file', fileKey: 'client-transport-security.cert-file', kind: 'string', default: '', status: 'normal', meaning: 'Server certificate for client listeners' },
  { name: 'key-file', fileKey: 'client-transport-security.key-file', kind: 'string', default: '', status: 'normal', meaning: 'Key for cert-file' },
  { name: 'client-cert-file', fileKey: 'client-transport-security.client-cert-file', kind: 'string', default: '', status: 'normal', meaning: 'Certificate used when the server dials its own client port; falls back to cert-file' },
  { name: 'client-key-file', fileKey: 'client-transport-security.client-key-file', kind: 'string', default: '', status: 'normal', meaning: 'Key for client-cert-file; both or neither' },
  { name: 'client-cert-auth', fileKey: 'client-transport-security.client-cert-auth', kind: 'bool', default: 'false', status: 'normal', meaning: 'Require a verified client certificate and allow its CN to act as the user name' },
  { name: 'client-crl-file', fileKey: '', kind: 'string', default: '', status: 'normal', meaning: 'Revoked serial numbers for client certificates, re-read on each connection' },
  { name: 'client-cert-allowed-hostname', fileKey: 'client-transport-security.allowed-hostname', kind: 'list', default: '', status: 'normal', meaning: 'Client certificate must be valid for one of these SAN names' },
  { name: 'trusted-ca-file', fileKey: 'client-transport-security.trusted-ca-file', kind: 'string', default: '', status: 'normal', meaning: 'CA bundle for client certificates; setting it alone already forces client certificates' },
  { name: 'auto-tls', fileKey: 'client-transport-security.auto-tls', kind: 'bool', default: 'false', status: 'normal', meaning: 'Self-generate the client-side server certificate' },
  { name: 'peer-cert-file', fileKey: 'peer-transport-security.cert-file', kind: 'string', default: '', status: 'normal', meaning: 'Certificate for peer listeners and peer dialing' },
  { name: 'peer-key-file', fileKey: 'peer-transport-security.key-file', kind: 'string', default: '', status: 'normal', meaning: 'Key for peer-cert-file' },
  { name: 'peer-client-cert-file', fileKey: 'peer-transport-security.client-cert-file', kind: 'string', default: '', status: 'normal', meaning: 'Different certificate for dialing peers' },
  { name: 'peer-client-key-file', fileKey: 'peer-transport-security.client-key-file', kind: 'string', default: '', status: 'normal', meaning: 'Key for peer-client-cert-file' },
  { name: 'peer-client-cert-auth', fileKey: 'peer-transport-security.client-cert-auth', kind: 'bool', default: 'false', status: 'normal', meaning: 'Require verified certificates from peers' },
  { name: 'peer-trusted-ca-file', fileKey: 'peer-transport-security.trusted-ca-file', kind: 'string', default: '', status: 'normal', meaning: 'CA bundle for peers, both directions' },
  { name: 'peer-auto-tls', fileKey: 'peer-transport-security.auto-tls', kind: 'bool', default: 'false', status: 'normal', meaning: 'Self-generate peer certificates; peers then skip verification' },
  { name: 'self-signed-cert-validity', fileKey: 'self-signed-cert-validity', kind: 'uint', default: '1', status: 'normal', meaning: 'Lifetime of generated certificates; 0 is an error on the command line and means 1 in a file' },
  { name: 'peer-crl-file', fileKey: '', kind: 'string', default: '', status: 'normal', meaning: 'Revoked serial numbers for peer certificates' },
  { name: 'peer-cert-allowed-cn', fileKey: 'peer-transport-security.allowed-cn', kind: 'list', default: '', status: 'normal', meaning: 'Peer certificate CN must equal one of these' },
  { name: 'peer-cert-allowed-hostname', fileKey: 'peer-transport-security.allowed-hostname', kind: 'list', default: '', status: 'normal', meaning: 'Peer certificate must be valid for one of these SAN names; not together with allowed-cn' },
  { name: 'peer-skip-client-san-verification', fileKey: 'peer-transport-security.skip-client-san-verification', kind: 'bool', default: 'false', status: 'normal', meaning: 'Do not compare the remote address of a peer with the SANs of its certificate' },
  { name: 'cipher-suites', fileKey: 'cipher-suites', kind: 'list', default: '', status: 'normal', meaning: 'TLS 1.2 cipher suites by Go constant name, for client and peer listeners; forbidden with tls-min-version TLS1.3' },
  { name: 'tls-min-version', fileKey: 'tls-min-version', kind: 'string', default: 'TLS1.2', status: 'normal', meaning: 'Lowest accepted TLS version' },
  { name: 'tls-max-version', fileKey: 'tls-max-version', kind: 'string', default: '', status: 'normal', meaning: 'Highest accepted TLS version' },
  { name: 'cors', fileKey: 'cors', kind: 'origins', default: '*', status: 'normal', meaning: 'Origins echoed in CORS headers; empty also means any' },
  { name: 'host-whitelist', fileKey: 'host-whitelist', kind: 'list', default: '*', status: 'normal', meaning: 'Host header names accepted on plain-HTTP requests; empty means any' },
  { name: 'auth-token', fileKey: 'auth-token', kind: 'string', default: 'simple', status: 'normal', meaning: 'Token provider: simple, or jwt,key=value,...' },
  { name: 'bcrypt-cost', fileKey: 'bcrypt-cost', kind: 'uint', default: '10', status: 'normal', meaning: 'bcrypt work factor for passwords; out-of-range falls back to 10 with a warning' },
  { name: 'auth-token-ttl', fileKey: 'auth-token-ttl', kind: 'uint', default: '300', status: 'normal', meaning: 'Idle lifetime of simple tokens; 0 means 300' },
  { name: 'enable-pprof', fileKey: 'enable-pprof', kind: 'bool', default: 'false', status: 'normal', meaning: 'Serve /debug/pprof/ on client URLs; log-level debug turns it on as well' },
  { name: 'metrics', fileKey: 'metrics', kind: 'enum', values: ['basic', 'extensive'], default: 'basic', status: 'normal', meaning: 'extensive adds the gRPC handling-time histogram; other values behave as basic' },
  { name: 'enable-distributed-tracing', fileKey: 'enable-distributed-tracing', kind: 'bool', default: 'false', status: 'normal', meaning: 'Export OpenTelemetry spans by OTLP/gRPC without TLS' },
  { name: 'distributed-tracing-address', fileKey: 'distributed-tracing-address', kind: 'string', default: 'localhost:4317', status: 'normal', meaning: 'OTLP collector' },
  { name: 'distributed-tracing-service-name', fileKey: 'distributed-tracing-service-name', kind: 'string', default: 'etcd', status: 'normal', meaning: 'service.name resource attribute' },
  { name: 'distributed-tracing-instance-id', fileKey: 'distributed-tracing-instance-id', kind: 'string', default: '', status: 'normal', meaning: 'service.instance.id resource attribute, omitted when empty' },
  { name: 'distributed-tracing-sampling-rate', fileKey: 'distributed-tracing-sampling-rate', kind: 'int', default: '0', status: 'normal', meaning: 'Spans sampled per million; 0 samples nothing of its own (parent decision still honoured)' },
  { name: 'logger', fileKey: 'logger', kind: 'enum', values: ['zap'], default: 'zap', status: 'normal', meaning: 'Only zap; capnslog is refused with its own message' },
  { name: 'log-outputs', fileKey: 'log-outputs', kind: 'list', default: 'default', status: 'normal', meaning: 'default/stderr, stdout, systemd/journal, or file paths; default cannot be combined with others; /dev/null discards all' },
  { name: 'log-level', fileKey: 'log-level', kind: 'enum', values: ['debug', 'info', 'warn', 'error', 'panic', 'fatal'], default: 'info', status: 'normal', meaning: 'Minimum level; an unknown word panics the process (dpanic is accepted too)' },
  { name: 'log-format', fileKey: 'log-format', kind: 'enum', values: ['json', 'console'], default: 'json', status: 'normal', meaning: 'Encoder' },
  { name: 'enable-log-rotation', fileKey: 'enable-log-rotation', kind: 'bool', default: 'false', status: 'normal', meaning: 'Rotate the single file target of log-outputs' },
  { name: 'log-rotation-config-json', fileKey: 'log-rotation-config-json', kind: 'string', default: '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}', status: 'normal', meaning: 'Rotation limits: MB, days, files, local time in names, gzip' },
  { name: 'warning-unary-request-duration', fileKey: 'warning-unary-request-duration', kind: 'duration', default: '300ms', status: 'normal', meaning: "Log 'request stats' at warn for slower unary RPCs; 0 means 300ms" },
  { name: 'corrupt-check-time', fileKey: 'corrupt-check-time', kind: 'duration', default: '0s', status: 'normal', meaning: 'Period at which the leader compares KV hashes of all members' },
  { name: 'compact-hash-check-time', fileKey: 'compact-hash-check-time', kind: 'duration', default: '1m0s', status: 'normal', meaning: 'Period of the compaction-hash comparison (needs gate CompactHashCheck); must be > 0' },
  { name: 'compaction-batch-limit', fileKey: 'compaction-batch-limit', kind: 'int', default: '0', status: 'normal', meaning: 'Revisions scanned per compaction batch' },
  { name: 'compaction-sleep-interval', fileKey: 'compaction-sleep-interval', kind: 'duration', default: '0s', status: 'normal', meaning: 'Pause between compaction batches' },
  { name: 'watch-progress-notify-interval', fileKey: 'watch-progress-notify-interval', kind: 'duration', default: '0s', status: 'normal', meaning: 'Idle-watch progress notification period, plus up to 10% jitter; values under 100ms are raised to 100ms with a warning' },
  { name: 'warning-apply-duration', fileKey: 'warning-apply-duration', kind: 'duration', default: '100ms', status: 'normal', meaning: "Log 'apply request took too long' beyond this" },
  { name: 'bootstrap-defrag-threshold-megabytes', fileKey: 'bootstrap-defrag-threshold-megabytes', kind: 'uint', default: '0', status: 'normal', meaning: 'Defragment at boot when at least this much would be freed' },
  { name: 'max-learners', fileKey: 'max-learners', kind: 'int', default: '1', status: 'normal', meaning: 'Most learners allowed in the membership' },
  { name: 'downgrade-check-time', fileKey: 'downgrade-check-time', kind: 'duration', default: '5s', status: 'normal', meaning: 'How often the leader checks whether a running downgrade finished; 0 turns the check off' },
  { name: 'force-new-cluster', fileKey: 'force-new-cluster', kind: 'bool', default: 'false', status: 'unsafe', meaning: 'Restart an old data dir as a one-member cluster, dropping other members' },
  { name: 'unsafe-no-fsync', fileKey: 'unsafe-no-fsync', kind: 'bool', default: 'false', status: 'unsafe', meaning: 'No fsync for WAL and backend' },
  { name: 'config-file', fileKey: '', kind: 'string', default: '', status: 'normal', meaning: 'YAML/JSON configuration; other flags and env are ignored then' },
  { name: 'version', fileKey: '', kind: 'bool', default: 'false', status: 'normal', meaning: 'Print four version lines and exit 0. ETCD_VERSION in the environment is dropped with a warning' },
  { name: 'cluster-active-size', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'cluster-remove-delay', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'cluster-sync-interval', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'config', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'force', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'max-result-buffer', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'max-retry-attempts', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'peer-heartbeat-interval', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'peer-election-timeout', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'retry-interval', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'snapshot', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'v', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'vv', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'test.coverprofile', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'test.outputdir', fileKey: '', kind: 'ignored', default: '', status: 'hidden', meaning: 'Accepted for old command lines and test harnesses and ignored without output' },
  { name: 'discovery', fileKey: '', kind: 'removed', default: '', status: 'removed', meaning: 'v2 discovery URL; still listed by --help but not registered, so giving it is an undefined-flag error with exit code 2' },
  { name: 'discovery-proxy', fileKey: '', kind: 'removed', default: '', status: 'removed', meaning: 'HTTP proxy for v2 discovery; still listed by --help but not registered, so giving it is an undefined-flag error with exit code 2' },
];

/** What only the configuration file has: no flag, no variable. */
export const fileOnlySettings: readonly Flag[] = [
  { name: 'client-cert-allowed-cn', fileKey: 'client-transport-security.allowed-cn', kind: 'list', default: '', status: 'normal', meaning: 'CN of a client certificate must equal one of these' },
  { name: 'client-skip-client-san-verification', fileKey: 'client-transport-security.skip-client-san-verification', kind: 'bool', default: 'false', status: 'normal', meaning: 'Without effect: client listeners never compare SAN with address' },
];

export interface FeatureGate {
  readonly name: string;
  readonly default: boolean;
  readonly stage: 'alpha' | 'beta';
  readonly meaning: string;
}

export const featureGates: readonly FeatureGate[] = [
  { name: 'AllAlpha', default: false, stage: 'alpha', meaning: 'Sets every alpha gate that is not set by name' },
  { name: 'AllBeta', default: false, stage: 'beta', meaning: 'Sets every beta gate that is not set by name' },
  { name: 'CompactHashCheck', default: false, stage: 'alpha', meaning: 'Leader periodically compares the hash stored at each compaction with followers and raises CORRUPT' },
  { name: 'FastLeaseKeepAlive', default: true, stage: 'beta', meaning: 'Lease renewal on the leader does not wait for the applied index to catch up' },
  { name: 'InitialCorruptCheck', default: false, stage: 'alpha', meaning: 'Compare KV hash with peers before serving when the member already had data; mismatch aborts start' },
  { name: 'LeaseCheckpoint', default: false, stage: 'alpha', meaning: 'Leader replicates remaining lease TTLs every 5 minutes so a leader change does not reset them' },
  { name: 'LeaseCheckpointPersist', default: false, stage: 'alpha', meaning: 'Persist checkpointed TTLs; always on for cluster version >= 3.6; needs LeaseCheckpoint or start fails' },
  { name: 'PriorityRequest', default: false, stage: 'alpha', meaning: 'Under overload still admit some requests such as LeaseRevoke instead of too-many-requests' },
  { name: 'SetMemberLocalAddr', default: false, stage: 'alpha', meaning: 'Dial peers from the first non-loopback IP found in initial-advertise-peer-urls' },
  { name: 'StopGRPCServiceOnDefrag', default: false, stage: 'alpha', meaning: 'Health service reports NOT_SERVING while defragmenting' },
  { name: 'TxnModeWriteWithSharedBuffer', default: true, stage: 'beta', meaning: 'Read-only part of write transactions uses the shared read buffer' },
];
