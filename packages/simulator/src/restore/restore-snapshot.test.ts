import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { mvccpb } from '@quorate/api';
import { latin1ToBytes, MemoryDisk, SeededRandom, utf8ToBytes } from '@quorate/base';
import { Cluster } from '@quorate/machine';
import { BucketId, openBackend } from '@quorate/storage';
import { pump } from '../node/pump.ts';
import { MachineClock } from '../world/machine-clock.ts';
import { Scheduler } from '../world/scheduler.ts';
import { liveKeys, readDatabase } from './database-content.ts';
import { type RestoreDeps, type RestoreSettings, restoreSnapshot } from './restore-snapshot.ts';

const scheduler = new Scheduler(pump);
const clock = new MachineClock(
  { scheduler, at: (atMs, callback) => scheduler.at(atMs, callback) },
  { rate: 1, wallOffsetMs: 0 },
);
const onFatal = () => {};

function sha256() {
  const hash = createHash('sha256');
  return { update: (bytes: Uint8Array) => void hash.update(bytes), finish: () => hash.digest() };
}

function depsOn(disk: MemoryDisk): RestoreDeps {
  const sha1 = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest();
  return { disk, clock, random: new SeededRandom(1), sha1, sha256 };
}

const settings: RestoreSettings = {
  name: 'n0',
  initialCluster: ['n0', 'n1'].map((name) => ({ name, peerUrls: [`http://${name}:1`] })),
  token: 'restored',
  bumpRevision: 100,
};
const path = 'n0.etcd/member/snap/db';

/** A database of an old member and one key, with its checksum. */
async function makeSnapshot(): Promise<Uint8Array> {
  const disk = new MemoryDisk();
  const backend = await openBackend({ disk, clock }, '/db', { onFatal });
  const old = { id: 5n, name: 'm0', peerUrls: ['http://m0:1'], clientUrls: [], isLearner: false };
  new Cluster({ backend }).replaceWith({ members: [old], removedIds: [6n], version: '3.7.0' });
  const keyValue = { key: utf8ToBytes('k'), value: utf8ToBytes('v'), createRevision: 2, modRevision: 2, version: 1 };
  backend.putRevision(2, 0, false, mvccpb.KeyValue.encode(mvccpb.KeyValue.create(keyValue)).slice());
  backend.setConsistentIndex(9, 3);
  await backend.close();
  const bytes = await disk.readFile('/db');
  return new Uint8Array([...bytes, ...createHash('sha256').update(bytes).digest()]);
}

test('a restored directory has new members alone, the keys, and a bumped revision, and survives a loss of power', async () => {
  const disk = new MemoryDisk();
  await restoreSnapshot(depsOn(disk), await makeSnapshot(), settings);
  disk.crash(new SeededRandom(1), 'synced');
  const content = await readDatabase(clock, await disk.readFile(path));
  assert.deepEqual(content.problems, []);
  assert.deepEqual([content.index, content.revision, content.compactRevision], [2, 102, 102]);
  assert.equal(liveKeys(content).get('k')?.modRevision, 2);
  const backend = await openBackend({ disk, clock }, path, { onFatal });
  const cluster = new Cluster({ backend });
  assert.deepEqual(cluster.members.map(({ name }) => name).sort(), ['n0', 'n1']);
  assert.deepEqual(cluster.removedIds, []);
  assert.equal(cluster.version, '3.7.0');
  assert.equal(backend.get(BucketId.members, latin1ToBytes('5')), undefined);
  await backend.close();
  assert.equal((await disk.list('n0.etcd/member/wal')).length, 1);
  assert.ok((await disk.list('n0.etcd/member/snap')).includes('0000000000000001-0000000000000002.snap'));
});

test('nothing is restored over a directory that is there, or from bytes with another checksum', async () => {
  const snapshot = await makeSnapshot();
  const disk = new MemoryDisk();
  await restoreSnapshot(depsOn(disk), snapshot, settings);
  await assert.rejects(restoreSnapshot(depsOn(disk), snapshot, settings), { code: 'restore/not-empty' });
  const broken = snapshot.slice();
  broken[5000] = 0xff ^ (broken[5000] ?? 0);
  await assert.rejects(restoreSnapshot(depsOn(new MemoryDisk()), broken, settings), { code: 'restore/checksum' });
});
