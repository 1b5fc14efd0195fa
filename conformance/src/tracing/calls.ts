import { ask } from '../gateway/http-client.ts';
import type { Connection } from '../grpc/connection.ts';
import type { Message } from '../grpc/services.ts';
import { waitUntil } from '../support/text.ts';

/** A server that is called, and the headers that say in which trace. */
interface Called {
  readonly connection: Connection;
  readonly endpoint: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Calls of one trace. */
export interface TracedCall {
  readonly name: string;
  /** Attributes that differ by right. */
  readonly leftOut?: readonly string[];
  readonly run: (called: Called) => Promise<void>;
}

const key = (text: string): Buffer => Buffer.from(text);
const WAIT_MS = 10_000;

function unary(name: string, method: string, request: Message, leftOut: readonly string[] = []): TracedCall {
  return {
    name,
    leftOut,
    run: async ({ connection, metadata }) => void (await connection.unary(method, request, { metadata })),
  };
}

const put = { request_put: { key: key('t'), value: key('1'), lease: '7000000000000000001' } };
const range = { request_range: { key: key('t') } };
const remove = { request_delete_range: { key: key('t') } };
const compare = { key: key('c'), target: 'VERSION', result: 'EQUAL', version: '0' };

const keyValueCalls: readonly TracedCall[] = [
  unary('lease for the puts', 'Lease.LeaseGrant', { TTL: '600', ID: '7000000000000000001' }),
  unary('put', 'KV.Put', { key: key('a'), value: key('1') }),
  unary('put with everything', 'KV.Put', { key: key('ä/1'), value: key('1'), prev_kv: true }),
  unary('put without a key', 'KV.Put', { key: key('') }),
  unary('put with an unknown lease', 'KV.Put', { key: key('a'), lease: '99' }),
  unary('get', 'KV.Range', { key: key('a') }),
  unary('get at a time', 'KV.Range', { key: key('a'), revision: '2', serializable: true }),
  unary('range', 'KV.Range', { key: key('a'), range_end: key('z'), limit: '5', keys_only: true }),
  unary('count', 'KV.Range', { key: key('a'), range_end: key('z'), count_only: true }),
  unary('get of the future', 'KV.Range', { key: key('a'), revision: '99' }),
  unary('get without a key', 'KV.Range', { key: key('') }),
  unary('delete', 'KV.DeleteRange', { key: key('x'), range_end: key('z') }),
  unary('delete without a key', 'KV.DeleteRange', { key: key('') }),
  unary('transaction', 'KV.Txn', { compare: [compare], success: [put, range], failure: [remove] }),
  unary('transaction that reads', 'KV.Txn', { success: [range] }),
  unary('transaction that deletes', 'KV.Txn', { success: [remove] }),
  unary('transaction in a transaction', 'KV.Txn', { success: [{ request_txn: { success: [put] } }] }),
  unary('empty transaction', 'KV.Txn', {}),
  unary('transaction that is refused', 'KV.Txn', { success: [put, put] }),
  unary('compaction', 'KV.Compact', { revision: '2' }),
  unary('physical compaction', 'KV.Compact', { revision: '3', physical: true }),
  unary('compaction of the future', 'KV.Compact', { revision: '99' }),
  {
    name: 'streamed range',
    run: async ({ connection, metadata }) => {
      await connection.serverStream('KV.RangeStream', { key: key('a'), range_end: key('z') }, { metadata });
    },
  },
  {
    name: 'streamed range that is refused',
    run: async ({ connection, metadata }) => {
      await connection.serverStream('KV.RangeStream', { key: key('') }, { metadata });
    },
  },
];

const otherCalls: readonly TracedCall[] = [
  unary('lease', 'Lease.LeaseGrant', { TTL: '100', ID: '7587862094921392395' }),
  unary('lease without an id', 'Lease.LeaseGrant', { TTL: '100' }, ['id']),
  unary('lease that is there', 'Lease.LeaseGrant', { TTL: '100', ID: '7587862094921392395' }),
  unary('time to live', 'Lease.LeaseTimeToLive', { ID: '7587862094921392395' }),
  unary('leases', 'Lease.LeaseLeases', {}),
  { name: 'renewals', run: renewTwice },
  unary('revoke', 'Lease.LeaseRevoke', { ID: '7587862094921392395' }),
  unary('revoke again', 'Lease.LeaseRevoke', { ID: '7587862094921392395' }),
  unary('members', 'Cluster.MemberList', { linearizable: true }),
  unary('member that is not', 'Cluster.MemberRemove', { ID: '5' }),
  unary('status', 'Maintenance.Status', {}),
  unary('hash', 'Maintenance.HashKV', {}),
  unary('hash of the future', 'Maintenance.HashKV', { revision: '99' }),
  unary('alarms', 'Maintenance.Alarm', {}),
  unary('leader that is not', 'Maintenance.MoveLeader', { targetID: '5' }),
  unary('auth status', 'Auth.AuthStatus', {}),
  unary('authentication while it is off', 'Auth.Authenticate', { name: 'a', password: 'b' }),
  unary('health', 'Health.Check', {}),
  unary('health of nothing', 'Health.Check', { service: 'x' }),
  { name: 'watches', run: watchTwice },
  { name: 'watch that is refused', run: watchRefused },
  { name: 'lock that is given up', run: giveLockUp },
  // Etcd's gateway is a client on a connection of its own; ours makes calls within the process.
  { name: 'put through the gateway', leftOut: ['server.address', 'server.port'], run: putAsJson },
];

export const tracedCalls: readonly TracedCall[] = [...keyValueCalls, ...otherCalls];

async function renewTwice({ connection, metadata }: Called): Promise<void> {
  const call = connection.duplex('Lease.LeaseKeepAlive', { metadata });
  for (const [index, id] of ['7587862094921392395', '99'].entries()) {
    call.send({ ID: id });
    await call.until(() => call.received.length > index, WAIT_MS);
  }
  call.halfClose();
  await call.until(() => call.end !== undefined, WAIT_MS);
}

async function watchTwice({ connection, metadata }: Called): Promise<void> {
  const call = connection.duplex('Watch.Watch', { metadata });
  const requests: Message[] = [
    { create_request: { key: key('w'), start_revision: '5', prev_kv: true, fragment: true } },
    { create_request: { key: key('a'), range_end: Buffer.from([0]), progress_notify: true } },
    { create_request: { key: key('b'), range_end: key('a') } },
    { create_request: { key: key('b'), watch_id: '1' } },
    { cancel_request: { watch_id: '0' } },
  ];
  for (const [index, request] of requests.entries()) {
    call.send(request);
    await call.until(() => call.received.length > index, WAIT_MS);
  }
  call.cancel();
  await call.until(() => call.end !== undefined, WAIT_MS);
}

async function watchRefused({ connection, metadata }: Called): Promise<void> {
  const call = connection.duplex('Watch.Watch', { metadata });
  call.send({ create_request: { key: key('a'), start_revision: '-1' } });
  await call.until(() => call.received.length > 0, WAIT_MS);
  call.cancel();
  await call.until(() => call.end !== undefined, WAIT_MS);
}

/** Waits for a lock that is held, and goes away. */
async function giveLockUp({ connection, endpoint, metadata }: Called): Promise<void> {
  const name = key('l');
  await connection.unary('Lock.Lock', { name, lease: '7000000000000000001' });
  await connection.unary('Lease.LeaseGrant', { TTL: '600', ID: '7000000000000000002' });
  const call = connection.duplex('Lock.Lock', { metadata });
  call.send({ name, lease: '7000000000000000002' });
  call.halfClose();
  await waitUntil('the lock to be waited for', WAIT_MS, async () => {
    const { body } = await ask(endpoint, { method: 'GET', path: '/metrics' });
    return /^etcd_debugging_mvcc_watcher_total 1$/m.test(body);
  });
  call.cancel();
  await call.until(() => call.end !== undefined, WAIT_MS);
}

async function putAsJson({ endpoint, metadata }: Called): Promise<void> {
  const headers = Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`grpc-metadata-${name}`, value]));
  await ask(endpoint, { path: '/v3/kv/put', headers, body: JSON.stringify({ key: 'YQ==' }) });
}
