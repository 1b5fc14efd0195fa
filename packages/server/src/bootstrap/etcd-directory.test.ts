import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLogger } from '@quorate/base';
import { NodeClock, NodeDisk, NodeRandom } from '@quorate/base/node';
import { BucketId, openBackend } from '@quorate/storage';
import { type MemberConfig, makeConfig } from '../config/config.ts';
import { parseArguments } from '../config/parse.ts';
import { Member } from '../member/member.ts';
import type { MemberDeps } from '../member/member-deps.ts';
import { MetricsRegistry } from '../metrics/registry.ts';
import { noPeerClient, noPeers } from '../replica/peer-network.ts';
import { put, read, until } from '../testing/local-cluster.ts';
import { authDeps } from '../testing/plain-passwords.ts';
import { openMemberStorage } from './open-storage.ts';
import { noNames } from './testing/peers.ts';

/** Directories of real etcds: opened by us, and taken back by them. */
const old = { server: process.env.QUORATE_ETCD ?? 'etcd', control: process.env.QUORATE_ETCDCTL ?? 'etcdctl' };
const newest = { server: process.env.QUORATE_ETCD37 ?? '', control: process.env.QUORATE_ETCDCTL37 ?? '' };
const restorer = process.env.QUORATE_ETCDUTL37 ?? '';

const isThere = (program: string) => program !== '' && spawnSync(program, ['--version']).error === undefined;
const skipOld = isThere(old.server) ? false : 'no etcd on the path';
const skipNewest = isThere(newest.server) ? false : 'QUORATE_ETCD37 names no etcd';
const skipRestore = isThere(restorer) ? skipNewest : 'QUORATE_ETCDUTL37 names no etcdutl';

const root = mkdtempSync(join(tmpdir(), 'quorate-directories-'));
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

type Programs = typeof old;

interface Etcd {
  readonly peerUrl: string;
  /** Runs etcdctl. */
  control(...args: string[]): string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function startEtcd(programs: Programs, directory: string, peerUrl: string, ...flags: string[]): Promise<Etcd> {
  const client = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(
    programs.server,
    [
      ...[
        '--name',
        'a',
        '--data-dir',
        directory,
        '--logger',
        'zap',
        '--log-outputs',
        'stderr',
        '--snapshot-count',
        '20',
      ],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `a=${peerUrl}`],
      ...flags,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  running.add(child);
  const exited = once(child, 'exit').then(() => running.delete(child));
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      log += chunk;
      if (log.includes('serving client traffic')) resolve();
    });
    child.once('exit', () => reject(new Error(`etcd ended:\n${log}`)));
  });
  return {
    peerUrl,
    control: (...args) =>
      execFileSync(programs.control, ['--endpoints', client, ...args], {
        encoding: 'utf8',
        env: { ...process.env, ETCDCTL_API: '3' },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      await exited;
    },
  };
}

const newPeerUrl = async () => `http://127.0.0.1:${await freePort()}`;

const depsOf = (): MemberDeps => ({
  clock: new NodeClock(),
  disk: new NodeDisk(),
  random: new NodeRandom(),
  ...authDeps({ clock: new NodeClock(), random: new NodeRandom() }),
  logger: silentLogger,
  metrics: new MetricsRegistry(),
  connect: () => noPeers,
  peerClient: noPeerClient,
  resolver: noNames,
  sha1: (bytes) => createHash('sha1').update(bytes).digest(),
  sha256: () => ({ update() {}, finish: () => new Uint8Array(32) }),
  onFatal: (error) => assert.fail(String(error)),
});

function configOf(directory: string, ...flags: string[]): MemberConfig {
  const own = ['--name=a', `--data-dir=${directory}`, '--snapshot-count=20', '--heartbeat-interval=10'];
  return makeConfig(parseArguments([...own, '--election-timeout=100', ...flags]));
}

/** Opens the directory as a member of ours without a network, until `use` is done. */
async function withOurs(directory: string, use: (member: Member) => Promise<void>, ...flags: string[]): Promise<void> {
  const member = await Member.open(depsOf(), configOf(directory, ...flags));
  try {
    await member.start();
    await use(member);
  } finally {
    await member.stop();
  }
}

/** What raft and the member list begin with, in numbers. */
async function startOf(directory: string) {
  const {
    confState,
    cluster,
    snapshot,
    wal,
    backend,
    directory: lock,
  } = await openMemberStorage(depsOf(), configOf(directory));
  for (const file of [wal, backend, lock]) await file.close();
  const { voters, learners } = confState;
  return { index: snapshot.index, voters: voters.length, learners: learners.length, members: cluster.members.length };
}

