import type { Message } from './services.ts';

// The rules of authentication and authorization one by one, in the order they are sent to fresh servers.

export interface AuthCase {
  /** Whose token goes with it: of a user that authenticated, `nobody`, or `forged`. */
  readonly as: string;
  readonly name: string;
  readonly method: string;
  readonly request: Message;
  /** What the reference itself must do. */
  readonly ok: boolean;
  readonly masked?: readonly string[];
  /** A stream, of which the first message or the end counts. */
  readonly isStream?: boolean;
}

const OPEN = '\0';
const READ = 0;
const WRITE = 1;
const READWRITE = 2;

function b(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function range(key: string, end = '', extra: Message = {}): Message {
  return { key: b(key), range_end: b(end), ...extra };
}

function put(key: string, extra: Message = {}): Message {
  return { key: b(key), value: b('v'), ...extra };
}

function grant(name: string, permType: number, key: string, end = ''): Message {
  return { name, perm: { permType, key: b(key), range_end: b(end) } };
}

/** Makes cases of one identity out of `[name, method, request]`. */
function cases(as: string, ok: boolean, rows: readonly [string, string, Message, Partial<AuthCase>?][]): AuthCase[] {
  return rows.map(([name, method, request, extra]) => ({ as, ok, name, method, request, ...extra }));
}

const stream = { isStream: true };
const members = { masked: ['members'] };

/** Without auth: who and what there is. */
export const preparing: readonly AuthCase[] = [
  ...cases('nobody', false, [
    ['enable without root', 'Auth.AuthEnable', {}],
    ['authenticate while off', 'Auth.Authenticate', { name: 'root', password: 'root' }],
    ['user without name', 'Auth.UserAdd', { name: '' }],
    ['a password of 73 bytes', 'Auth.UserAdd', { name: 'x', password: 'x'.repeat(73) }],
    ['delete an unknown user', 'Auth.UserDelete', { name: 'x' }],
    ['change the password of an unknown user', 'Auth.UserChangePassword', { name: 'x', password: 'y' }],
    ['change to a password of 73 bytes', 'Auth.UserChangePassword', { name: 'x', password: 'y'.repeat(73) }],
    ['grant to an unknown user', 'Auth.UserGrantRole', { user: 'x', role: 'root' }],
    ['revoke from an unknown user', 'Auth.UserRevokeRole', { name: 'x', role: 'root' }],
    ['get an unknown user', 'Auth.UserGet', { name: 'x' }],
    ['role without name', 'Auth.RoleAdd', { name: '' }],
    ['get an unknown role', 'Auth.RoleGet', { role: 'x' }],
    ['delete an unknown role', 'Auth.RoleDelete', { role: 'x' }],
    ['no permission', 'Auth.RoleGrantPermission', { name: 'x' }],
    ['permission on no key', 'Auth.RoleGrantPermission', grant('x', READ, '')],
    ['permission on no key and all behind', 'Auth.RoleGrantPermission', grant('x', READ, '', OPEN)],
    ['permission on an inverted range', 'Auth.RoleGrantPermission', grant('x', READ, 'b', 'a')],
    ['permission on an empty range', 'Auth.RoleGrantPermission', grant('x', READ, 'b', 'b')],
    ['permission to an unknown role', 'Auth.RoleGrantPermission', grant('x', READ, 'b')],
    ['revoke of an unknown role', 'Auth.RoleRevokePermission', { role: 'x', key: b('a') }],
  ]),
  ...cases('nobody', true, [['user root', 'Auth.UserAdd', { name: 'root', password: 'root' }]]),
  ...cases('nobody', false, [
    ['user root again', 'Auth.UserAdd', { name: 'root', password: 'root' }],
    ['enable, root without its role', 'Auth.AuthEnable', {}],
    ['grant of an unknown role', 'Auth.UserGrantRole', { user: 'root', role: 'x' }],
    ['revoke of a role not granted', 'Auth.UserRevokeRole', { name: 'root', role: 'root' }],
  ]),
  ...cases('nobody', true, [
    ['role root without a record', 'Auth.UserGrantRole', { user: 'root', role: 'root' }],
    ['role root again', 'Auth.UserGrantRole', { user: 'root', role: 'root' }],
    ['status', 'Auth.AuthStatus', {}],
    ['role root', 'Auth.RoleAdd', { name: 'root' }],
    ['permission to role root', 'Auth.RoleGrantPermission', grant('root', READ, 'x')],
    ['what role root shows', 'Auth.RoleGet', { role: 'root' }],
    ['alice', 'Auth.UserAdd', { name: 'alice', password: 'alice' }],
    ['bob', 'Auth.UserAdd', { name: 'bob', password: 'bob' }],
    ['a user without password', 'Auth.UserAdd', { name: 'none', options: { no_password: true } }],
    ['a hash sent by the client', 'Auth.UserAdd', { name: 'hash', password: 'hash', hashedPassword: 'AAAA' }],
    ['an empty password', 'Auth.UserAdd', { name: 'blank', password: '' }],
    ['another password for the user without', 'Auth.UserChangePassword', { name: 'none', password: 'x' }],
    ['role r', 'Auth.RoleAdd', { name: 'r' }],
    ['role s', 'Auth.RoleAdd', { name: 's' }],
    ['r reads from a to c', 'Auth.RoleGrantPermission', grant('r', READ, 'a', 'c')],
    ['r does all from c to e', 'Auth.RoleGrantPermission', grant('r', READWRITE, 'c', 'e')],
    ['r writes w', 'Auth.RoleGrantPermission', grant('r', WRITE, 'w')],
    ['r reads k alone', 'Auth.RoleGrantPermission', grant('r', READ, 'k')],
    ['r does all behind x', 'Auth.RoleGrantPermission', grant('r', READWRITE, 'x', OPEN)],
    ['the type of w is replaced', 'Auth.RoleGrantPermission', grant('r', READ, 'w')],
    ['and once more', 'Auth.RoleGrantPermission', grant('r', WRITE, 'w')],
    ['another range from the key c', 'Auth.RoleGrantPermission', grant('r', READ, 'c', 'd')],
    ['the first of them again', 'Auth.RoleGrantPermission', grant('r', READWRITE, 'c', 'e')],
    ['the second of them again', 'Auth.RoleGrantPermission', grant('r', READ, 'c', 'd')],
    ['s, too', 'Auth.RoleGrantPermission', grant('s', READWRITE, 'a')],
    ['alice has r', 'Auth.UserGrantRole', { user: 'alice', role: 'r' }],
    ['what r shows', 'Auth.RoleGet', { role: 'r' }],
    ['all roles', 'Auth.RoleList', {}],
    ['all users', 'Auth.UserList', {}],
    ...['a', 'c', 'k', 'w', 'z', 'secret'].map((key): [string, string, Message] => [`key ${key}`, 'KV.Put', put(key)]),
    ['a lease', 'Lease.LeaseGrant', { ID: '1', TTL: 1000 }],
    ['a key on it', 'KV.Put', put('secret', { lease: '1' })],
    ['a lease of c', 'Lease.LeaseGrant', { ID: '2', TTL: 1000 }],
    ['c on it', 'KV.Put', put('c', { lease: '2' })],
  ]),
  ...cases('nobody', false, [
    ['part of a permission is not revoked', 'Auth.RoleRevokePermission', { role: 'r', key: b('a') }],
  ]),
  ...cases('nobody', true, [['enable', 'Auth.AuthEnable', {}]]),
];

/** Every kind of request that somebody has to be behind. */
const guarded: readonly [string, string, Message, Partial<AuthCase>?][] = [
  ['range', 'KV.Range', range('a')],
  ['serializable range', 'KV.Range', range('a', '', { serializable: true })],
  ['range stream', 'KV.RangeStream', range('a'), stream],
  ['put', 'KV.Put', put('a')],
  ['delete', 'KV.DeleteRange', range('a')],
  ['txn', 'KV.Txn', { success: [{ request_range: range('a') }] }],
  ['txn that writes', 'KV.Txn', { success: [{ request_put: put('a') }] }],
  ['compact', 'KV.Compact', { revision: 1 }],
  ['watch', 'Watch.Watch', { create_request: range('a') }, stream],
  ['lease grant', 'Lease.LeaseGrant', { ID: '9', TTL: 1000 }],
  ['lease revoke', 'Lease.LeaseRevoke', { ID: '9' }],
  ['keep-alive', 'Lease.LeaseKeepAlive', { ID: '9' }, stream],
  ['time to live', 'Lease.LeaseTimeToLive', { ID: '9' }],
  ['time to live with keys', 'Lease.LeaseTimeToLive', { ID: '9', keys: true }],
  ['leases', 'Lease.LeaseLeases', {}],
  ['member list', 'Cluster.MemberList', {}, members],
  ['linearizable member list', 'Cluster.MemberList', { linearizable: true }, members],
  ['member add', 'Cluster.MemberAdd', { peerURLs: ['http://127.0.0.1:1'] }],
  ['member add of a bad url', 'Cluster.MemberAdd', { peerURLs: ['foo:1'] }],
  ['member remove', 'Cluster.MemberRemove', { ID: 4711 }],
  ['member update', 'Cluster.MemberUpdate', { ID: 4711, peerURLs: ['http://127.0.0.1:1'] }],
  ['member promote', 'Cluster.MemberPromote', { ID: 4711 }],
  ['status', 'Maintenance.Status', {}],
  ['alarms', 'Maintenance.Alarm', { action: 0 }],
  ['alarm', 'Maintenance.Alarm', { action: 1, alarm: 1 }],
  ['alarm off', 'Maintenance.Alarm', { action: 2, alarm: 1 }],
  ['hash', 'Maintenance.Hash', {}],
  ['hash of keys', 'Maintenance.HashKV', {}],
  ['defragment', 'Maintenance.Defragment', {}],
  ['snapshot', 'Maintenance.Snapshot', {}, stream],
  ['move leader', 'Maintenance.MoveLeader', { targetID: 4711 }],
  ['users', 'Auth.UserList', {}],
  ['roles', 'Auth.RoleList', {}],
  ['user', 'Auth.UserGet', { name: 'alice' }],
  ['no user', 'Auth.UserGet', { name: '' }],
  ['role', 'Auth.RoleGet', { role: 'r' }],
  ['enable', 'Auth.AuthEnable', {}],
  ['disable', 'Auth.AuthDisable', {}],
  ['user add', 'Auth.UserAdd', { name: 'new', password: 'new' }],
  ['user delete', 'Auth.UserDelete', { name: 'new' }],
  ['password', 'Auth.UserChangePassword', { name: 'bob', password: 'bob' }],
  ['grant role', 'Auth.UserGrantRole', { user: 'bob', role: 's' }],
  ['revoke role', 'Auth.UserRevokeRole', { name: 'bob', role: 's' }],
  ['role add', 'Auth.RoleAdd', { name: 'new' }],
  ['role delete', 'Auth.RoleDelete', { role: 'new' }],
  ['grant permission', 'Auth.RoleGrantPermission', grant('s', READ, 'b')],
  ['revoke permission', 'Auth.RoleRevokePermission', { role: 's', key: b('b') }],
];

const opRange = (key: string, end = ''): Message => ({ request_range: range(key, end) });
const opPut = (key: string, extra: Message = {}): Message => ({ request_put: put(key, extra) });
const opDelete = (key: string, end = '', extra: Message = {}): Message => ({
  request_delete_range: range(key, end, extra),
});
const opTxn = (request: Message): Message => ({ request_txn: request });
const watch = (key: string, end = '', extra: Message = {}): Message => ({ create_request: range(key, end, extra) });

/** With auth on; alice and root have tokens. */
export const enforced: readonly AuthCase[] = [
  ...cases('nobody', true, [['status of auth', 'Auth.AuthStatus', {}]]),
  ...cases('forged', false, [['status of auth', 'Auth.AuthStatus', {}]]),
  ...cases(
    'nobody',
    false,
    guarded.filter(([, method]) => !method.startsWith('Watch.')),
  ),
  ...cases(
    'forged',
    false,
    guarded.filter(([, method]) => !method.startsWith('Watch.')),
  ),
  ...cases('nobody', true, [['watch', 'Watch.Watch', watch('a'), stream]]),
  ...cases('forged', true, [['watch', 'Watch.Watch', watch('a'), stream]]),
  ...cases('alice', true, [
    ['adjacent permissions', 'KV.Range', range('a', 'e')],
    ['one key', 'KV.Range', range('k')],
    ['an open range', 'KV.Range', range('x', OPEN)],
    ['an empty range', 'KV.Range', range('b', 'b')],
    ['an inverted range', 'KV.Range', range('d', 'cc')],
    ['keys that are not there', 'KV.Range', range('xx', 'xy')],
    ['a stream', 'KV.RangeStream', range('a', 'e'), stream],
    ['put', 'KV.Put', put('c')],
    ['put to a key that is only written', 'KV.Put', put('w')],
    ['delete a key that is only written', 'KV.DeleteRange', range('w')],
    ['put on an own lease', 'KV.Put', put('d', { lease: '2' })],
    ['txn', 'KV.Txn', { compare: [range('k')], success: [opPut('c'), opRange('a', 'c')], failure: [opDelete('w')] }],
    ['txn of nothing', 'KV.Txn', {}],
    ['a watch', 'Watch.Watch', watch('k'), stream],
    ['a watch that is denied', 'Watch.Watch', watch('secret'), stream],
    ['a watch from a key on, by a permission on it alone', 'Watch.Watch', watch('k', OPEN), stream],
    ['a watch from a key on', 'Watch.Watch', watch('x', OPEN), stream],
    ['a watch of everything', 'Watch.Watch', watch('', OPEN), stream],
    ['a watch of an inverted range', 'Watch.Watch', watch('d', 'a'), stream],
    ['a watch in the past that is denied', 'Watch.Watch', watch('secret', '', { start_revision: -1 }), stream],
    ['time to live', 'Lease.LeaseTimeToLive', { ID: '1' }, { masked: ['TTL'] }],
    ['time to live with own keys', 'Lease.LeaseTimeToLive', { ID: '2', keys: true }, { masked: ['TTL', 'keys'] }],
    ['keep-alive of an own lease', 'Lease.LeaseKeepAlive', { ID: '2' }, stream],
    ['keep-alive of an unknown lease', 'Lease.LeaseKeepAlive', { ID: '77' }, stream],
    ['a lease', 'Lease.LeaseGrant', { ID: '3', TTL: 1000 }],
    ['its revoke', 'Lease.LeaseRevoke', { ID: '3' }],
    ['members', 'Cluster.MemberList', {}, members],
    ['alarms', 'Maintenance.Alarm', { action: 0 }],
    ['herself', 'Auth.UserGet', { name: 'alice' }],
    ['her role', 'Auth.RoleGet', { role: 'r' }],
  ]),
  ...cases('alice', false, [
    ['beyond her permissions', 'KV.Range', range('a', 'f')],
    ['an open range from a key on', 'KV.Range', range('k', OPEN)],
    ['everything', 'KV.Range', range(OPEN, OPEN)],
    ['an inverted range where the search gives up', 'KV.Range', range('d', 'a')],
    ['an inverted range elsewhere', 'KV.Range', range('secret', 'a')],
    ['a stream beyond', 'KV.RangeStream', range('a', 'f'), stream],
    ['put where she reads', 'KV.Put', put('a')],
    ['put with the previous value where she only writes', 'KV.Put', put('w', { prev_kv: true })],
    ['put on the lease of a foreign key', 'KV.Put', put('c', { lease: '1' })],
    ['put on an unknown lease', 'KV.Put', put('c', { lease: '55' })],
    ['delete beyond', 'KV.DeleteRange', range('c', 'f')],
    ['delete with previous values where she only writes', 'KV.DeleteRange', range('w', '', { prev_kv: true })],
    ['a foreign key in the other branch', 'KV.Txn', { success: [opPut('c')], failure: [opRange('secret')] }],
    ['a foreign key in a compare', 'KV.Txn', { compare: [range('secret')], success: [opPut('c')] }],
    ['a foreign key far down', 'KV.Txn', { success: [opTxn({ failure: [opTxn({ success: [opPut('a')] })] })] }],
    ['a foreign compare far down', 'KV.Txn', { success: [opTxn({ compare: [range('secret')] })] }],
    ['prev_kv in a txn', 'KV.Txn', { success: [opPut('w', { prev_kv: true })] }],
    ['prev_kv of a delete in a txn', 'KV.Txn', { success: [opDelete('w', '', { prev_kv: true })] }],
    ['the lease of a foreign key in a txn', 'KV.Txn', { success: [opPut('c', { lease: '1' })] }],
    ['an inverted delete in a txn', 'KV.Txn', { success: [opPut('c'), opDelete('secret', 'a')] }],
    ['time to live with foreign keys', 'Lease.LeaseTimeToLive', { ID: '1', keys: true }],
    ['keep-alive of a foreign lease', 'Lease.LeaseKeepAlive', { ID: '1' }, stream],
    ['leases', 'Lease.LeaseLeases', {}],
    ['revoke of a foreign lease', 'Lease.LeaseRevoke', { ID: '1' }],
    ['another user', 'Auth.UserGet', { name: 'bob' }],
    ['an unknown user', 'Auth.UserGet', { name: 'x' }],
    ['another role', 'Auth.RoleGet', { role: 's' }],
    ...guarded.filter(([, method]) =>
      /^Auth\.(?!UserGet|RoleGet)|Compact|Member(?!List)|Hash|Defrag|Snap|Move/.test(method),
    ),
    ['an alarm', 'Maintenance.Alarm', { action: 1, alarm: 1 }],
  ]),
  ...cases('bob', false, [
    ['without roles', 'KV.Range', range('a')],
    ['without roles, nothing', 'KV.Range', range('b', 'b')],
  ]),
  ...cases('bob', true, [['himself', 'Auth.UserGet', { name: 'bob' }]]),
  ...cases('root', false, [
    ['delete root', 'Auth.UserDelete', { name: 'root' }],
    ['take its role', 'Auth.UserRevokeRole', { name: 'root', role: 'root' }],
    ['delete its role', 'Auth.RoleDelete', { role: 'root' }],
    ['an unknown user', 'Auth.UserGet', { name: 'x' }],
    ['not the leader it moves to', 'Maintenance.MoveLeader', { targetID: 4711 }],
  ]),
  ...cases('root', true, [
    ['everything', 'KV.Range', range(OPEN, OPEN)],
    ['enable again', 'Auth.AuthEnable', {}],
    ['leases', 'Lease.LeaseLeases', {}],
    ['a role is gone from its users', 'Auth.RoleDelete', { role: 's' }],
    ['alice', 'Auth.UserGet', { name: 'alice' }],
  ]),
  ...cases('alice', true, [['under a new revision', 'KV.Put', put('c')]]),
  ...cases('root', true, [
    ['alice has another password', 'Auth.UserChangePassword', { name: 'alice', password: 'new' }],
  ]),
  ...cases('alice', false, [['her token is void', 'KV.Range', range('k')]]),
  ...cases('root', true, [['bob is gone', 'Auth.UserDelete', { name: 'bob' }]]),
  ...cases('bob', false, [['his token is void', 'KV.Range', range('k')]]),
  ...cases('root', true, [
    ['no password at all', 'Auth.UserChangePassword', { name: 'blank', password: '' }],
    ['off', 'Auth.AuthDisable', {}],
  ]),
  ...cases('forged', true, [['nobody is asked', 'KV.Range', range('k')]]),
  ...cases('nobody', true, [['on again', 'Auth.AuthEnable', {}]]),
  ...cases('root', false, [['tokens from before', 'KV.Range', range('k')]]),
];

/** Who authenticates by what, in order; the rest of the cases uses the tokens. */
export const logins: readonly [name: string, password: string][] = [
  ['root', 'root'],
  ['alice', 'alice'],
  ['bob', 'bob'],
  ['alice', 'wrong'],
  ['alice', ''],
  ['nobody', 'x'],
  ['', ''],
  ['none', ''],
  ['none', 'x'],
  ['blank', ''],
  ['blank', 'x'],
  ['hash', 'hash'],
];
