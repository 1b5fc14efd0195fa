import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errors, etcdserverpb } from '@quorate/api';
import { SeededRandom, silentLogger, utf8ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { AuthStore, type Identity, nobody } from '@quorate/machine';
import { createMemoryBackend } from '@quorate/storage';
import type { Call } from '@quorate/transport';
import { SimpleTokens } from '../auth/simple-tokens.ts';
import { Access } from './access.ts';
import type { ProposalOutcome } from './proposals.ts';

const clock = new NodeClock();
const outcome: ProposalOutcome = { applied() {}, failed() {} };

interface Setting {
  readonly clientCertAuth?: boolean;
}

/** Access of a member whose entries are applied by `applyTo`, with users root and alice. */
function setUp({ clientCertAuth = false }: Setting = {}) {
  const tokens = new SimpleTokens({ clock, random: new SeededRandom(1) }, 60_000);
  const auth = new AuthStore({ backend: createMemoryBackend({ clock }), leases: { keysOf: () => [] }, tokens });
  let appliedIndex = 0;
  let committedIndex = 0;
  const proposed: { bytes: string; identity: Identity | undefined }[] = [];
  const access = new Access(
    {
      auth,
      tokens,
      appliedIndex: () => appliedIndex,
      committedIndex: () => Math.max(appliedIndex, committedIndex),
      logger: silentLogger,
      fingerprint: (token) => token,
      proposals: {
        propose: (_field, request, _outcome, identity) => proposed.push({ bytes: String(request), identity }),
      },
    },
    { clientCertAuth },
  );
  const apply = (request: Partial<etcdserverpb.InternalRaftRequest>) => {
    appliedIndex++;
    const made = etcdserverpb.InternalRaftRequest.create(request);
    const answer = auth.apply(made, { username: 'root', authRevision: 1 }, appliedIndex);
    access.applied();
    return answer;
  };
  const addUser = (name: string) =>
    apply({ authUserAdd: etcdserverpb.AuthUserAddRequest.create({ name, hashedPassword: 'AAAA' }) });
  addUser('root');
  addUser('alice');
  apply({ authUserGrantRole: etcdserverpb.AuthUserGrantRoleRequest.create({ user: 'root', role: 'root' }) });
  const enable = () => apply({ authEnable: etcdserverpb.AuthEnableRequest.create() });
  const authenticate = (name: string, simpleToken: string) =>
    apply({ authenticate: etcdserverpb.InternalAuthenticateRequest.create({ name, simpleToken }) });
  const commit = (entries: number) => {
    committedIndex = appliedIndex + entries;
    return appliedIndex;
  };
  return { access, proposed, enable, authenticate, addUser, commit };
}

interface FakeCall extends Call {
  readonly failures: string[];
  cancel(): void;
}

function callWith(metadata: Record<string, string>, commonName?: string, verified = true): FakeCall {
  const failures: string[] = [];
  const call = {
    metadata: new Map(Object.entries(metadata)),
    peer: { certificate: commonName === undefined ? null : { commonName, verified } },
    cancelled: false,
    failures,
    onCancel: () => assert.fail('the handler alone hears of the end'),
    fail: (_code: number, message: string) => failures.push(message),
    cancel: () => {
      call.cancelled = true;
    },
  };
  return call as unknown as FakeCall;
}

/** What `admit` comes to: who was let pass, or why not. */
function admitted(access: Access, call: FakeCall): string {
  let seen = '';
  access.admit(
    call,
    (identity) => {
      seen = identity === nobody ? 'nobody' : `${identity.username} at ${identity.authRevision}`;
      return undefined;
    },
    () => {},
  );
  return call.failures[0] ?? seen;
}

test('while auth is off nobody is asked, and entries say nothing of who', () => {
  const { access, proposed } = setUp();
  const call = callWith({ token: 'forged.1' });
  let served = 0;
  access.asAdmin(call, () => served++);
  access.asUser(call, () => served++);
  access.propose(call, 4, utf8ToBytes('a'), outcome, access.checkAdmin);
  access.propose(call, 4, utf8ToBytes('b'), outcome);
  assert.equal(served, 2);
  assert.deepEqual(
    proposed.map(({ identity }) => identity),
    [undefined, undefined],
  );
  assert.equal(access.refuseAdmin('forged.1'), undefined);
});

test('the token before the authorization before the certificate', () => {
  const { access, enable, authenticate } = setUp({ clientCertAuth: true });
  enable();
  authenticate('alice', 'a');
  const invalid = errors.ErrGRPCInvalidAuthToken.message;
  assert.equal(admitted(access, callWith({ token: 'a.4' })), 'alice at 4');
  assert.equal(admitted(access, callWith({ token: 'Bearer a.4' })), 'alice at 4');
  assert.equal(admitted(access, callWith({ authorization: 'a.4', token: 'b.4' })), invalid);
  assert.equal(admitted(access, callWith({ token: '' }, 'root')), invalid);
  assert.equal(admitted(access, callWith({}, 'root')), 'root at 4');
  assert.equal(admitted(access, callWith({}, 'root', false)), 'nobody');
  // As in etcd: somebody without a name, to whom no role gives anything.
  assert.equal(admitted(access, callWith({}, '')), ' at 4');
  assert.equal(admitted(access, callWith({ 'grpcgateway-accept': 'application/json' }, 'root')), 'nobody');
  assert.equal(admitted(access, callWith({})), 'nobody');
});

test('a certificate says nothing unless the member was told so', () => {
  const { access, enable } = setUp();
  enable();
  assert.equal(admitted(access, callWith({}, 'root')), 'nobody');
});

test('an entry carries who asked for it, and a copy of what', () => {
  const { access, enable, authenticate, proposed } = setUp();
  enable();
  authenticate('alice', 'a');
  const bytes = utf8ToBytes('x');
  access.propose(callWith({ token: 'a.4' }), 4, bytes, outcome);
  access.propose(callWith({}), 4, bytes, outcome);
  access.propose(callWith({ token: 'a.4' }), 4, bytes, outcome, access.checkUser);
  const anonymous = callWith({});
  access.propose(anonymous, 4, bytes, outcome, access.checkUser);
  const denied = callWith({ token: 'a.4' });
  access.propose(denied, 4, bytes, outcome, access.checkAdmin);
  const alice = { username: 'alice', authRevision: 4 };
  assert.deepEqual(
    proposed.map(({ identity }) => identity),
    [alice, nobody, alice],
  );
  assert.deepEqual(anonymous.failures, [errors.ErrGRPCUserEmpty.message]);
  assert.deepEqual(denied.failures, [errors.ErrGRPCPermissionDenied.message]);
});

test('a token of an entry that is not applied yet is waited for; who goes away is forgotten', () => {
  const { access, enable, authenticate, addUser, commit, proposed } = setUp();
  enable();
  const applied = commit(3);
  const bytes = utf8ToBytes('x');
  const known = callWith({ token: `b.${applied + 1}` });
  const gone = callWith({ token: `b.${applied + 1}` });
  const forged = callWith({ token: `c.${applied + 1}` });
  for (const call of [known, gone, forged]) access.propose(call, 4, bytes, outcome);
  // The receive buffer is used again meanwhile.
  bytes[0] = 0;
  gone.cancel();
  addUser('bob');
  assert.deepEqual([proposed.length, forged.failures.length], [0, 0]);
  authenticate('alice', 'b');
  assert.deepEqual(
    proposed.map((one) => one.bytes),
    [String(utf8ToBytes('x'))],
  );
  assert.deepEqual([known.failures, gone.failures], [[], []]);
  assert.deepEqual(forged.failures, [errors.ErrGRPCInvalidAuthToken.message]);
});

test('nobody waits for the entry behind the last one', () => {
  const { access, enable, commit } = setUp();
  enable();
  const call = callWith({ token: `x.${commit(0)}` });
  assert.equal(admitted(access, call), errors.ErrGRPCInvalidAuthToken.message);
});

test('those that wait for entries are bounded', () => {
  const { access, enable } = setUp();
  enable();
  const calls = Array.from({ length: 10_000 }, () => callWith({ token: 'x.99' }));
  for (const call of calls) assert.equal(admitted(access, call), '');
  assert.equal(admitted(access, callWith({ token: 'x.99' })), errors.ErrGRPCInvalidAuthToken.message);
  calls[0]?.cancel();
  assert.equal(admitted(access, callWith({ token: 'x.99' })), '');
  assert.equal(admitted(access, callWith({ token: 'x.99' })), errors.ErrGRPCInvalidAuthToken.message);
});

test('a read that goes on is told when users changed under it', () => {
  const { access, enable, authenticate, addUser } = setUp();
  enable();
  authenticate('alice', 'a');
  let recheck: (() => unknown) | undefined;
  access.admit(
    callWith({ token: 'a.4' }),
    () => undefined,
    (given) => {
      recheck = given;
    },
  );
  assert.equal(recheck?.(), undefined);
  addUser('bob');
  assert.equal(recheck?.(), 'ErrGRPCAuthOldRevision');
});

test('a promotion sent on by another member needs the token of an administrator', () => {
  const { access, enable, authenticate } = setUp();
  enable();
  authenticate('alice', 'a');
  authenticate('root', 'r');
  assert.equal(access.refuseAdmin(undefined), 'ErrGRPCUserEmpty');
  assert.equal(access.refuseAdmin('a.4'), 'ErrGRPCPermissionDenied');
  assert.equal(access.refuseAdmin('x.4'), 'ErrGRPCInvalidAuthToken');
  assert.equal(access.refuseAdmin('Bearer r.5'), undefined);
});
