import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authpb, etcdserverpb } from '@quorate/api';
import { latin1ToBytes } from '@quorate/base';
import { AuthModel } from './auth-model.ts';
import { KeyValueModel } from './key-value-model.ts';
import type { ModelRequest } from './state.ts';
import { compact, compare, del, grant, put, range, revoke, txn } from './testing/requests.ts';

type Entry = Partial<etcdserverpb.InternalRaftRequest>;

const { READ, WRITE, READWRITE } = authpb.PermissionType;

const addUser = (name: string): Entry => ({ authUserAdd: etcdserverpb.AuthUserAddRequest.create({ name }) });
const addRole = (name: string): Entry => ({ authRoleAdd: etcdserverpb.AuthRoleAddRequest.create({ name }) });
const give = (user: string, role: string): Entry => ({
  authUserGrantRole: etcdserverpb.AuthUserGrantRoleRequest.create({ user, role }),
});
const enable: Entry = { authEnable: etcdserverpb.AuthEnableRequest.create() };
const disable: Entry = { authDisable: etcdserverpb.AuthDisableRequest.create() };

function allow(name: string, permType: authpb.PermissionType, key: string, rangeEnd = ''): Entry {
  const perm = authpb.Permission.create({ permType, key: latin1ToBytes(key), rangeEnd: latin1ToBytes(rangeEnd) });
  return { authRoleGrantPermission: etcdserverpb.AuthRoleGrantPermissionRequest.create({ name, perm }) };
}

/** Users root, who may do everything, and `u` with role `r`; auth is on. */
function withUsers(...entries: Entry[]): AuthModel {
  const auth = new AuthModel();
  const setup = [addUser('root'), give('root', 'root'), addUser('u'), addRole('r'), give('u', 'r'), ...entries, enable];
  for (const entry of setup) applyAs(auth, 'root', entry);
  return auth;
}

function applyAs(auth: AuthModel, username: string, entry: Entry): void {
  auth.apply(etcdserverpb.InternalRaftRequest.create(entry), { username, authRevision: auth.revision });
}

function refusal(auth: AuthModel, request: ModelRequest, username = 'u', model = new KeyValueModel()) {
  return auth.refuse(request, { username, authRevision: auth.revision }, model.state);
}

test('users and roles count changes, and only administrators change them once auth is on', () => {
  const auth = new AuthModel();
  for (const entry of [
    addUser('a'),
    addUser('a'),
    addUser(''),
    addRole('r'),
    give('a', 'none'),
    give('a', 'r'),
    enable,
  ]) {
    applyAs(auth, 'nobody', entry);
  }
  assert.deepEqual([auth.revision, auth.isEnabled], [4, false]);
  for (const entry of [addUser('root'), give('root', 'root'), enable]) applyAs(auth, 'nobody', entry);
  assert.deepEqual([auth.revision, auth.isEnabled], [6, true]);
  applyAs(auth, 'a', addUser('b'));
  applyAs(auth, 'a', disable);
  assert.deepEqual([auth.revision, auth.isEnabled], [6, true]);
  applyAs(auth, 'root', addUser('b'));
  applyAs(auth, 'root', disable);
  assert.deepEqual([auth.revision, auth.isEnabled], [8, false]);
});

test('who a caller is', () => {
  const auth = withUsers(allow('r', READWRITE, 'a'));
  const { state } = new KeyValueModel();
  const refuse = (username: string, authRevision: number) =>
    auth.refuse(put('a', '1'), { username, authRevision }, state);
  assert.equal(refuse('u', auth.revision), undefined);
  assert.equal(refuse('', 0), 'ErrGRPCUserEmpty');
  assert.equal(refuse('u', auth.revision - 1), 'ErrGRPCAuthOldRevision');
  assert.equal(refuse('x', auth.revision), 'ErrGRPCPermissionDenied');
  assert.equal(refusal(auth, put('zzz', '1'), 'root'), undefined);
  assert.equal(refusal(new AuthModel(), put('a', '1')), undefined);
  assert.equal(refusal(auth, compact(1)), undefined);
});

