import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { NodeClock, NodeDisk } from '@quorate/base/node';
import { Database } from '@quorate/bbolt';
import { openBackend } from './bbolt-backend.ts';
import { BucketId } from './bucket-id.ts';

const etcd = process.env.QUORATE_ETCD ?? '/usr/bin/etcd';
const checker = process.env.QUORATE_BBOLT;
const skip = existsSync(etcd) ? false : `no etcd at ${etcd} (QUORATE_ETCD names one)`;
const deps = { disk: new NodeDisk(), clock: new NodeClock() };

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Runs etcd on `directory` until `use` is done. */
async function withEtcd(
  directory: string,
  use: (call: (path: string, body: object) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const client = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const urls = ['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer];
  const cluster = ['--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`];
  const child = spawn(etcd, ['--data-dir', directory, ...urls, ...cluster], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  try {
    await new Promise<void>((resolve, reject) => {
      let log = '';
      child.stderr.on('data', (data: Buffer) => {
        log += data.toString();
        if (log.includes('ready to serve client requests')) resolve();
      });
      exited.then(() => reject(new Error(log)), reject);
    });
    await use(async (path, body) => {
      const response = await fetch(`${client}${path}`, { method: 'POST', body: JSON.stringify(body) });
      assert.equal(response.status, 200);
      return await response.json();
    });
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

function check(path: string): void {
  if (checker !== undefined) assert.match(execFileSync(checker, ['check', path], { encoding: 'utf8' }), /OK/);
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('a database goes from a real etcd to us and back', { skip, timeout: 60_000 }, async () => {
  const parent = mkdtempSync(join(tmpdir(), 'etcd-file-'));
  const directory = join(parent, 'data');
  const path = join(directory, 'member/snap/db');
  try {
    const put = (n: number) => ({
      key: base64(`key ${n % 50}`),
      value: base64(`value ${n} `.padEnd((n * 97) % 9000, '.')),
    });
    await withEtcd(directory, async (call) => {
      for (let n = 0; n < 300; n++) await call('/v3/kv/put', put(n));
      await call('/v3/lease/grant', { TTL: 1000, ID: 77 });
      await call('/v3/kv/compaction', { revision: 200, physical: true });
    });
    const file = await Database.open(deps, path, { readOnly: true });
    const report = await file.check();
    assert.deepEqual([...report.errors, ...report.warnings], []);
    await file.close();

    const backend = await openBackend(deps, path, { onFatal: assert.ifError });
    let records = 0;
    let last = 0;
    backend.rangeRevisions(0, 0, Number.MAX_SAFE_INTEGER, (main, _sub, _tombstone, value) => {
      assert.ok(Buffer.from(value).includes(`value ${main - 2} `), `record ${main}`);
      records += 1;
      last = main;
      return true;
    });
    assert.equal(last, 301);
    assert.ok(records >= 102 && records < 200, `${records} records`);
    assert.ok(backend.consistentIndex >= 300);
    const lease = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 77]);
    assert.notEqual(backend.get(BucketId.lease, lease), undefined);
    // What a newer index would hide from etcd is left alone: only pages move.
    for (let main = 1000; main < 3000; main++) backend.putRevision(main, 0, false, new Uint8Array(500));
    await backend.commit();
    for (let main = 1000; main < 3000; main++) backend.deleteRevision(main, 0, false);
    await backend.close();
    // Not before: it would wait for our lock, and we for it.
    check(path);
    const again = await openBackend(deps, path, { onFatal: assert.ifError });
    await again.defragment();
    await again.close();
    check(path);

    await withEtcd(directory, async (call) => {
      const answer = (await call('/v3/kv/range', { key: base64('key 49') })) as { kvs: { value: string }[] };
      assert.match(Buffer.from(answer.kvs[0]?.value ?? '', 'base64').toString(), /^value 299 /);
      for (let n = 300; n < 400; n++) await call('/v3/kv/put', put(n));
      await call('/v3/maintenance/defragment', {});
    });
    check(path);
  } finally {
    rmSync(parent, { recursive: true });
  }
});
