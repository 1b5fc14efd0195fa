type Explanation = readonly [pattern: RegExp, reason: string];

/** Names that only one of the two has, and why. */
export const explained: readonly Explanation[] = [
  [/^go_/, 'the runtime of Go'],
  [/^etcd_server_go_version$/, 'the version of Go'],
  [/^quorate_/, 'ours'],
  [/^etcd_grpc_proxy_/, "the proxy's own, always 0 in a server"],
  [/^etcd_debugging_store_/, 'the store of version 2, which there is none of'],
  [/^etcd_debugging_disk_backend_commit_/, 'phases of a commit that our engine does not have'],
  [/^etcd_debugging_server_watch_send_loop_/, 'a loop that our watch streams do not have'],
  [/^etcd_debugging_mvcc_pending_events_total$/, 'a channel that our watch streams do not have'],
  [/^etcd_mvcc_db_open_read_transactions$/, 'readers of ours hold no transaction'],
];

/** Series whose labels differ by right, and why. */
export const explainedSeries: readonly Explanation[] = [
  [
    /^grpc_server_.*\{.*grpc_service="(?:v3lockpb\.Lock|v3electionpb\.Election)"/,
    'of ours there are zeros before the first use',
  ],
  [
    /^etcd_server_(?:request|apply)_duration_seconds\{.*Cluster(?:MemberAttr|Version)Set/,
    'a lone member need not propose it again',
  ],
];

/** The same beside etcd 3.4, whose versions of metrics are older than ours. */
export const explainedSince34: readonly Explanation[] = [
  [/^etcd_debugging_mvcc_db_compaction_last$/, 'newer than 3.4'],
  [/^etcd_debugging_mvcc_db_total_size_in_bytes$/, 'gone since; today etcd_mvcc_db_total_size_in_bytes'],
  [/^etcd_debugging_mvcc_(?:delete|put|range|txn)_total$/, 'gone since; today etcd_mvcc_…'],
  [/^etcd_debugging_server_alarms$/, 'newer than 3.4'],
  [/^etcd_disk_wal_write_duration_seconds$/, 'newer than 3.4'],
  [/^etcd_network_known_peers$/, 'of a lone member, too, since 3.5'],
  [/^etcd_server_(?:apply|range|request)_duration_seconds$/, 'newer than 3.4'],
  [/^etcd_server_feature_enabled$/, 'newer than 3.4, as feature gates are'],
  [/^etcd_server_healthchecks?(?:_total)?$/, 'newer than 3.4, as the probes are'],
  [/^process_network_(?:receive|transmit)_bytes_total$/, "newer than 3.4, of Go's client"],
];

export const explainedSeriesSince34: readonly Explanation[] = [
  [/^etcd_(?:cluster|server)_version\{/, 'the version'],
  [/^grpc_server_.*\{.*grpc_method="(?:AuthStatus|Downgrade|List|RangeStream)"/, 'newer than 3.4'],
];