test('what is read and what is written', () => {
  const auth = withUsers(allow('r', WRITE, 'w'), allow('r', READ, 'd'), allow('r', READWRITE, 'b'));
  const isDenied = (request: ModelRequest) => refusal(auth, request) === 'ErrGRPCPermissionDenied';
  assert.ok(!isDenied(put('w', '1')) && !isDenied(del('w')) && !isDenied(put('b', '1', { prevKv: true })));
  assert.ok(isDenied(put('w', '1', { prevKv: true })) && isDenied(del('w', '', true)) && isDenied(put('d', '1')));
  assert.ok(!isDenied(txn([compare('MOD', 'd', {})], [put('w', '1'), range('d')], [del('b')])));
  assert.ok(isDenied(txn([compare('MOD', 'w', {})], [])));
  assert.ok(isDenied(txn([], [put('w', '1')], [put('d', '1')])));
  assert.ok(isDenied(txn([], [txn([], [], [range('w')])])));
});

test('intervals are covered by grants that touch', () => {
  const auth = withUsers(
    allow('r', WRITE, 'a', 'c'),
    allow('r', READWRITE, 'c', 'e'),
    allow('r', WRITE, 'e'),
    allow('r', WRITE, 'x', '\0'),
  );
  const isDenied = (request: ModelRequest) => refusal(auth, request) === 'ErrGRPCPermissionDenied';
  assert.ok(!isDenied(del('a', 'e')) && !isDenied(del('b', 'e\0')) && !isDenied(del('d')) && !isDenied(del('y', '\0')));
  assert.ok(isDenied(del('a', 'ea')) && isDenied(del('A', 'b')) && isDenied(del('a', '\0')) && isDenied(del('e', 'x')));
  // An empty interval is its first key.
  assert.ok(!isDenied(del('d', 'b')) && isDenied(del('f', 'b')));
  applyAs(auth, 'root', allow('r', READ, 'c', 'e'));
  assert.ok(isDenied(del('a', 'e')));
});

test('a lease belongs to those who may write all its keys', () => {
  const auth = withUsers(allow('r', WRITE, 'a'));
  const model = new KeyValueModel();
  for (const request of [grant(1n), grant(2n), put('a', '1', { lease: 1n }), put('b', '1', { lease: 2n })]) {
    model.apply(request);
  }
  assert.equal(refusal(auth, revoke(1n), 'u', model), undefined);
  assert.equal(refusal(auth, revoke(2n), 'u', model), 'ErrGRPCPermissionDenied');
  assert.equal(refusal(auth, revoke(2n), 'root', model), undefined);
  assert.equal(refusal(auth, put('a', '2', { lease: 2n }), 'u', model), 'ErrGRPCPermissionDenied');
  assert.equal(refusal(auth, put('a', '2', { lease: 1n }), 'u', model), undefined);
});

test('what is taken away is gone', () => {
  const auth = withUsers(allow('r', WRITE, 'a'), allow('r', WRITE, 'b'));
  const key = latin1ToBytes('a');
  const take = { authRoleRevokePermission: etcdserverpb.AuthRoleRevokePermissionRequest.create({ role: 'r', key }) };
  applyAs(auth, 'root', take);
  assert.equal(refusal(auth, put('a', '1')), 'ErrGRPCPermissionDenied');
  assert.equal(refusal(auth, put('b', '1')), undefined);
  const role = { authUserRevokeRole: etcdserverpb.AuthUserRevokeRoleRequest.create({ name: 'u', role: 'r' }) };
  applyAs(auth, 'root', role);
  assert.equal(refusal(auth, put('b', '1')), 'ErrGRPCPermissionDenied');
  applyAs(auth, 'root', give('u', 'r'));
  assert.equal(refusal(auth, put('b', '1')), undefined);
  applyAs(auth, 'root', { authRoleDelete: etcdserverpb.AuthRoleDeleteRequest.create({ role: 'r' }) });
  assert.equal(refusal(auth, put('b', '1')), 'ErrGRPCPermissionDenied');
  const { revision } = auth;
  applyAs(auth, 'root', { authUserDelete: etcdserverpb.AuthUserDeleteRequest.create({ name: 'root' }) });
  assert.equal(auth.revision, revision);
});
