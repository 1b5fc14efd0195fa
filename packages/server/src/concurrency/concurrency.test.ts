import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Init, type Method, services, v3electionpb } from '@quorate/api';
import { delay, silentLogger, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { Cancellation, createGrpcServer, type GrpcServer, GrpcStatusError } from '@quorate/transport';
import type { Member } from '../member/member.ts';
import { LocalCluster } from '../testing/local-cluster.ts';

const clock = new NodeClock();
const { Lock, Unlock } = services.Lock.methods;
const { Campaign, Proclaim, Resign, Leader, Observe } = services.Election.methods;
const name = utf8ToBytes('q');
const text = utf8FromBytes;

/** A member as its clients have it. */
class Client {
  readonly server: GrpcServer;

  constructor(member: Member) {
    this.server = createGrpcServer({ clock, logger: silentLogger }, {});
    member.serveOn(this.server);
  }

  async call<Q extends object, A extends object>(
    method: Method<Q, A>,
    request: Init<Q>,
    cancellation = new Cancellation(),
  ): Promise<A> {
    const bytes = method.request.encode(method.request.create(request));
    return method.response.decode(await this.server.local.unary(method.path, bytes, { cancellation }));
  }

  async lease(id: bigint, ttl = 600): Promise<bigint> {
    await this.call(services.Lease.methods.LeaseGrant, { id, ttl });
    return id;
  }

  async keys(): Promise<string[]> {
    const all = { key: utf8ToBytes('q/'), rangeEnd: utf8ToBytes('q0') };
    const { kvs } = await this.call(services.KV.methods.Range, all);
    return kvs.map(({ key }) => text(key));
  }

  /** Resolves when as many keys stand in the queue. */
  async queued(count: number): Promise<void> {
    while ((await this.keys()).length !== count) await delay(clock, 2);
  }
}

async function start(t: TestContext, names = ['a']): Promise<{ cluster: LocalCluster; clients: Client[] }> {
  const cluster = new LocalCluster(names);
  await cluster.start();
  const clients = cluster.members.map((member) => new Client(member));
  t.after(async () => {
    for (const { server } of clients) server.close();
    await cluster.stop();
  });
  return { cluster, clients };
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => assert.fail('was granted'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof GrpcStatusError);
  return error.message;
}

test('a lock goes from one to the next in the order of asking, and its fencing token grows', async (t) => {
  const [client] = (await start(t)).clients as [Client];
  for (const id of [1n, 2n, 3n]) await client.lease(id);
  const first = await client.call(Lock, { name, lease: 1n });
  assert.equal(text(first.key), 'q/1');
  assert.equal(text((await client.call(Lock, { name, lease: 1n })).key), 'q/1');
  const order: string[] = [];
  const waiting: Promise<number>[] = [];
  for (const [i, lease] of [2n, 3n].entries()) {
    const asked = client.call(Lock, { name, lease });
    waiting.push(
      asked.then(({ key, header }) => {
        order.push(text(key));
        return header?.revision ?? 0;
      }),
    );
    await client.queued(i + 2);
  }
  assert.deepEqual(order, []);
  await client.call(Unlock, { key: first.key });
  const second = await (waiting[0] as Promise<number>);
  assert.deepEqual(order, ['q/2']);
  assert.ok(second > (first.header?.revision ?? 0));
  await client.call(Unlock, { key: utf8ToBytes('q/2') });
  await waiting[1];
  const { kvs } = await client.call(services.KV.methods.Range, { key: utf8ToBytes('q/3') });
  assert.ok((kvs[0]?.createRevision ?? 0) > (first.header?.revision ?? 0));
});

test('who goes away while waiting leaves no key, and the next is served', async (t) => {
  const [client] = (await start(t)).clients as [Client];
  for (const id of [1n, 2n, 3n]) await client.lease(id);
  const { key } = await client.call(Lock, { name, lease: 1n });
  const cancellation = new Cancellation();
  const second = refusal(client.call(Lock, { name, lease: 2n }, cancellation));
  await client.queued(2);
  const third = client.call(Lock, { name, lease: 3n });
  await client.queued(3);
  cancellation.cancel();
  assert.match(await second, /context canceled/);
  await client.queued(2);
  assert.deepEqual(await client.keys(), ['q/1', 'q/3']);
  await client.call(Unlock, { key });
  assert.equal(text((await third).key), 'q/3');
});

test('who goes away before it is known whether it holds leaves no key either', async (t) => {
  const [client] = (await start(t)).clients as [Client];
  await client.lease(1n);
  const cancellation = new Cancellation();
  const refused = refusal(client.call(Lock, { name, lease: 1n }, cancellation));
  // Behind the turn in which the handler asks for the key.
  clock.defer(() => cancellation.cancel());
  assert.match(await refused, /context canceled/);
  await client.call(services.KV.methods.Put, { key: utf8ToBytes('later') });
  await client.queued(0);
});

test('when the lease of the holder ends the next holds; one whose own ended while it waited is told', async (t) => {
  const [client] = (await start(t)).clients as [Client];
  for (const id of [1n, 2n, 3n]) await client.lease(id);
  await client.call(Lock, { name, lease: 1n });
  const second = refusal(client.call(Lock, { name, lease: 2n }));
  await client.queued(2);
  const third = client.call(Lock, { name, lease: 3n });
  await client.queued(3);
  await client.call(services.Lease.methods.LeaseRevoke, { id: 2n });
  await client.call(services.Lease.methods.LeaseRevoke, { id: 1n });
  assert.equal(await second, 'Unknown: mutex: session is expired');
  assert.equal(text((await third).key), 'q/3');
});

test('without a lease the server grants one; what fails has code Unknown', async (t) => {
  const [client] = (await start(t)).clients as [Client];
  const { key } = await client.call(Lock, { name, lease: 0n });
  assert.match(text(key), /^q\/[\da-f]+$/);
  const id = BigInt(`0x${text(key).slice(2)}`);
  const { grantedTtl } = await client.call(services.Lease.methods.LeaseTimeToLive, { id });
  assert.equal(Number(grantedTtl), 60);
  const unknown = 'Unknown: etcdserver: requested lease not found';
  assert.equal(await refusal(client.call(Lock, { name, lease: 99n })), unknown);
  assert.equal(await refusal(client.call(Unlock, {})), 'Unknown: etcdserver: key is not provided');
  await client.call(Unlock, { key: utf8ToBytes('q/none') });
  const missing = 'Unknown: "leader" field must be provided';
  assert.equal(await refusal(client.call(Proclaim, {})), missing);
  assert.equal(await refusal(client.call(Resign, {})), missing);
});

test('an election is won in turn, its value changed by the leader alone', async (t) => {
  const [client] = (await start(t)).clients as [Client];
  for (const id of [1n, 2n]) await client.lease(id);
  assert.equal(await refusal(client.call(Leader, { name })), 'Unknown: election: no leader');
  const { leader } = await client.call(Campaign, { name, lease: 1n, value: utf8ToBytes('one') });
  const valueNow = async () => text((await client.call(Leader, { name })).kv?.value ?? new Uint8Array());
  const again = await client.call(Campaign, { name, lease: 1n, value: utf8ToBytes('two') });
  assert.equal(again.leader?.rev, leader?.rev);
  assert.equal(await valueNow(), 'two');
  const next = client.call(Campaign, { name, lease: 2n, value: utf8ToBytes('other') });
  await client.queued(2);
  await client.call(Proclaim, { leader, value: utf8ToBytes('three') });
  assert.equal(await valueNow(), 'three');
  await client.call(Resign, { leader });
  assert.equal((await next).leader?.lease, 2n);
  assert.equal(await valueNow(), 'other');
  assert.equal(await refusal(client.call(Proclaim, { leader, value: name })), 'Unknown: election: not leader');
  await client.call(Resign, { leader });
  assert.equal(await valueNow(), 'other');
});

test('an observer hears the leader, its new values and the leaders after it', async (t) => {
  const [client] = (await start(t)).clients as [Client];
  for (const id of [1n, 2n]) await client.lease(id);
  const heard: string[] = [];
  let wake = () => {};
  const heardMore = (callback: () => void) => {
    wake = callback;
  };
  const stream = client.server.local.stream(Observe.path);
  stream.onMessage((bytes) => {
    const { kv, header } = v3electionpb.LeaderResponse.decode(bytes);
    assert.ok((header?.revision ?? 0) >= (kv?.modRevision ?? 0));
    heard.push(`${text(kv?.key ?? name)}=${text(kv?.value ?? name)}`);
    wake();
  });
  const ended = new Promise<number>((resolve) => stream.onEnd(({ code }) => resolve(code)));
  stream.write(v3electionpb.LeaderRequest.encode(v3electionpb.LeaderRequest.create({ name })));
  const until = async (count: number) => {
    while (heard.length < count) await new Promise<void>((resolve) => heardMore(resolve));
  };
  const { leader } = await client.call(Campaign, { name, lease: 1n, value: utf8ToBytes('x') });
  await until(1);
  await client.call(Proclaim, { leader, value: utf8ToBytes('y') });
  await until(2);
  const next = client.call(Campaign, { name, lease: 2n, value: utf8ToBytes('z') });
  await client.queued(2);
  await client.call(Resign, { leader });
  await next;
  await until(3);
  assert.deepEqual(heard, ['q/1=x', 'q/1=y', 'q/2=z']);
  stream.cancel();
  assert.equal(await ended, 1);
});

test('who waits on one member gets the lock that another gave up, across a change of the leader', async (t) => {
  const { cluster, clients } = await start(t, ['a', 'b', 'c']);
  const leading = cluster.members.indexOf(cluster.leader() as Member);
  const [one, two] = [0, 1, 2].filter((i) => i !== leading).map((i) => clients[i]) as [Client, Client];
  await one.lease(1n);
  await one.lease(2n);
  const { key } = await one.call(Lock, { name, lease: 1n });
  const waiting = two.call(Lock, { name, lease: 2n });
  await one.queued(2);
  const old = cluster.members[leading] as Member;
  const other = cluster.members[(leading + 1) % 3] as Member;
  await (clients[leading] as Client).call(services.Maintenance.methods.MoveLeader, { targetId: other.memberId });
  assert.notEqual(cluster.leader(), old);
  await one.call(Unlock, { key });
  assert.equal(text((await waiting).key), 'q/2');
});
