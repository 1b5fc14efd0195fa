import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { noMetrics, silentLogger, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeDisk, NodeRandom } from '@quorate/base/node';
import { DataDirectory, layoutOf } from '../datadir/index.ts';
import { SnapshotStore } from '../snap/index.ts';
import { decodeWalMetadata, encodeWalMetadata } from './raft-codec.ts';
import { validSnapshotEntries, verifyWal } from './read-wal.ts';
import { type Entry, zeroSnapshot } from './types.ts';
import { Wal } from './wal.ts';

/** Against the real thing: whatever etcd is on the path. */
const skip = spawnSync('etcd', ['--version']).error === undefined ? false : 'no etcd on the path';
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'quorate-wal-'));
after(() => fs.rmSync(root, { recursive: true, force: true }));

const deps = {
  disk: new NodeDisk(),
  clock: new NodeClock(),
  logger: silentLogger,
  metrics: noMetrics,
  random: new NodeRandom(),
};

interface Etcd {
  post(method: string, body: unknown): Promise<unknown>;
  kill(): Promise<void>;
}

interface Ports {
  readonly client: number;
  readonly peer: number;
}

async function startEtcd(directory: string, ports: Ports): Promise<Etcd> {
  const urls = [`http://127.0.0.1:${ports.client}`, `http://127.0.0.1:${ports.peer}`] as const;
  const child = spawn('etcd', [
    ...['--name', 'a', '--data-dir', directory, '--logger', 'zap', '--log-outputs', 'stderr', '--snapshot-count', '20'],
    ...['--listen-client-urls', urls[0], '--advertise-client-urls', urls[0]],
    ...['--listen-peer-urls', urls[1], '--initial-advertise-peer-urls', urls[1], '--initial-cluster', `a=${urls[1]}`],
  ]);
  const exited = once(child, 'exit');
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      log += chunk;
      if (log.includes('serving client traffic')) resolve();
    });
    child.once('exit', () => reject(new Error(`etcd ended:\n${log}`)));
  });
  return {
    async post(method, body) {
      const response = await fetch(`${urls[0]}/v3/${method}`, { method: 'POST', body: JSON.stringify(body) });
      assert.equal(response.status, 200);
      return response.json();
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function readKey(etcd: Etcd, key: string): Promise<string | undefined> {
  const { kvs } = (await etcd.post('kv/range', { key: base64(key) })) as { kvs?: { value: string }[] };
  const value = kvs?.[0]?.value;
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString();
}

/** InternalRaftRequest { 1: ID, 4: PutRequest { 1: key, 2: value } } with lengths below 128. */
function putEntry(term: number, index: number, key: string, value: string): Entry {
  const put = [0x0a, key.length, ...utf8ToBytes(key), 0x12, value.length, ...utf8ToBytes(value)];
  return { term, index, type: 0, data: Uint8Array.from([0x08, index & 0x7f || 1, 0x22, put.length, ...put]) };
}

test('what a real etcd wrote is read, continued, and taken back by it', { skip }, async () => {
  const layout = layoutOf(`${root}/theirs`);
  const ports = { client: await freePort(), peer: await freePort() };
  const first = await startEtcd(layout.root, ports);
  for (let i = 0; i < 70; i++) await first.post('kv/put', { key: base64(`k${i}`), value: base64(`v${i}`) });
  await first.kill();

  const recorded = await validSnapshotEntries(deps, layout.wal);
  const store = new SnapshotStore(deps, layout.snap);
  const snapshot = await store.loadNewest(recorded);
  assert.ok(snapshot !== undefined && snapshot.metadata.index >= 42, 'a snapshot every 21 entries');
  assert.equal(snapshot.metadata.confState.voters.length, 1);
  assert.match(Buffer.from(snapshot.data).toString('latin1'), /^\{"Root":\{"Path":"\/"/);
  const { index, term } = snapshot.metadata;
  assert.equal((await verifyWal(deps, layout.wal, { index, term })).term, term);

  const whole = await Wal.open(deps, { directory: layout.wal });
  assert.equal(decodeWalMetadata(whole.wal.metadata).nodeId, snapshot.metadata.confState.voters[0]);
  assert.deepEqual(
    whole.content.entries.map((entry) => entry.index),
    whole.content.entries.map((_, i) => i + 1),
  );
  const log = whole.content.entries.map(({ data }) => Buffer.from(data).toString('latin1'));
  for (let i = 0; i < 70; i++) assert.ok(log.some((text) => text.includes(`k${i}`) && text.includes(`v${i}`)));
  await whole.wal.close();

  const { wal, content } = await Wal.open(deps, { directory: layout.wal }, { index, term });
  assert.equal(content.snapshotFound, true);
  assert.equal(content.entries[0]?.index ?? index + 1, index + 1);
  const next = wal.lastIndex + 1;
  const { hardState } = content;
  wal.append({ ...hardState, commit: next + 1 }, [
    putEntry(hardState.term, next, 'ours', 'first'),
    putEntry(hardState.term, next + 1, 'ours', 'second'),
  ]);
  await wal.sync();
  await wal.close();

  const second = await startEtcd(layout.root, ports);
  assert.equal(await readKey(second, 'ours'), 'second');
  assert.equal(await readKey(second, 'k69'), 'v69');
  await second.kill();
});

test('a real etcd boots from a log of many segments that we wrote from the first entry on', { skip }, async () => {
  const layout = layoutOf(`${root}/ours`);
  const ports = { client: await freePort(), peer: await freePort() };
  const peerUrl = `http://127.0.0.1:${ports.peer}`;
  const firstEight = (...parts: (string | Buffer)[]): bigint => {
    const hash = createHash('sha1');
    for (const part of parts) hash.update(part);
    return hash.digest().readBigUInt64BE(0);
  };
  const nodeId = firstEight(peerUrl, 'etcd-cluster');
  const id = Buffer.alloc(8);
  id.writeBigUInt64BE(nodeId);
  const held = await DataDirectory.open(deps, layout);
  const metadata = encodeWalMetadata({ nodeId, clusterId: firstEight(id) });
  const wal = await Wal.create(deps, { directory: layout.wal, segmentBytes: 16_384 }, metadata);
  // ConfChange { 1: id, 2: type AddNode, 3: node_id, 4: context }; the metadata's first field is the node id as varint, too.
  const context = utf8ToBytes(`{"id":${nodeId},"peerURLs":["${peerUrl}"],"name":"a"}`);
  const idVarint = encodeWalMetadata({ nodeId, clusterId: 0n }).slice(1, -2);
  const change = Uint8Array.from([0x08, 0, 0x10, 0, 0x18, ...idVarint, 0x22, context.length, ...context]);
  wal.append({ term: 1, vote: 0n, commit: 1 }, [{ term: 1, index: 1, type: 1, data: change }]);
  await wal.sync();
  for (let i = 2; i <= 2000; i += 3) {
    const puts = [0, 1, 2].map((k) => putEntry(2, i + k, `k${(i + k) % 100}`, `value of entry ${i + k}`));
    wal.append({ term: 2, vote: nodeId, commit: i + 2 }, puts);
    await wal.sync();
  }
  assert.ok(wal.segments.length > 5);
  const last = wal.lastIndex;
  await wal.close();
  await held.close();

  const etcd = await startEtcd(layout.root, ports);
  for (let i = last - 99; i <= last; i++) assert.equal(await readKey(etcd, `k${i % 100}`), `value of entry ${i}`);
  await etcd.post('kv/put', { key: base64('theirs'), value: base64('x') });
  await etcd.kill();

  const opened = await Wal.open(deps, { directory: layout.wal }, zeroSnapshot);
  assert.ok(opened.wal.lastIndex > last);
  await opened.wal.close();
});
