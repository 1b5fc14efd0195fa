import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type CrashMode, MemoryDisk, SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { openBackend } from '@quorate/storage';
import { type MemberConfig, makeConfig } from '../config/config.ts';
import { parseArguments } from '../config/parse.ts';
import { Member } from '../member/member.ts';
import type { MemberDeps } from '../member/member-deps.ts';
import { MetricsRegistry } from '../metrics/registry.ts';
import { noPeerClient, noPeers } from '../replica/peer-network.ts';
import { noNames } from './testing/peers.ts';

const clock = new NodeClock();
const database = '/data/member/snap/db';

function depsOn(disk: MemoryDisk): MemberDeps {
  return {
    clock,
    disk,
    random: new SeededRandom(1),
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
  const member = await Member.open(depsOn(disk), configOf());
  disk.crash(new SeededRandom(1), mode);
  // Its files are dead; only its timers are to end.
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
