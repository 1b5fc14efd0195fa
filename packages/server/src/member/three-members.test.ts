import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { etcdserverpb } from '@quorate/api';
import { MemoryDisk, SeededRandom, silentLogger, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import type { Message } from '@quorate/raft';
import { makeConfig } from '../config/config.ts';
import { parseArguments } from '../config/parse.ts';
import { MetricsRegistry } from '../metrics/registry.ts';
import type { PeerNetwork } from '../replica/peer-network.ts';
import { RequestField } from '../rpc/proposals.ts';
import { Member } from './member.ts';

const names = ['a', 'b', 'c'] as const;
const urlOf = (name: string) => `http://localhost:${12_000 + names.indexOf(name as 'a')}`;
const initialCluster = names.map((name) => `${name}=${urlOf(name)}`).join(',');
const clock = new NodeClock();

/** Hands messages from member to member in this process; what is for a member that is cut off is lost. */
class LocalNetwork {
  readonly members = new Map<bigint, Member>();
  readonly cutOff = new Set<bigint>();

  of(sender: () => bigint): PeerNetwork {
    return { send: (messages) => this.deliver(sender(), messages) };
  }

  private deliver(sender: bigint, messages: readonly Message[]): void {
    for (const message of messages) {
      clock.defer(() => {
        if (this.cutOff.has(sender) || this.cutOff.has(message.to)) return;
        this.members.get(message.to)?.receive(message);
      });
    }
  }
}

async function startThree(network: LocalNetwork): Promise<Member[]> {
  const members = await Promise.all(
    names.map(async (name, i) => {
      const config = makeConfig(
        parseArguments([
          `--name=${name}`,
          `--initial-cluster=${initialCluster}`,
          `--initial-advertise-peer-urls=${urlOf(name)}`,
          '--heartbeat-interval=10',
          '--election-timeout=100',
        ]),
      );
      let id = 0n;
      const member = await Member.open(
        {
          clock,
          disk: new MemoryDisk(),
          random: new SeededRandom(i + 1),
          logger: silentLogger,
          metrics: new MetricsRegistry(),
          network: network.of(() => id),
          sha1: (bytes) => createHash('sha1').update(bytes).digest(),
          sha256: () => ({ update() {}, finish: () => new Uint8Array(32) }),
          onFatal: (error) => assert.fail(String(error)),
        },
        config,
      );
      id = member.memberId;
      network.members.set(id, member);
      return member;
    }),
  );
  await Promise.all(members.map((member) => member.start()));
  return members;
}

function put(member: Member, key: string, value: string): Promise<number> {
  const request = etcdserverpb.PutRequest.create({ key: utf8ToBytes(key), value: utf8ToBytes(value) });
  return new Promise((resolve, reject) => {
    member.proposals.propose(RequestField.put, etcdserverpb.PutRequest.encode(request), {
      applied: (result) => resolve(result.revision),
      failed: (symbol) => reject(new Error(symbol)),
    });
  });
}

async function read(member: Member, key: string): Promise<string | undefined> {
  await member.checkRead(false);
  const record = member.store.get(utf8ToBytes(key));
  return record === undefined
    ? undefined
    : utf8FromBytes(etcdserverpb.RangeResponse.decode(splice(record)).kvs[0]?.value ?? new Uint8Array(0));
}

/** A RangeResponse around one stored key-value. */
function splice(record: Uint8Array): Uint8Array {
  return etcdserverpb.RangeResponseRaw.encode(etcdserverpb.RangeResponseRaw.create({ kvs: [record] }));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => clock.defer(resolve));
}

test('three members elect a leader, replicate, forward writes and survive the loss of the leader', {
  timeout: 60_000,
}, async () => {
  const network = new LocalNetwork();
  const members = await startThree(network);
  try {
    const leader = members.find((member) => member.isLeader()) as Member;
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
    network.cutOff.add(leader.memberId);
    await until(() => followers.some((member) => member.isLeader()));
    const successor = followers.find((member) => member.isLeader()) as Member;
    await put(successor, 'k', 'by the successor');
    await assert.rejects(put(leader, 'k', 'lost'), /ErrGRPCTimeout|ContextDeadlineExceeded/);
    await until(() => ended.length > 0);
    assert.deepEqual(ended, ['needs a leader: ErrGRPCNoLeader']);

    network.cutOff.clear();
    await until(() => members.every((member) => member.revision() === successor.revision()));
    for (const member of members) assert.equal(await read(member, 'k'), 'by the successor');
  } finally {
    await Promise.all(members.map((member) => member.stop()));
  }
});