function fill(etcd: Etcd, count: number, value: string): void {
  for (let i = 0; i < count; i++) etcd.control('put', `k${i}`, value);
}

/** One learner, then one that is refused when it is applied; a key behind both, so that the database has them. */
function addLearners(etcd: Etcd): void {
  etcd.control('member', 'add', 'b', '--learner', '--peer-urls=http://127.0.0.1:1');
  const add = () => etcd.control('member', 'add', 'c', '--learner', '--peer-urls=http://127.0.0.1:2');
  assert.throws(add, /too many learner/);
  etcd.control('put', 'behind', 'them');
}

/** Name and learners of each member, as etcdctl lists them. */
const membersOf = (etcd: Etcd): string[] =>
  etcd
    .control('member', 'list')
    .trim()
    .split('\n')
    .map((line) => line.split(', ').slice(1).join(' '));

test('3.4 with snapshots, a learner and one that was refused behind them; and back to 3.4', {
  skip: skipOld,
  timeout: 60_000,
}, async () => {
  const directory = join(root, 'learner');
  const etcd = await startEtcd(old, directory, await newPeerUrl());
  fill(etcd, 30, 'theirs');
  addLearners(etcd);
  await etcd.stop();
  const start = await startOf(directory);
  assert.ok(start.index > 20);
  assert.deepEqual(start, { index: start.index, voters: 1, learners: 1, members: 2 });
  for (let life = 0; life < 3; life++) {
    await withOurs(directory, async (member) => {
      assert.deepEqual(member.cluster.members.map((each) => [each.name, each.isLearner]).sort(), [
        ['', true],
        ['a', false],
      ]);
      assert.equal(member.cluster.version, '3.4.0');
      assert.equal(await read(member, 'k29'), life === 0 ? 'theirs' : `ours ${life - 1}`);
      for (let i = 0; i < 30; i++) await put(member, `k${i}`, `ours ${life}`);
      // The learner does not answer, so the version stays; what is written is of 3.4's form.
      assert.equal(member.storageVersion(), '3.5.0');
    });
  }
  const again = await startEtcd(old, directory, etcd.peerUrl);
  try {
    assert.equal(again.control('get', 'k29', '--print-value-only').trim(), 'ours 2');
    assert.equal(membersOf(again).length, 2);
    again.control('put', 'last', '1');
  } finally {
    await again.stop();
  }
});

test('members of 3.4 without snapshots follow from the log alone', { skip: skipOld, timeout: 60_000 }, async () => {
  const directory = join(root, 'log');
  const etcd = await startEtcd(old, directory, await newPeerUrl());
  addLearners(etcd);
  await etcd.stop();
  const expected = { index: 0, voters: 1, learners: 1, members: 2 };
  assert.deepEqual(await startOf(directory), expected);
  // The database's own list does not count: 3.4 does not read it, either.
  const path = join(directory, 'member/snap/db');
  const backend = await openBackend(depsOf(), path, { onFatal: (error) => assert.fail(String(error)) });
  backend.range(BucketId.members, new Uint8Array(1), undefined, 9, (key) => {
    backend.delete(BucketId.members, key.slice());
    return false;
  });
  await backend.close();
  assert.deepEqual(await startOf(directory), expected);
  await withOurs(directory, async (member) => assert.equal(await read(member, 'behind'), 'them'));
  assert.deepEqual(await startOf(directory), expected);
});

test('3.4 alone without snapshots is taken over, and its version raised', {
  skip: skipOld,
  timeout: 60_000,
}, async () => {
  const directory = join(root, 'alone');
  const etcd = await startEtcd(old, directory, await newPeerUrl());
  fill(etcd, 3, 'theirs');
  await etcd.stop();
  await withOurs(directory, async (member) => {
    assert.equal(await read(member, 'k2'), 'theirs');
    await until(() => member.cluster.version === '3.7.0');
    assert.equal(member.storageVersion(), '3.7.0');
  });
  await withOurs(directory, async (member) => assert.equal(member.cluster.members.length, 1));
});

test('3.4 that never wrote a key, and crashed, is opened', { skip: skipOld, timeout: 60_000 }, async () => {
  const directory = join(root, 'empty');
  const etcd = await startEtcd(old, directory, await newPeerUrl());
  await etcd.stop('SIGKILL');
  await withOurs(directory, async (member) => {
    assert.equal(member.cluster.members[0]?.name, 'a');
    await put(member, 'k', 'ours');
  });
});

