import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBase64, etcdserverpb, type MessageCodec } from '@quorate/api';
import { utf8ToBytes } from '@quorate/base';
import type { ApplyResult } from '@quorate/machine';
import { RequestField } from '../rpc/proposals.ts';
import { LocalCluster, put, until } from '../testing/local-cluster.ts';
import type { Member } from './member.ts';

function propose<Q>(member: Member, field: number, codec: MessageCodec<Q>, fields: Partial<Q>): Promise<ApplyResult> {
  return new Promise((resolve, reject) => {
    member.proposals.propose(field, codec.encode(codec.create(fields)), {
      applied: (result) => (result.kind === 'error' ? reject(new Error(result.symbol)) : resolve(result)),
      failed: (symbol) => reject(new Error(symbol)),
    });
  });
}

const pb = etcdserverpb;

async function addRoot(member: Member): Promise<void> {
  const hashedPassword = encodeBase64(utf8ToBytes('plain secret'));
  await propose(member, RequestField.authUserAdd, pb.AuthUserAddRequest, { name: 'root', hashedPassword });
  await propose(member, RequestField.authUserGrantRole, pb.AuthUserGrantRoleRequest, { user: 'root', role: 'root' });
}

test('members agree on users and tokens; a follower that gets a snapshot enforces what is in it', {
  timeout: 60_000,
}, async () => {
  const cluster = new LocalCluster(['a', 'b', 'c'], ['--snapshot-count=100', '--snapshot-catchup-entries=20']);
  await cluster.start();
  const { members } = cluster;
  try {
    const leader = cluster.leader() as Member;
    const [follower, other] = members.filter((member) => member !== leader) as [Member, Member];
    await put(leader, 'k', '1');
    await until(() => follower.revision() === leader.revision());
    cluster.cutOff.add(follower.memberId);
    await addRoot(other);
    for (let i = 0; i < 30; i++) {
      await Promise.all(Array.from({ length: 100 }, (_, k) => put(leader, `k${k}`, `${i}`)));
    }
    await propose(other, RequestField.authEnable, pb.AuthEnableRequest, {});
    const authenticate = (member: Member, simpleToken: string) =>
      propose(member, RequestField.authenticate, pb.InternalAuthenticateRequest, { name: 'root', simpleToken });
    const early = await authenticate(other, 'early');
    assert.equal(follower.access.isOn, false);

    cluster.cutOff.clear();
    await until(() => follower.access.isOn);
    assert.ok(cluster.snapshotsSent > 0);
    await until(() => follower.appliedIndex() === leader.appliedIndex());
    assert.deepEqual(new Set(members.map((member) => member.authRevision())), new Set([3]));
    assert.equal(follower.access.refuseAdmin(undefined), 'ErrGRPCUserEmpty');

    // A token of an entry that came as a snapshot is not known there; each later one is, on all members.
    const token = (result: ApplyResult) => (result.kind === 'authenticated' ? result.simpleToken : '');
    assert.equal(leader.access.refuseAdmin(token(early)), undefined);
    const late = token(await authenticate(follower, 'late'));
    await until(() => members.every((member) => member.appliedIndex() === follower.appliedIndex()));
    for (const member of members) assert.equal(member.access.refuseAdmin(late), undefined);

    // Writes without an identity are refused alike everywhere, and the revision stands.
    await assert.rejects(
      propose(leader, RequestField.compaction, pb.CompactionRequest, { revision: 1_000_000 }),
      /ErrGRPCFutureRev/,
    );
    await assert.rejects(propose(leader, RequestField.put, pb.PutRequest, { key: utf8ToBytes('k') }), /UserEmpty/);
    assert.deepEqual(cluster.broken, []);

    // What came by snapshot is there after a restart, too; tokens are not.
    const local = cluster.locals.find(({ member }) => member === follower);
    assert.ok(local !== undefined);
    await follower.stop();
    await cluster.restart(local);
    assert.deepEqual([local.member.access.isOn, local.member.authRevision()], [true, 3]);
    assert.equal(local.member.access.refuseAdmin(token(early)), 'ErrGRPCInvalidAuthToken');
  } finally {
    await cluster.stop();
  }
});
