// The choices of ours that the generator applies to what the .proto files say.

// 64-bit fields that hold ids are bigint, by field name. All others (revisions, terms, indexes, sizes …) are safe-integer
// numbers. Expiration and Time are nanoseconds since 1970, which a number cannot hold exactly.
export const bigintFields = new Set([
  'cluster_id',
  'member_id',
  'ID',
  'memberID',
  'member_ID',
  'targetID',
  'leader',
  'lease',
  'NodeID',
  'ClusterID',
  'to',
  'from',
  'vote',
  'node_id',
  'id',
  'voters',
  'learners',
  'voters_outgoing',
  'learners_next',
  'Expiration',
  'Time',
]);

// Of what clients ask, a signed number beyond the safe integers becomes the largest or smallest of them: etcd takes 2^63-1 for
// "no limit", and no revision, version or TTL of a store comes near either. Answers, headers and what members tell each other are
// refused when they go beyond. So is a watch id: cut off, it would name another watch.
export function saturates(messageName, fieldName) {
  const isAsked = /^(etcdserverpb|v3lockpb|v3electionpb)\.(\w+Request|Compare)$/.test(messageName);
  return isAsked && messageName !== 'etcdserverpb.InternalRaftRequest' && fieldName !== 'watch_id';
}

// Sub-message fields that the Raw form of a message keeps encoded, so that bytes can be spliced in and out.
export const rawFields = {
  'etcdserverpb.RangeResponse': ['header', 'kvs'],
  'etcdserverpb.PutResponse': ['header', 'prev_kv'],
  'etcdserverpb.DeleteRangeResponse': ['header', 'prev_kvs'],
  'etcdserverpb.TxnResponse': ['header', 'responses'],
  'etcdserverpb.WatchResponse': ['header', 'events'],
  'etcdserverpb.LeaseKeepAliveResponse': ['header'],
  'etcdserverpb.RangeStreamResponse': ['range_response'],
  'etcdserverpb.RequestOp': ['request_range', 'request_put', 'request_delete_range', 'request_txn'],
  'etcdserverpb.ResponseOp': ['response_range', 'response_put', 'response_delete_range', 'response_txn'],
  'etcdserverpb.TxnRequest': ['success', 'failure'],
  // All requests; the header alone is looked at before it is known what to do with the rest.
  'etcdserverpb.InternalRaftRequest': (fieldName) => fieldName !== 'header',
  'mvccpb.Event': ['kv', 'prev_kv'],
  // The same entry bytes go to the log and to every peer.
  'raftpb.Message': ['entries'],
};

// etcd up to 3.6 always writes every scalar of its proto2 messages, and so do we, since the older ones must read us.
// What it leaves out when unset: bytes (nil), and these.
export const proto2Unwritten = new Set([
  // Unknown to 3.5 and older; only between the parts of one member.
  'raftpb.Message.vote',
  // Three-valued in the v2 API: undefined, false, true.
  'etcdserverpb.Request.PrevExist',
  'etcdserverpb.Request.Refresh',
]);
export const triState = new Set(['etcdserverpb.Request.PrevExist', 'etcdserverpb.Request.Refresh']);

// Sub-messages that etcd up to 3.6 holds by value: always there, always written.
export const alwaysPresent = new Set(['raftpb.Snapshot.metadata', 'raftpb.SnapshotMetadata.conf_state']);
