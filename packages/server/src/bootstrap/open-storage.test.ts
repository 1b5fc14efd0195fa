import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type CrashMode, MemoryDisk, SeededRandom, silentLogger, utf8ToBytes } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { BucketId, openBackend } from '@quorate/storage';
import { type MemberConfig, makeConfig } from '../config/config.ts';
import { parseArguments } from '../config/parse.ts';
import { Member } from '../member/member.ts';
import type { MemberDeps } from '../member/member-deps.ts';
import { MetricsRegistry } from '../metrics/registry.ts';
import { noPeerClient, noPeers } from '../replica/peer-network.ts';
import { until } from '../testing/local-cluster.ts';
import { authDeps } from '../testing/plain-passwords.ts';
import { openMemberStorage } from './open-storage.ts';
import { FakePeers, listed, noNames } from './testing/peers.ts';

const clock = new NodeClock();
const database = '/data/member/snap/db';

function depsOn(disk: MemoryDisk): MemberDeps {
  return {
    clock,
    disk,
    random: new SeededRandom(1),
    ...authDeps({ clock, random: new SeededRandom(1) }),
    logger: silentLogger,
    metrics: new MetricsRegistry(),
    connect: () => noPeers,
    peerClient: noPeerClient,
    resolver: noNames,
    sha1: (bytes) => createHash('sha1').update(bytes).digest(),
    sha256: () => ({ update() {}, finish: () => new Uint8Array(32) }),
    onFatal: (error) => assert.fail(String(error)),
  };
}

function configOf(...flags: string[]): MemberConfig {
  return makeConfig(parseArguments(['--data-dir=/data', '--heartbeat-interval=10', '--election-timeout=50', ...flags]));
}

/** A member that has started once, and stopped. */
async function liveOnce(disk: MemoryDisk, config = configOf()): Promise<Member> {
  const member = await Member.open(depsOn(disk), config);
  await member.start();
  await member.stop();
  return member;
}

/** Makes the log of a first start and crashes before its first entries are in it. */
async function interruptedBootstrap(mode: CrashMode = 'synced'): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const member = await Member.open({ ...depsOn(disk), onFatal() {} }, configOf());
  disk.crash(new SeededRandom(1), mode);
  // Its files are dead, which it may notice; only its timers are to end.
  await member.stop().catch(String);
  return disk;
}

/** Opens the database alone and says that it is the effect of entries up to `index`. */
async function setDatabaseIndex(disk: MemoryDisk, index: number): Promise<void> {
  const backend = await openBackend({ disk, clock }, database, { onFatal: (error) => assert.fail(String(error)) });
  backend.setConsistentIndex(index, 2);
  await backend.close();
}

test('a first start that was interrupted before its entries were durable is done once more', async () => {
  for (const mode of ['process', 'synced', 'torn'] as const) {
    const disk = await interruptedBootstrap(mode);
    const member = await liveOnce(disk);
    assert.equal(member.cluster.members.length, 1);
    const again = await liveOnce(disk);
    assert.equal(again.memberId, member.memberId);
  }
});

test('an interrupted first start is not done once more as another member', async () => {
  const disk = await interruptedBootstrap();
  const refused = { code: 'member/unfinished-bootstrap' };
  await assert.rejects(Member.open(depsOn(disk), configOf('--initial-cluster-token=other')), refused);
  // Nothing was left open, and nothing changed.
  await liveOnce(disk);
});

test('a database that is ahead of the log, or has none, is refused instead of passing entries over', async () => {
  const disk = new MemoryDisk();
  await liveOnce(disk);
  await disk.removeAll('/data/member/wal');
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(Member.open(depsOn(disk), configOf()), { code: 'member/database-mismatch' });
  }
  assert.equal(await disk.exists('/data/member/wal'), false);
  const other = new MemoryDisk();
  await liveOnce(other);
  await setDatabaseIndex(other, 1000);
  await assert.rejects(Member.open(depsOn(other), configOf()), { code: 'member/database-mismatch' });
});

test('a database older than the snapshot, or none, is refused instead of leaving entries out', async () => {
  const disk = new MemoryDisk();
  const config = configOf('--snapshot-count=1');
  await liveOnce(disk, config);
  await liveOnce(disk, config);
  await setDatabaseIndex(disk, 1);
  await assert.rejects(Member.open(depsOn(disk), config), /does not match with snapshot/);
  await disk.remove(database);
  await assert.rejects(Member.open(depsOn(disk), config), { code: 'member/no-database' });
});

/** Puts a copy of the database where one from the leader lies before it takes its place. @returns its path. */
async function receiveDatabase(disk: MemoryDisk): Promise<string> {
  const names = await disk.list('/data/member/snap');
  const newest = names
    .filter((name) => name.endsWith('.snap'))
    .sort()
    .at(-1) as string;
  const path = `/data/member/snap/${newest.slice(17, 33)}.snap.db`;
  const file = await disk.open(path, { write: true, create: true });
  await file.write([await disk.readFile(database)], 0);
  await file.close();
  return path;
}

test('a crash before the received database took its place: it does at the next start', async () => {
  for (const isThere of [true, false]) {
    const disk = new MemoryDisk();
    const config = configOf('--snapshot-count=1');
    await liveOnce(disk, config);
    await liveOnce(disk, config);
    const received = await receiveDatabase(disk);
    if (isThere) await setDatabaseIndex(disk, 1);
    else await disk.remove(database);
    const member = await liveOnce(disk, config);
    assert.equal(member.cluster.members.length, 1);
    assert.equal(await disk.exists(received), false);
    assert.equal(await disk.exists(database), true);
  }
});

test('a member that was removed, or is older than its cluster, does not start', async () => {
  const buckets = [
    ['member/removed', BucketId.membersRemoved, (id: bigint) => id.toString(16), 'removed'],
    ['member/version-too-high', BucketId.cluster, () => 'clusterVersion', '3.8.0'],
  ] as const;
  for (const [code, bucket, key, value] of buckets) {
    const disk = new MemoryDisk();
    const member = await Member.open(depsOn(disk), configOf());
    await member.start();
    // From then on the database has the membership.
    await until(() => member.storageVersion() === '3.7.0');
    await member.stop();
    const backend = await openBackend({ disk, clock }, database, { onFatal: (error) => assert.fail(String(error)) });
    backend.put(bucket, utf8ToBytes(key(member.memberId)), utf8ToBytes(value));
    await backend.close();
    await assert.rejects(Member.open(depsOn(disk), configOf()), { code });
  }
});

test('who joins begins with nothing but its ids, and joins again when nothing came of it', async () => {
  const url = 'http://localhost:2380';
  const other = 'http://localhost:2381';
  const members = [listed(5n, other, { name: 'x' }), listed(6n, url)];
  const version = { server: '3.7.1', cluster: '3.7.0' };
  const peers = new FakePeers({ [other]: { members: { clusterId: 9n, members }, version } });
  const config = configOf('--initial-cluster-state=existing', `--initial-cluster=default=${url},x=${other}`);
  const disk = new MemoryDisk();
  const open = () => openMemberStorage({ ...depsOn(disk), peerClient: peers.client }, config);
  for (const isReachable of [true, true, false]) {
    if (!isReachable) peers.answers.clear();
    const storage = await open();
    assert.deepEqual([storage.memberId, storage.clusterId, storage.bootstrap], [6n, 9n, undefined]);
    assert.deepEqual(storage.firstPeers, isReachable ? [members[0]] : []);
    assert.deepEqual([storage.confState.voters, storage.raftStorage.lastIndex()], [[], 0]);
    for (const file of [storage.wal, storage.backend, storage.directory]) await file.close();
  }
});
