import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { hasCode, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { NodeDisk } from './node-disk.ts';
import { NodeRandom } from './node-random.ts';
import { locksOf } from './proc-locks.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'quorate-disk-'));
after(() => fs.rmSync(root, { recursive: true, force: true }));
const create = { write: true, create: true } as const;
const longRun = Number(process.env.QUORATE_ROUNDS ?? 0) > 0;
const hasFlock = spawnSync('flock', ['--version']).error === undefined;
const hasEtcd = spawnSync('etcd', ['--version']).error === undefined;

test('without syncs the disk is not asked to', async () => {
  for (const unsafeNoSync of [false, true]) {
    const disk = new NodeDisk({ unsafeNoSync });
    const file = await disk.open(path.join(root, `sync-${unsafeNoSync}`), create);
    await file.writeAndDatasync([utf8ToBytes('kept')], 0);
    assert.equal(utf8FromBytes(await disk.readFile(file.path)), 'kept');
    await file.close();
    // A closed file cannot be synced: whether that is noticed tells whether it was tried.
    const isTried = await file.datasync().then(
      () => false,
      () => true,
    );
    assert.equal(isTried, !unsafeNoSync);
  }
});

test('writes, reads, cuts and lists', async () => {
  const disk = new NodeDisk();
  await disk.makeDirectory(`${root}/a/b`);
  assert.equal(fs.statSync(`${root}/a/b`).mode & 0o777, 0o700);
  const file = await disk.open(`${root}/a/b/f`, create);
  assert.equal(fs.statSync(`${root}/a/b/f`).mode & 0o777, 0o600);
  await file.write([utf8ToBytes('one'), utf8ToBytes('two')], 0);
  await file.writeAndDatasync([utf8ToBytes('three'), utf8ToBytes('four')], 6);
  const large = new Uint8Array(200_000).fill(7);
  await file.writeAndDatasync([large], 100_000);
  assert.equal(file.size(), 300_000);
  const target = new Uint8Array(15);
  assert.equal(file.readSync(target, 0), 15);
  assert.equal(utf8FromBytes(target), 'onetwothreefour');
  assert.equal(await file.read(target, 299_990), 10);
  await file.truncate(6);
  await file.sync();
  assert.equal(utf8FromBytes(await disk.readFile(`${root}/a/b/f`)), 'onetwo');
  await file.close();
  await disk.rename(`${root}/a/b/f`, `${root}/a/b/g`);
  await disk.syncDirectory(`${root}/a/b`);
  assert.deepEqual(await disk.list(`${root}/a/b`), ['g']);
  assert.equal(await disk.exists(`${root}/a/b/f`), false);
  await disk.remove(`${root}/a/b/g`);
  await disk.removeAll(`${root}/a`);
  await disk.removeAll(`${root}/a`);
  assert.equal(await disk.exists(`${root}/a/b`), false);
});

test('a chunk list longer than one writev takes is written whole', async () => {
  const disk = new NodeDisk();
  const file = await disk.open(`${root}/many`, create);
  const chunks = Array.from({ length: 5000 }, (_, i) => Uint8Array.of(i & 255, i >> 8));
  await file.writeAndDatasync(chunks, 0);
  await file.write(chunks, 10_000);
  await file.close();
  const bytes = await disk.readFile(`${root}/many`);
  assert.equal(bytes.length, 20_000);
  for (let i = 0; i < 10_000; i++) assert.equal((bytes[2 * i] ?? 0) + 256 * (bytes[2 * i + 1] ?? 0), i % 5000);
});

test('errors have the codes of the interface', async () => {
  const disk = new NodeDisk();
  await assert.rejects(disk.open(`${root}/no`), (error) => hasCode(error, 'disk/not-found'));
  await assert.rejects(disk.list(`${root}/no`), (error) => hasCode(error, 'disk/not-found'));
  await assert.rejects(disk.readFile(root), (error) => hasCode(error, 'io/EISDIR'));
  const file = await disk.open(`${root}/e`, create);
  await assert.rejects(disk.open(`${root}/e`, { ...create, exclusive: true }), (error) =>
    hasCode(error, 'disk/exists'),
  );
  await file.close();
  const reader = await disk.open(`${root}/e`);
  await assert.rejects(reader.writeAndDatasync([utf8ToBytes('x')], 0), (error) => hasCode(error, 'io/EBADF'));
  await assert.rejects(reader.write([utf8ToBytes('x')], 0), (error) => hasCode(error, 'io/EBADF'));
  await reader.close();
  if (fs.existsSync('/dev/full')) {
    const full = await disk.open('/dev/full', { write: true });
    await assert.rejects(full.write([utf8ToBytes('x')], 0), (error) => hasCode(error, 'disk/no-space'));
    await full.close();
  }
});

test('reads /proc/locks', () => {
  const text = `1: POSIX  ADVISORY  WRITE 708 fe:00:13457 0 EOF
2: FLOCK  ADVISORY  READ 709 fe:00:13457 0 EOF
2: -> FLOCK  ADVISORY  WRITE 710 fe:00:13457 0 EOF
3: OFDLCK ADVISORY  WRITE -1 fe:00:99 0 EOF
`;
  assert.deepEqual(locksOf(text, 0xfe00n, 13457n), [
    { kind: 'POSIX', exclusive: true, pid: 708 },
    { kind: 'FLOCK', exclusive: false, pid: 709 },
  ]);
  assert.deepEqual(locksOf(text, 0xfe00n, 99n), [{ kind: 'OFDLCK', exclusive: true, pid: -1 }]);
  assert.deepEqual(locksOf(text, 0xfe01n, 99n), []);
});

for (const [name, options] of [
  ['by flock', {}],
  ['by lock file', { flockProgram: '/nowhere/flock', procLocks: '/nowhere/locks' }],
] as const) {
  test(`locks exclude each other ${name}`, { skip: name === 'by flock' && !hasFlock }, async () => {
    const disk = new NodeDisk(options);
    const target = `${root}/locked-${name.replaceAll(' ', '-')}`;
    const first = await disk.open(target, create);
    const second = await disk.open(target, create);
    assert.equal(await first.tryLock('exclusive'), true);
    assert.equal(await first.tryLock('exclusive'), true);
    assert.equal(await second.tryLock('exclusive'), false);
    assert.equal(await second.tryLock('shared'), false);
    assert.deepEqual([await first.isLockedElsewhere(), await second.isLockedElsewhere()], [false, true]);
    await first.close();
    assert.equal(await second.isLockedElsewhere(), false);
    assert.equal(await second.tryLock('shared'), true);
    const third = await disk.open(target);
    assert.equal(await third.tryLock('shared'), true);
    await second.close();
    await third.close();
    assert.deepEqual(
      fs.readdirSync(root).filter((file) => file.endsWith('.lock')),
      [],
    );
  });
}

test('a lock file of a process that is gone is taken over, one of a living process is not', async () => {
  const disk = new NodeDisk({ flockProgram: '/nowhere/flock', procLocks: '/nowhere/locks' });
  const target = `${root}/stale`;
  const gone = spawnSync('true').pid;
  fs.writeFileSync(`${target}.lock`, `${gone} 1\n`);
  const file = await disk.open(target, create);
  assert.equal(await file.tryLock('exclusive'), true);
  const mark = fs.readFileSync(`${target}.lock`, 'latin1');
  assert.equal(Number.parseInt(mark, 10), process.pid);
  await file.close();
  fs.writeFileSync(`${target}.lock`, mark);
  const again = await disk.open(target, create);
  assert.equal(await again.tryLock('exclusive'), false);
  // The same process id of an earlier life, as in a container.
  fs.writeFileSync(`${target}.lock`, `${process.pid} 1\n`);
  assert.equal(await again.tryLock('exclusive'), fs.existsSync('/proc/self/stat'));
  await again.close();
});

test('an open-file-description lock of another program is seen', { skip: !fs.existsSync('/proc/locks') }, async (t) => {
  const target = `${root}/ofd`;
  fs.writeFileSync(target, '');
  // F_OFD_SETLK (37) with a struct flock of x86-64 and arm64: l_type F_WRLCK, whole file.
  const code = `use Fcntl; open(F,"+<","$ARGV[0]") or die; $l=pack("s s x4 q q l x4",1,0,0,0,0);
fcntl(F,37,$l) or die "fcntl $!"; $|=1; print "held\\n"; <STDIN>;`;
  const holder = spawn('perl', ['-e', code, target], { stdio: ['pipe', 'pipe', 'inherit'] });
  const started = await Promise.race([once(holder.stdout, 'data'), once(holder, 'error').then(() => undefined)]);
  if (started === undefined) return t.skip('no perl');
  const file = await new NodeDisk().open(target, { write: true });
  assert.equal(await file.tryLock('exclusive'), false);
  assert.equal(await file.tryLock('shared'), false);
  holder.stdin.end();
  await once(holder, 'exit');
  assert.equal(await file.tryLock('exclusive'), true);
  await file.close();
});

test('a real etcd holds us off its files, and we it off a database of ours', {
  skip: !(hasEtcd && hasFlock),
}, async () => {
  const dir = `${root}/etcd`;
  const disk = new NodeDisk();
  const first = await startEtcd(dir);
  try {
    await first.seen('serving client traffic');
    for (const name of ['snap/db', 'wal/0000000000000000-0000000000000000.wal']) {
      const file = await disk.open(`${dir}/member/${name}`, { write: true });
      assert.equal(await file.tryLock('exclusive'), false, name);
      await file.close();
    }
  } finally {
    await first.stop();
  }
  const ours = await disk.open(`${dir}/member/snap/db`, { write: true });
  assert.equal(await ours.tryLock('exclusive'), true);
  assert.equal(spawnSync('flock', ['-n', '-x', ours.path, 'true']).status, 1);
  const second = await startEtcd(dir);
  try {
    // etcd says that it waits after 10 s only.
    await second.seen(longRun ? 'db file is flocked by another process' : 'starting an etcd server');
    assert.equal(second.log().includes('serving client traffic'), false);
    await ours.close();
    await second.seen('serving client traffic');
  } finally {
    await second.stop();
  }
});

test('the random source gives 32-bit numbers', () => {
  const random = new NodeRandom();
  const drawn = new Set(Array.from({ length: 3000 }, () => random.nextUint32()));
  assert.ok(drawn.size > 2990);
  for (const value of drawn) assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** 32);
});

async function startEtcd(
  dir: string,
): Promise<{ seen(text: string): Promise<void>; log(): string; stop(): Promise<void> }> {
  const [client, peer] = [await freePort(), await freePort()];
  const urls = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`] as const;
  const child: ChildProcess = spawn('etcd', [
    ...['--name', 'a', '--data-dir', dir, '--logger', 'zap', '--log-outputs', 'stderr'],
    ...['--listen-client-urls', urls[0], '--advertise-client-urls', urls[0]],
    ...['--listen-peer-urls', urls[1], '--initial-advertise-peer-urls', urls[1], '--initial-cluster', `a=${urls[1]}`],
  ]);
  const exited = once(child, 'exit');
  let text = '';
  let wake = () => {};
  child.stderr?.on('data', (chunk) => {
    text += chunk;
    wake();
  });
  child.once('exit', () => wake());
  return {
    log: () => text,
    async seen(wanted) {
      while (!text.includes(wanted)) {
        if (child.exitCode !== null) throw new Error(`etcd ended before "${wanted}":\n${text}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
