import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type AnyMethod, authpb, etcdserverpb, type MessageCodec, services } from '@quorate/api';
import { silentLogger, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeRandom } from '@quorate/base/node';
import { type GrpcClient, GrpcStatusError } from '@quorate/transport';
import { createGrpcClient } from '@quorate/transport/node';
import type { RunningMember } from './start-member.ts';
import { startQuorate } from './start-quorate.ts';

const bytes = utf8ToBytes;
const { Auth, KV, Lease, Cluster, Maintenance } = services;
const { READ, READWRITE } = authpb.PermissionType;

interface Method<Q, A> {
  readonly path: string;
  readonly request: MessageCodec<Q>;
  readonly response: MessageCodec<A>;
}

/** A client of one member. */
class TestClient {
  private readonly client: GrpcClient;

  constructor(url: string) {
    const deps = { clock: new NodeClock(), logger: silentLogger, random: new NodeRandom() };
    this.client = createGrpcClient(deps, { address: url.replace('http://', '') });
  }

  close(): void {
    this.client.close();
  }

  async call<Q, A>(method: Method<Q, A>, request: Partial<Q>, token?: string): Promise<A> {
    return this.callWith(method, request, token === undefined ? [] : [['token', token]]);
  }

  async callWith<Q, A>(method: Method<Q, A>, request: Partial<Q>, metadata: [string, string][]): Promise<A> {
    const message = method.request.encode(method.request.create(request));
    return method.response.decode(await this.client.unary(method.path, message, { metadata }));
  }

  /** The first message of a stream, or the text it ended with. */
  first<Q, A>(method: Method<Q, A>, request: Partial<Q>, token?: string): Promise<A | string> {
    const metadata: [string, string][] = token === undefined ? [] : [['token', token]];
    const stream = this.client.stream(method.path, { metadata });
    return new Promise((resolve) => {
      stream.onMessage((message) => {
        resolve(method.response.decode(message.slice()));
        stream.cancel();
      });
      stream.onEnd((status) => resolve(status.message));
      stream.write(method.request.encode(method.request.create(request)));
    });
  }

  /** Resolves with the first event of a watch. */
  untilEvent(createRequest: etcdserverpb.WatchCreateRequest, token: string): Promise<void> {
    const { WatchRequest, WatchResponse } = etcdserverpb;
    const stream = this.client.stream(services.Watch.methods.Watch.path, { metadata: [['token', token]] });
    return new Promise((resolve) => {
      stream.onMessage((message) => {
        if (WatchResponse.decode(message).events.length === 0) return;
        resolve();
        stream.cancel();
      });
      stream.onEnd(() => {});
      stream.write(WatchRequest.encode(WatchRequest.create({ createRequest })));
    });
  }

  async authenticate(name: string): Promise<string> {
    return (await this.call(Auth.methods.Authenticate, { name, password: `${name}-password` })).token;
  }
}

/** The text of a failure; `ok` without one. */
async function textOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    if (error instanceof GrpcStatusError) return error.details;
    throw error;
  }
}

const empty = 'etcdserver: user name is empty';
const denied = 'etcdserver: permission denied';
const invalid = 'etcdserver: invalid auth token';

/** Root; alice, who may do everything to keys from a to c and reads d; auth is on. */
async function setUp(client: TestClient): Promise<void> {
  const auth = Auth.methods;
  for (const name of ['root', 'alice']) {
    await client.call(auth.UserAdd, { name, password: `${name}-password` });
    await client.call(auth.RoleAdd, { name });
    await client.call(auth.UserGrantRole, { user: name, role: name });
  }
  const grants = [
    { permType: READWRITE, key: bytes('a'), rangeEnd: bytes('c') },
    { permType: READ, key: bytes('d') },
  ];
  for (const grant of grants) {
    await client.call(auth.RoleGrantPermission, { name: 'alice', perm: authpb.Permission.create(grant) });
  }
  await client.call(KV.methods.Put, { key: bytes('d'), value: bytes('secret') });
  await client.call(auth.AuthEnable, {});
}

