import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authpb, type ErrorSymbol } from '@quorate/api';
import { hexFromBytes, latin1ToBytes, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { BucketId, createMemoryBackend } from '@quorate/storage';
import { TestMachine } from '../apply/testing/test-machine.ts';
import { AuthStore } from './auth-store.ts';
import { AuthMachine } from './testing/auth-machine.ts';

const clock = new NodeClock();
const noLeases = { keysOf: () => [] };

async function open(): Promise<AuthMachine> {
  return new AuthMachine(await TestMachine.open(clock));
}

/** Plays lines `request => result`, in order, on a fresh machine. */
async function play(script: string): Promise<AuthMachine> {
  const auth = await open();
  for (const line of script.trim().split('\n')) {
    const [request = '', expected = 'ok'] = line.trim().split(' => ');
    if (request.startsWith('as ')) auth.as(request === 'as nobody' ? '' : request.slice(3));
    else assert.equal(auth.run(request), expected, line.trim());
  }
  return auth;
}

test('mutations while auth is off, and what they refuse', async () => {
  await play(`
    enable => ErrGRPCRootUserNotExist
    disable
    status => off at 1
    authenticate root => ErrGRPCAuthNotEnabled
    user-add '' => ErrGRPCUserEmpty
    user-add root
    user-add root => ErrGRPCUserAlreadyExist
    enable => ErrGRPCRootRoleNotExist
    user-delete nobody => ErrGRPCUserNotFound
    passwd nobody => ErrGRPCUserNotFound
    passwd root %% => PasswordForNoPasswordUser
    user-grant nobody root => ErrGRPCUserNotFound
    user-grant root r => ErrGRPCRoleNotFound
    user-grant root root
    user-revoke nobody root => ErrGRPCUserNotFound
    user-revoke root r => ErrGRPCRoleNotGranted
    role-add '' => ErrGRPCRoleEmpty
    role-add r
    role-add r => ErrGRPCRoleAlreadyExist
    role-get nothing => ErrGRPCRoleNotFound
    role-get root => ErrGRPCRoleNotFound
    role-delete nothing => ErrGRPCRoleNotFound
    grant nothing => ErrGRPCPermissionNotGiven
    grant nothing read '' => ErrGRPCInvalidAuthMgmt
    grant nothing read b a => ErrGRPCInvalidAuthMgmt
    grant nothing read b b => ErrGRPCInvalidAuthMgmt
    grant nothing read a b => ErrGRPCRoleNotFound
    grant r read b \\0
    revoke nothing b => ErrGRPCRoleNotFound
    revoke r b => ErrGRPCPermissionNotGranted
    revoke r b \\0
    status => off at 6
  `);
});

test('the auth revision counts changes of users and roles and switching off', async () => {
  await play(`
    user-add root
    user-grant root root
    user-grant root root
    status => off at 3
    enable
    status => on at 3
    as root
    enable
    role-add r
    grant r read a
    grant r write a
    as root
    status => on at 6
    disable
    disable
    status => off at 7
  `);
});

test('while auth is on only administrators change it, and never root itself', async () => {
  await play(`
    user-add root
    user-grant root root
    user-add alice
    user-add second
    user-grant second root
    role-add r
    role-add other
    role-add root
    grant r read a c
    user-grant alice r
    enable
    as nobody
    user-list => ErrGRPCUserEmpty
    user-get alice => ErrGRPCUserEmpty
    role-get r => ErrGRPCUserEmpty
    status => on at 11
    as gone
    user-list => ErrGRPCUserNotFound
    as alice
    enable => ErrGRPCPermissionDenied
    user-add x => ErrGRPCPermissionDenied
    user-get alice => r
    user-get root => ErrGRPCPermissionDenied
    role-get r => 0[a,c]
    role-get other => ErrGRPCPermissionDenied
    role-list => ErrGRPCPermissionDenied
    as second
    user-list => alice root second
    role-list => other r root
    role-get root => 2[,\\0]
    user-delete root => ErrGRPCInvalidAuthMgmt
    role-delete root => ErrGRPCInvalidAuthMgmt
    user-revoke root root => ErrGRPCInvalidAuthMgmt
    user-revoke second root
    user-list => ErrGRPCPermissionDenied
  `);
});

test('permissions of a role stand in the order of their keys; a deleted role is taken from its users', async () => {
  await play(`
    role-add r
    role-add s
    user-add u
    user-grant u s
    user-grant u r
    user-get u => r s
    grant r read c d
    grant r read a b
    grant r write a
    grant r readwrite a b
    role-get r => 2[a,b] 1[a,] 0[c,d]
    grant r read a
    role-get r => 2[a,b] 1[a,] 0[a,] 0[c,d]
    role-delete r
    user-get u => s
  `);
});

test('a token is numbered by the entry before its own; its user must exist and have a password', async () => {
  const auth = await play(`
    user-add root
    user-grant root root
    user-add bob none
    enable
    authenticate root => token.4 of root at 4
    authenticate bob => ErrGRPCAuthFailed
    authenticate nobody => ErrGRPCAuthFailed
  `);
  assert.equal(auth.machine.applier.appliedIndex, 7);
});

test('tokens end with their user, its password, and with auth', async () => {
  const backend = createMemoryBackend({ clock });
  const log: string[] = [];
  const tokens = {
    granted: (user: string, token: string) => log.push(`${token} of ${user}`),
    userInvalidated: (user: string) => log.push(`none of ${user}`),
    allInvalidated: () => log.push('none'),
  };
  const store = new AuthStore({ backend, leases: noLeases, tokens, countsOwnEntry: () => true });
  const auth = new AuthMachine(await TestMachine.open(clock, { auth: store }));
  auth.setUp('user-add root', 'user-grant root root', 'user-add u', 'enable').as('root');
  auth.setUp('authenticate u', 'passwd u', 'user-delete u').as('root').setUp('disable');
  assert.deepEqual(log, ['token.5 of u', 'none of u', 'none of u', 'none']);
  store.restore(createMemoryBackend({ clock }));
  assert.deepEqual([log.at(-1), store.isEnabled, store.revision], ['none', false, 1]);
});

test('records are byte for byte those of etcd', async () => {
  const auth = await open();
  const { backend } = auth.machine;
  const read = (bucket: (typeof BucketId)['auth' | 'authUsers' | 'authRoles'], key: string) =>
    hexFromBytes(backend.get(bucket, latin1ToBytes(key)) ?? new Uint8Array(0));
  assert.equal(read(BucketId.auth, 'authRevision'), '0000000000000001');
  assert.equal(read(BucketId.auth, 'authEnabled'), '');
  auth.setUp('user-add root x', 'user-add n none', 'role-add r', 'grant r readwrite k \\0', 'user-grant root root');
  auth.setUp('enable');
  assert.equal(read(BucketId.auth, 'authEnabled'), '01');
  assert.equal(read(BucketId.auth, 'authRevision'), '0000000000000006');
  // The empty options are there.
  assert.equal(
    read(BucketId.authUsers, 'root'),
    `0a04726f6f741209${hexFromBytes(utf8ToBytes('hash of x'))}1a04726f6f742200`,
  );
  assert.equal(read(BucketId.authUsers, 'n'), '0a016e22020801');
  assert.equal(read(BucketId.authRoles, 'r'), '0a0172120808021201 6b1a0100'.replace(' ', ''));
  auth.as('root').setUp('disable');
  assert.equal(read(BucketId.auth, 'authEnabled'), '00');
  assert.equal(read(BucketId.auth, 'authRevision'), '0000000000000007');
});

test('a store opened again, and one put on the backend of a snapshot, knows everything and forgets what it knew', async () => {
  const auth = await open();
  auth.setUp('user-add root', 'user-grant root root', 'role-add r', 'grant r read a', 'user-add \uFEFFroot', 'enable');
  const reopened = new AuthStore({ backend: auth.machine.backend, leases: noLeases });
  assert.deepEqual([reopened.isEnabled, reopened.revision], [true, 6]);
  assert.deepEqual(reopened.records.userNames(), ['root', '\uFEFFroot']);
  assert.equal(reopened.records.role('r')?.keyPermission.length, 1);
  const other = await open();
  other.setUp('user-add u', 'role-add s', 'grant s read a', 'user-grant u s');
  const check = () =>
    other.machine.auth.permissions.checkRange(user('u', other), latin1ToBytes('a'), new Uint8Array(0));
  assert.equal(check(), undefined);
  other.machine.auth.restore(auth.machine.backend);
  assert.equal(check(), 'ErrGRPCPermissionDenied' satisfies ErrorSymbol);
  assert.deepEqual(other.machine.auth.records.roleNames(), ['r']);
  assert.equal(other.as('root').run('user-list'), 'root \uFEFFroot');
});

function user(username: string, auth: AuthMachine) {
  return { username, authRevision: auth.machine.auth.revision };
}

test('an entry of 3.4 with a plain password is hashed where it is applied', async () => {
  const backend = createMemoryBackend({ clock });
  const store = new AuthStore({ backend, leases: noLeases, hashPassword: (password) => `hashed ${password}` });
  const auth = new AuthMachine(await TestMachine.open(clock, { auth: store }));
  auth.setUp('user-add-plain u secret');
  assert.equal(utf8FromBytes(store.records.user('u')?.password ?? new Uint8Array(0)), 'hashed secret');
  assert.equal(authpb.User.decode(backend.get(BucketId.authUsers, utf8ToBytes('u')) as Uint8Array).roles.length, 0);
});

test('a name that no bucket takes is refused', async () => {
  const auth = await open();
  assert.equal(auth.run(`user-add ${'x'.repeat(32_769)}`), 'ErrGRPCRequestTooLarge');
  assert.equal(auth.run(`role-add ${'x'.repeat(32_769)}`), 'ErrGRPCRequestTooLarge');
  assert.equal(auth.run(`user-add ${'x'.repeat(32_768)}`), 'ok');
});
