// Writes fuzz/corpus: a log, snapshots and databases as etcd 3.4 (on the PATH) and 3.7 (conformance/.bin) leave them after a few requests.
// Files are cut behind what was written, so that they stay small.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const corpus = fileURLToPath(new URL('../corpus', import.meta.url));
const built = fileURLToPath(new URL('../../conformance/.bin', import.meta.url));
const servers = [
  { name: 'etcd34', etcd: 'etcd', etcdctl: 'etcdctl', flags: ['--logger', 'zap', '--log-outputs', 'stderr'] },
  { name: 'etcd37', etcd: join(built, 'etcd37'), etcdctl: join(built, 'etcdctl37'), flags: [] },
];

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function writeWith({ name, etcd, etcdctl, flags }, directory) {
  const client = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(etcd, [
    ...['--name', 'a', '--data-dir', directory, '--snapshot-count', '8', ...flags],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `a=${peer}`],
  ]);
  const exited = once(child, 'exit');
  let log = '';
  await new Promise((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      log += chunk;
      if (/serving client traffic/.test(log)) resolve();
    });
    child.once('exit', () => reject(new Error(`${name} ended:\n${log}`)));
  });
  const call = (...args) => {
    const env = { ...process.env, ETCDCTL_API: '3' };
    const { status, stderr } = spawnSync(etcdctl, ['--endpoints', client, ...args], { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${name}: ${args.join(' ')}: ${stderr}`);
  };
  for (let i = 0; i < 12; i++) call('put', `key ${i % 5}`, `value ${i}`);
  call('lease', 'grant', '600');
  call('del', 'key 3');
  call('user', 'add', 'u:p');
  child.kill('SIGTERM');
  await exited;
}

/** Bytes up to the last that is not zero, and some of what follows. */
function cut(bytes, behind) {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, Math.min(bytes.length, end + behind));
}

function keep(kind, name, bytes) {
  mkdirSync(join(corpus, kind), { recursive: true });
  writeFileSync(join(corpus, kind, name), bytes);
  console.log(`${kind}/${name}: ${bytes.length} bytes`);
}

for (const server of servers) {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-corpus-'));
  try {
    await writeWith(server, directory);
    const wal = join(directory, 'member', 'wal');
    const snap = join(directory, 'member', 'snap');
    const [segment] = readdirSync(wal).filter((name) => name.endsWith('.wal'));
    keep('wal', `${server.name}.wal`, cut(readFileSync(join(wal, segment)), 600));
    const [newest] = readdirSync(snap)
      .filter((name) => name.endsWith('.snap'))
      .reverse();
    keep('snap', `${server.name}.snap`, readFileSync(join(snap, newest)));
    const database = readFileSync(join(snap, 'db'));
    const meta = [0, 4096].map((at) => ({
      pages: database.readUInt32LE(at + 56),
      txid: database.readUInt32LE(at + 64),
    }));
    keep('db', `${server.name}.db`, database.subarray(0, Math.max(...meta.map(({ pages }) => pages)) * 4096));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
