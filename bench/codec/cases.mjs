// The messages that the hot paths carry, of usual sizes.
import { etcdserverpb, mvccpb, raftpb } from '../../packages/api/dist/index.js';

const utf8 = (text) => new TextEncoder().encode(text);
const filled = (size, byte) => new Uint8Array(size).fill(byte);

function keyValue(i) {
  return mvccpb.KeyValue.create({
    key: utf8(`/registry/pods/default/pod-${String(i).padStart(6, '0')}`),
    createRevision: 1000 + i,
    modRevision: 5_000_000 + i,
    version: 7,
    value: filled(128, i),
    lease: i % 10 === 0 ? 7587880943712345678n : 0n,
  });
}

const header = etcdserverpb.ResponseHeader.create({
  clusterId: 0xcdf818194e3a8c32n,
  memberId: 0x8e9e05c52164694dn,
  revision: 5_000_100,
  raftTerm: 12,
});
const put = etcdserverpb.PutRequest.create({ key: utf8('/registry/pods/default/pod-000001'), value: filled(256, 1) });

const list = (namespace, typeName, title, message, raw) => ({
  title,
  name: `${namespace.pb}.${typeName}`,
  ours: namespace.of[typeName],
  message: namespace.of[typeName].create(message),
  raw: raw && namespace.of[`${typeName}Raw`],
});
const server = { pb: 'etcdserverpb', of: etcdserverpb };

export const cases = [
  list(server, 'PutRequest', 'PutRequest', put),
  list(
    server,
    'RangeResponse',
    'RangeResponse, 100 keys',
    { header, kvs: Array.from({ length: 100 }, (_, i) => keyValue(i)), count: 100 },
    true,
  ),
  list(
    server,
    'WatchResponse',
    'WatchResponse, 10 events',
    { header, watchId: 3, events: Array.from({ length: 10 }, (_, i) => mvccpb.Event.create({ kv: keyValue(i) })) },
    true,
  ),
  list(
    server,
    'InternalRaftRequest',
    'InternalRaftRequest, put',
    { header: etcdserverpb.RequestHeader.create({ id: 0x7587880943712345n, username: 'root', authRevision: 5 }), put },
    true,
  ),
  list({ pb: 'raftpb', of: raftpb }, 'Entry', 'raftpb.Entry', { term: 12, index: 5_000_100, data: filled(300, 2) }),
];
