import assert from 'node:assert/strict';
import { test } from 'node:test';
import { services } from '@quorate/api';
import { SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { hashKeys } from '@quorate/machine';
import { createGrpcServer } from '@quorate/transport';
import { LocalCluster, put, read, until } from '../testing/local-cluster.ts';
import type { Member } from './member.ts';

test('three members elect a leader, replicate, forward writes and survive the loss of the leader', {
  timeout: 60_000,
}, async () => {
  const cluster = new LocalCluster(['a', 'b', 'c']);
  await cluster.start();
  const { members } = cluster;
  try {
    const leader = cluster.leader() as Member;
    assert.equal(members.filter((member) => member.isLeader()).length, 1);
    assert.equal(leader.cluster.members.length, 3);
    const followers = members.filter((member) => member !== leader);
    await put(leader, 'k', 'by the leader');
    await put(followers[0] as Member, 'f', 'by a follower');
    for (const member of members) {
      assert.equal(await read(member, 'k'), 'by the leader');
      assert.equal(await read(member, 'f'), 'by a follower');
    }
    assert.deepEqual(new Set(members.map((member) => member.revision())), new Set([3]));

    const ended: string[] = [];
    leader.streams.add((symbol) => ended.push(`needs a leader: ${symbol}`), true);
    leader.streams.add((symbol) => ended.push(`does not: ${symbol}`), false);
    cluster.cutOff.add(leader.memberId);
    await until(() => followers.some((member) => member.isLeader()));
    const successor = followers.find((member) => member.isLeader()) as Member;
    await put(successor, 'k', 'by the successor');
    await assert.rejects(put(leader, 'k', 'lost'), /ErrGRPCTimeout|ContextDeadlineExceeded/);
    await until(() => ended.length > 0);
    assert.deepEqual(ended, ['needs a leader: ErrGRPCNoLeader']);

    cluster.cutOff.clear();
    await until(() => members.every((member) => member.revision() === successor.revision()));
    for (const member of members) assert.equal(await read(member, 'k'), 'by the successor');
  } finally {
    await cluster.stop();
  }
});

test('a follower behind the cut log gets the database while writes go on', {
  timeout: 60_000,
}, async () => {
  const cluster = new LocalCluster(['a', 'b', 'c'], ['--snapshot-count=100', '--snapshot-catchup-entries=20']);
  await cluster.start();
  try {
    const leader = cluster.leader() as Member;
    const follower = cluster.members.find((member) => member !== leader) as Member;
    await put(leader, 'before', '1');
    await until(() => follower.revision() === leader.revision());
    cluster.cutOff.add(follower.memberId);
    for (let i = 0; i < 30; i++) {
      await Promise.all(Array.from({ length: 100 }, (_, k) => put(leader, `k${k}`, `${i}`)));
    }
    cluster.cutOff.clear();
    let writing = true;
    const writer = (async () => {
      for (let i = 0; writing; i++) await put(leader, 'during', `${i}`);
    })();
    await until(() => follower.revision() >= 3000);
    writing = false;
    await writer;
    await put(leader, 'after', '1');
    assert.ok(cluster.snapshotsSent > 0);
    assert.equal(await read(follower, 'k99'), '29');
    assert.equal(await read(follower, 'after'), '1');
    await until(() => follower.revision() === leader.revision());
    assert.deepEqual(await hashKeys(follower.store, 0), await hashKeys(leader.store, 0));

    // What came by snapshot is there after a restart, too.
    const local = cluster.locals.find(({ member }) => member === follower);
    assert.ok(local !== undefined);
    await follower.stop();
    await cluster.restart(local);
    assert.equal(await read(local.member, 'after'), '1');
    assert.deepEqual(cluster.broken, []);
  } finally {
    await cluster.stop();
  }
});

test("a follower that is killed right after it took the leader's snapshot starts again with it", {
  timeout: 60_000,
}, async () => {
  const cluster = new LocalCluster(['a', 'b', 'c'], ['--snapshot-count=100', '--snapshot-catchup-entries=20']);
  await cluster.start();
  try {
    const leader = cluster.leader() as Member;
    const local = cluster.locals.find(({ member }) => member !== leader);
    assert.ok(local !== undefined);
    const follower = local.member;
    await put(leader, 'before', '1');
    await until(() => follower.revision() === leader.revision());
    cluster.cutOff.add(follower.memberId);
    for (let i = 0; i < 15; i++) await Promise.all(Array.from({ length: 100 }, (_, k) => put(leader, `k${k}`, `${i}`)));
    cluster.cutOff.clear();
    // Nothing is written any more: what comes with the snapshot has to be durable by itself.
    await until(() => follower.revision() === leader.revision());
    assert.ok(cluster.snapshotsSent > 0);
    cluster.cutOff.add(follower.memberId);
    local.disk.crash(new SeededRandom(1), 'process');
    await follower.stop().catch(() => {});
    cluster.cutOff.clear();
    await cluster.restart(local);
    assert.equal(await read(local.member, 'k99'), '14');
  } finally {
    await cluster.stop();
  }
});

test('who joins behind the cut log of a cluster where nothing more is written serves by the snapshot alone', {
  timeout: 60_000,
}, async () => {
  const cluster = new LocalCluster(['a'], ['--snapshot-count=100', '--snapshot-catchup-entries=20']);
  await cluster.start();
  const [member] = cluster.members as [Member];
  const grpc = createGrpcServer({ clock: new NodeClock(), logger: silentLogger }, {});
  member.serveOn(grpc);
  try {
    const { path, request } = services.Cluster.methods.MemberAdd;
    await grpc.local.unary(path, request.encode(request.create({ peerUrls: [cluster.nextUrl], isLearner: true })));
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 100 }, (_, k) => put(member, `k${k}`, `${i}`)));
    const joined = await cluster.join('b');
    assert.equal(cluster.snapshotsSent, 1);
    await until(() => joined.revision() === member.revision());
    assert.deepEqual(await hashKeys(joined.store, 0), await hashKeys(member.store, 0));
    assert.deepEqual(cluster.broken, []);
  } finally {
    grpc.close();
    await cluster.stop();
  }
});
