/** Names that only one of the two has, and why. */
export const explained: readonly (readonly [pattern: RegExp, reason: string])[] = [
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
export const explainedSeries: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [
    /^grpc_server_.*\{.*grpc_service="(?:v3lockpb\.Lock|v3electionpb\.Election)"/,
    'of ours there are zeros before the first use',
  ],
  [
    /^etcd_server_(?:request|apply)_duration_seconds\{.*Cluster(?:MemberAttr|Version)Set/,
    'a lone member need not propose it again',
  ],
];