test('forced alone, a member of 3.4 loses the others', { skip: skipOld, timeout: 60_000 }, async () => {
  const directory = join(root, 'forced');
  const etcd = await startEtcd(old, directory, await newPeerUrl());
  fill(etcd, 30, 'theirs');
  etcd.control('member', 'add', 'b', '--peer-urls=http://127.0.0.1:1');
  // There is no quorum any more.
  await etcd.stop('SIGKILL');
  await withOurs(
    directory,
    async (member) => {
      assert.deepEqual(
        member.cluster.members.map((each) => each.name),
        ['a'],
      );
      assert.equal(member.cluster.removedIds.length, 1);
      await put(member, 'k', 'ours');
    },
    '--force-new-cluster',
  );
  await withOurs(directory, async (member) => {
    assert.equal(member.cluster.members.length, 1);
    assert.equal(await read(member, 'k'), 'ours');
  });
});

test('a directory that etcdctl 3.4 restored starts', { skip: skipOld, timeout: 60_000 }, async () => {
  const directory = join(root, 'backup-34');
  const etcd = await startEtcd(old, directory, await newPeerUrl());
  fill(etcd, 30, 'theirs');
  etcd.control('snapshot', 'save', join(root, 'old.snapshot'));
  const restored = join(root, 'restored-34');
  const url = await newPeerUrl();
  const where = ['--data-dir', restored, '--name', 'a', '--initial-cluster', `a=${url}`];
  etcd.control('snapshot', 'restore', join(root, 'old.snapshot'), ...where, '--initial-advertise-peer-urls', url);
  await etcd.stop();
  await withOurs(restored, async (member) => {
    assert.deepEqual(
      member.cluster.members.map((each) => each.peerUrls),
      [[url]],
    );
    assert.equal(await read(member, 'k29'), 'theirs');
  });
  await withOurs(restored, async (member) => assert.equal(member.cluster.members.length, 1));
});

test('3.7 with snapshots, a learner and one that was refused behind them; and back to 3.7', {
  skip: skipNewest,
  timeout: 60_000,
}, async () => {
  const directory = join(root, 'newest');
  const etcd = await startEtcd(newest, directory, await newPeerUrl());
  fill(etcd, 30, 'theirs');
  addLearners(etcd);
  await etcd.stop();
  const start = await startOf(directory);
  assert.ok(start.index > 20);
  assert.deepEqual(start, { index: start.index, voters: 1, learners: 1, members: 2 });
  for (let life = 0; life < 2; life++) {
    await withOurs(directory, async (member) => {
      assert.equal(await read(member, 'k29'), life === 0 ? 'theirs' : 'ours 0');
      assert.equal(member.cluster.members.length, 2);
      assert.deepEqual([member.cluster.version, member.storageVersion()], ['3.7.0', '3.7.0']);
      for (let i = 0; i < 30; i++) await put(member, `k${i}`, `ours ${life}`);
    });
  }
  const again = await startEtcd(newest, directory, etcd.peerUrl);
  try {
    assert.equal(again.control('get', 'k29', '--print-value-only').trim(), 'ours 1');
    assert.equal(membersOf(again).length, 2);
  } finally {
    await again.stop();
  }
});

test('a directory that etcdutl 3.7 restored starts, with its new members alone', {
  skip: skipRestore,
  timeout: 60_000,
}, async () => {
  const directory = join(root, 'backup-37');
  const etcd = await startEtcd(newest, directory, await newPeerUrl());
  etcd.control('member', 'add', 'b', '--learner', '--peer-urls=http://127.0.0.1:1');
  fill(etcd, 30, 'theirs');
  etcd.control('snapshot', 'save', join(root, 'new.snapshot'));
  await etcd.stop();
  const restored = join(root, 'restored-37');
  const url = await newPeerUrl();
  const where = ['--data-dir', restored, '--name', 'a', '--initial-cluster', `a=${url}`];
  execFileSync(
    restorer,
    ['snapshot', 'restore', join(root, 'new.snapshot'), ...where, '--initial-advertise-peer-urls', url],
    {
      stdio: 'pipe',
    },
  );
  for (let life = 0; life < 2; life++) {
    await withOurs(restored, async (member) => {
      assert.deepEqual(
        member.cluster.members.map((each) => each.peerUrls),
        [[url]],
      );
      assert.equal(await read(member, 'k29'), 'theirs');
      await put(member, 'k', 'ours');
    });
  }
  const again = await startEtcd(newest, restored, url);
  try {
    assert.equal(again.control('get', 'k', '--print-value-only').trim(), 'ours');
  } finally {
    await again.stop();
  }
});