describe('a member in memory with authentication', { timeout: 60_000 }, () => {
  let member: RunningMember;
  let client: TestClient;
  let alice: string;
  let root: string;

  before(async () => {
    member = await startQuorate({ inMemory: true, flags: { 'bcrypt-cost': '4' } });
    client = new TestClient(member.clientUrls[0] as string);
    await setUp(client);
    alice = await client.authenticate('alice');
    root = await client.authenticate('root');
  });
  after(async () => {
    client.close();
    await member.stop();
  });

  test('GHSA-q8m4-xhhv-38mg: every method refuses who says nothing and whose token is forged, but for the few that may not', async () => {
    const open = new Set(['Authenticate', 'AuthStatus']);
    const all = [KV, Lease, Cluster, Maintenance, Auth].flatMap((service) =>
      Object.values(service.methods as Record<string, AnyMethod>),
    );
    const requests: Record<string, object> = {
      Range: { key: bytes('a') },
      RangeStream: { key: bytes('a') },
      Put: { key: bytes('a') },
      DeleteRange: { key: bytes('a') },
      // Without compares and operations nothing is asked for, nor in etcd.
      Txn: { compare: [etcdserverpb.Compare.create({ key: bytes('a') })] },
      MemberAdd: { peerUrls: ['http://127.0.0.1:1'] },
      UserGet: { name: 'x' },
    };
    let asked = 0;
    for (const method of all.filter(({ name }) => !open.has(name))) {
      for (const [token, expected] of [[undefined, empty] as const, ['forged.1', invalid] as const]) {
        const request = requests[method.name] ?? {};
        const answer = method.serverStreaming
          ? String(await client.first(method, request, token))
          : await textOf(client.call(method, request, token));
        // What is not served yet is refused, too.
        if (/^unknown (?:service|method)/.test(answer)) continue;
        asked++;
        assert.equal(answer, expected, `${method.path} with token ${token}`);
      }
    }
    assert.ok(asked >= 70, `${asked} calls`);
    assert.equal((await client.call(Auth.methods.AuthStatus, {})).enabled, true);
    assert.equal(await textOf(client.call(Auth.methods.AuthStatus, {}, 'forged.1')), invalid);
  });

  test('what administrators alone may do is denied to others', async () => {
    const admin: [AnyMethod, object][] = [
      [KV.methods.Compact, { revision: 1 }],
      [Cluster.methods.MemberAdd, { peerUrls: ['http://127.0.0.1:1'] }],
      [Cluster.methods.MemberRemove, { id: 1n }],
      [Cluster.methods.MemberUpdate, { id: 1n, peerUrls: ['http://127.0.0.1:1'] }],
      [Cluster.methods.MemberPromote, { id: 1n }],
      [Maintenance.methods.Alarm, { action: 1 }],
      [Maintenance.methods.Defragment, {}],
      [Maintenance.methods.Hash, {}],
      [Maintenance.methods.HashKV, {}],
      [Maintenance.methods.MoveLeader, { targetId: 1n }],
      [Auth.methods.UserList, {}],
      [Auth.methods.RoleGet, { role: 'root' }],
      [Auth.methods.AuthDisable, {}],
    ];
    for (const [method, request] of admin) {
      assert.equal(await textOf(client.call(method, request, alice)), denied, method.path);
    }
    assert.equal(await client.first(Maintenance.methods.Snapshot, {}, alice), denied);
    assert.equal(await textOf(client.call(Maintenance.methods.HashKV, {}, root)), 'ok');
    assert.notEqual(typeof (await client.first(Maintenance.methods.Snapshot, {}, root)), 'string');
    assert.equal(
      await textOf(client.call(Cluster.methods.MemberAdd, { peerUrls: ['foo:1'] })),
      'etcdserver: given member URLs are invalid',
    );
    const known: AnyMethod[] = [Maintenance.methods.Status, Cluster.methods.MemberList, Maintenance.methods.Alarm];
    for (const method of known) {
      assert.equal(await textOf(client.call(method, {}, alice)), 'ok', method.path);
    }
  });

  test('GHSA-rfx7-8w68-q57q and GHSA-xg4h-6gfc-h4m8 over the wire', async () => {
    const range = etcdserverpb.RequestOp.create({
      requestRange: etcdserverpb.RangeRequest.create({ key: bytes('secret') }),
    });
    const nested = etcdserverpb.RequestOp.create({
      requestTxn: etcdserverpb.TxnRequest.create({ failure: [range] }),
    });
    assert.equal(await textOf(client.call(KV.methods.Txn, { success: [range] }, alice)), denied);
    assert.equal(await textOf(client.call(KV.methods.Txn, { success: [nested] }, alice)), denied);
    assert.equal(await textOf(client.call(KV.methods.Txn, { success: [nested] }, root)), 'ok');
    const watch = async (key: string, rangeEnd: string, token?: string) => {
      const createRequest = etcdserverpb.WatchCreateRequest.create({ key: bytes(key), rangeEnd: bytes(rangeEnd) });
      const first = await client.first(services.Watch.methods.Watch, { createRequest }, token);
      return typeof first === 'string'
        ? first
        : [first.created, first.canceled, Number(first.watchId), first.cancelReason];
    };
    const refusal = (text: string) => [true, true, -1, `rpc error: code = ${text}`];
    assert.deepEqual(await watch('d', '', alice), [true, false, 0, '']);
    assert.deepEqual(await watch('d', '\0', alice), refusal(`PermissionDenied desc = ${denied}`));
    assert.deepEqual(await watch('d', ''), refusal(`InvalidArgument desc = ${empty}`));
    assert.deepEqual(await watch('d', '', 'forged.1'), refusal(`Unauthenticated desc = ${invalid}`));
  });

  test('locks and elections are made in the name of the caller', async () => {
    const { Lock, Election } = services;
    const { id: lease } = await client.call(Lease.methods.LeaseGrant, { ttl: 600 }, alice);
    const lock = (name: string, token?: string) => client.call(Lock.methods.Lock, { name: bytes(name), lease }, token);
    const { key } = await lock('a', alice);
    assert.equal(await textOf(lock('x', alice)), denied);
    assert.equal(await textOf(lock('a')), empty);
    assert.equal(await textOf(lock('a', 'forged.1')), invalid);
    assert.equal(await textOf(client.call(Election.methods.Leader, { name: bytes('x') }, alice)), denied);
    await client.call(Lock.methods.Unlock, { key }, alice);
  });

  test('keys as permitted, by either name of the token', async () => {
    const range = (key: string, rangeEnd: string, token?: string) =>
      textOf(client.call(KV.methods.Range, { key: bytes(key), rangeEnd: bytes(rangeEnd) }, token));
    assert.equal(await range('a', 'c', alice), 'ok');
    assert.equal(await range('a', 'd', alice), denied);
    assert.equal(await range('a', '\0', root), 'ok');
    assert.equal(await textOf(client.call(KV.methods.Put, { key: bytes('b') }, alice)), 'ok');
    assert.equal(await textOf(client.call(KV.methods.Put, { key: bytes('d') }, alice)), denied);
    for (const value of [alice, `Bearer ${alice}`]) {
      assert.equal(
        await textOf(client.callWith(KV.methods.Range, { key: bytes('d') }, [['authorization', value]])),
        'ok',
      );
    }
    const both: [string, string][] = [
      ['authorization', root],
      ['token', 'forged.1'],
    ];
    assert.equal(await textOf(client.callWith(KV.methods.Range, { key: bytes('d') }, both)), invalid);
    assert.equal(await client.first(KV.methods.RangeStream, { key: bytes('d'), rangeEnd: bytes('f') }, alice), denied);
    assert.notEqual(typeof (await client.first(KV.methods.RangeStream, { key: bytes('d') }, alice)), 'string');
  });

  test('leases: their keys decide', async () => {
    const { LeaseGrant, LeaseTimeToLive, LeaseLeases, LeaseRevoke, LeaseKeepAlive } = Lease.methods;
    await client.call(LeaseGrant, { id: 7n, ttl: 600 }, alice);
    assert.equal((await client.call(LeaseTimeToLive, { id: 7n, keys: true }, alice)).grantedTtl, 600);
    await client.call(KV.methods.Put, { key: bytes('z'), lease: 7n }, root);
    assert.equal((await client.call(LeaseTimeToLive, { id: 7n }, alice)).grantedTtl, 600);
    assert.equal(await textOf(client.call(LeaseTimeToLive, { id: 7n, keys: true }, alice)), denied);
    assert.equal(await textOf(client.call(LeaseLeases, {}, alice)), denied);
    assert.equal(await textOf(client.call(LeaseRevoke, { id: 7n }, alice)), denied);
    assert.equal(await client.first(LeaseKeepAlive, { id: 7n }, alice), denied);
    assert.equal(await client.first(LeaseKeepAlive, { id: 7n }), empty);
    const kept = await client.first(LeaseKeepAlive, { id: 7n }, root);
    assert.equal(typeof kept === 'string' ? kept : kept.ttl, 600);
    assert.equal(await textOf(client.call(KV.methods.Put, { key: bytes('a'), lease: 7n }, alice)), denied);
    assert.equal(await textOf(client.call(LeaseLeases, {}, root)), 'ok');
    assert.equal(await textOf(client.call(LeaseRevoke, { id: 7n }, root)), 'ok');
  });

  test('an expired lease takes its keys although nobody asks for it', async () => {
    await client.call(Lease.methods.LeaseGrant, { id: 8n, ttl: 2 }, root);
    await client.call(KV.methods.Put, { key: bytes('y'), lease: 8n }, root);
    const createRequest = etcdserverpb.WatchCreateRequest.create({
      key: bytes('y'),
      startRevision: member.member.revision() + 1,
      filters: [0],
    });
    await client.untilEvent(createRequest, root);
    assert.equal((await client.call(KV.methods.Range, { key: bytes('y') }, root)).count, 0);
  });

  test('passwords: what authenticates, what does not, and which tokens end with them', async () => {
    const { Authenticate, UserAdd, UserChangePassword, UserDelete } = Auth.methods;
    const fails = 'etcdserver: authentication failed, invalid user ID or password';
    const tries = (name: string, password: string) => textOf(client.call(Authenticate, { name, password }));
    assert.equal(await tries('alice', 'wrong'), fails);
    assert.equal(await tries('nobody', ''), fails);
    assert.equal(await tries('', ''), fails);
    await client.call(UserAdd, { name: 'bob', password: 'bob-password' }, root);
    await client.call(UserAdd, { name: 'none', options: authpb.UserAddOptions.create({ noPassword: true }) }, root);
    await client.call(UserAdd, { name: 'blank' }, root);
    assert.equal(await tries('none', ''), 'auth: authentication failed, password was given for no password user');
    assert.equal(await tries('blank', ''), 'ok');
    const tooLong = { name: 'long', password: 'x'.repeat(73) };
    const tooLongText = 'bcrypt: password length exceeds 72 bytes';
    assert.equal(await textOf(client.call(UserAdd, tooLong, root)), tooLongText);
    // As etcd, which hashes before it asks who it is.
    assert.equal(await textOf(client.call(UserAdd, tooLong)), tooLongText);
    const bob = await client.authenticate('bob');
    assert.equal(await textOf(client.call(Maintenance.methods.Status, {}, bob)), 'ok');
    await client.call(UserChangePassword, { name: 'bob', password: 'changed' }, root);
    assert.equal(await textOf(client.call(Maintenance.methods.Status, {}, bob)), invalid);
    assert.equal(await tries('bob', 'bob-password'), fails);
    assert.equal(await tries('bob', 'changed'), 'ok');
    await client.call(UserChangePassword, { name: 'blank', hashedPassword: 'AAAA' }, root);
    assert.equal(await tries('blank', ''), fails);
    const { token } = await client.call(Authenticate, { name: 'bob', password: 'changed' });
    await client.call(UserDelete, { name: 'bob' }, root);
    assert.equal(await textOf(client.call(Maintenance.methods.Status, {}, token)), invalid);
  });

  test('metrics tell the auth revision; switched off, tokens are not looked at', async () => {
    const { authRevision } = await client.call(Auth.methods.AuthStatus, {});
    const page = await (await fetch(`${member.clientUrls[0]}/metrics`)).text();
    assert.match(page, new RegExp(`^etcd_debugging_auth_revision ${authRevision}$`, 'm'));
    await client.call(Auth.methods.AuthDisable, {}, root);
    assert.equal(await textOf(client.call(KV.methods.Range, { key: bytes('z') }, 'forged.1')), 'ok');
    assert.equal(await textOf(client.call(KV.methods.Put, { key: bytes('z') })), 'ok');
    await client.call(Auth.methods.AuthEnable, {});
    assert.equal(await textOf(client.call(KV.methods.Range, { key: bytes('z') }, root)), invalid);
  });
});
