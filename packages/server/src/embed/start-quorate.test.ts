import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { etcdserverpb, type MessageCodec, services } from '@quorate/api';
import { silentLogger, utf8FromBytes, utf8ToBytes } from '@quorate/base';
import { NodeClock, NodeRandom } from '@quorate/base/node';
import type { GrpcClient } from '@quorate/transport';
import { createGrpcClient } from '@quorate/transport/node';
import { Authority, CertificateFolder } from '../tls/testing/authority.ts';
import { startQuorate } from './start-quorate.ts';

const { PutRequest, RangeRequest, RequestOp, WatchRequest, WatchCreateRequest } = etcdserverpb;
const KV = services.KV.methods;

function clientOf(url: string): GrpcClient {
  const deps = { clock: new NodeClock(), logger: silentLogger, random: new NodeRandom() };
  return createGrpcClient(deps, { address: url.replace('http://', '') });
}

interface Method<Q, A> {
  readonly path: string;
  readonly request: MessageCodec<Q>;
  readonly response: MessageCodec<A>;
}

async function call<Q, A>(client: GrpcClient, method: Method<Q, A>, request: Partial<Q>): Promise<A> {
  return method.response.decode(await client.unary(method.path, method.request.encode(method.request.create(request))));
}

const bytes = utf8ToBytes;
const text = utf8FromBytes;

test('an embedded member in memory serves reads, writes, transactions, watches and leases', async () => {
  const member = await startQuorate({ inMemory: true });
  const client = clientOf(member.clientUrls[0] as string);
  try {
    assert.equal((await call(client, KV.Range, { key: bytes('a') })).header?.revision, 1);
    const watch = client.stream(services.Watch.methods.Watch.path);
    const seen: string[] = [];
    const twoEvents = new Promise<void>((resolve) => {
      watch.onMessage((message) => {
        for (const event of etcdserverpb.WatchResponse.decode(message).events) {
          seen.push(`${event.type} ${text(event.kv?.key ?? bytes(''))} ${event.kv?.modRevision}`);
        }
        if (seen.length === 2) resolve();
      });
    });
    watch.onEnd(() => {});
    watch.write(
      WatchRequest.encode(
        WatchRequest.create({ createRequest: WatchCreateRequest.create({ key: bytes('a'), startRevision: 1 }) }),
      ),
    );

    const put = await call(client, KV.Put, { key: bytes('a'), value: bytes('1') });
    assert.equal(put.header?.revision, 2);
    const overwritten = await call(client, KV.Put, { key: bytes('a'), value: bytes('2'), prevKv: true });
    assert.equal(text(overwritten.prevKv?.value ?? bytes('')), '1');
    await twoEvents;
    assert.deepEqual(seen, ['0 a 2', '0 a 3']);

    const txn = await call(client, KV.Txn, {
      success: [
        RequestOp.create({ requestPut: PutRequest.create({ key: bytes('b'), value: bytes('3') }) }),
        RequestOp.create({ requestRange: RangeRequest.create({ key: bytes('a'), rangeEnd: bytes('z') }) }),
      ],
    });
    assert.equal(txn.succeeded, true);
    assert.equal(txn.responses[1]?.responseRange?.count, 2);
    const old = await call(client, KV.Range, { key: bytes('a'), revision: 2 });
    assert.equal(text(old.kvs[0]?.value ?? bytes('')), '1');
    assert.equal((await call(client, KV.DeleteRange, { key: bytes('\0'), rangeEnd: bytes('\0') })).deleted, 2);

    const lease = await call(client, services.Lease.methods.LeaseGrant, { ttl: 60 });
    await call(client, KV.Put, { key: bytes('leased'), lease: lease.id });
    await call(client, services.Lease.methods.LeaseRevoke, { id: lease.id });
    assert.equal((await call(client, KV.Range, { key: bytes('leased') })).count, 0);
    await assert.rejects(call(client, KV.Put, { key: bytes('') }), {
      code: 3,
      details: 'etcdserver: key is not provided',
    });
  } finally {
    client.close();
    await member.stop();
  }
});

test('what was acknowledged is there after a restart, with snapshots taken on the way', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'quorate-embed-'));
  const flags = { 'snapshot-count': '50', 'snapshot-catchup-entries': '10' };
  try {
    for (let life = 0; life < 3; life++) {
      const member = await startQuorate({ dataDir, flags });
      const client = clientOf(member.clientUrls[0] as string);
      const before = await call(client, KV.Range, { key: bytes('k'), rangeEnd: bytes('l'), countOnly: true });
      assert.equal(before.count, life * 100);
      await Promise.all(
        Array.from({ length: 100 }, (_, i) => call(client, KV.Put, { key: bytes(`k${life}-${i}`), value: bytes('v') })),
      );
      const after = await call(client, KV.Range, { key: bytes('k'), rangeEnd: bytes('l'), limit: 5 });
      assert.equal(after.count, (life + 1) * 100);
      assert.equal(after.kvs.length, 5);
      assert.equal(after.more, true);
      assert.equal(after.header?.revision, 1 + (life + 1) * 100);
      client.close();
      await member.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test('plain HTTP is answered on the same port', async () => {
  const member = await startQuorate({ inMemory: true });
  try {
    const url = member.clientUrls[0] as string;
    assert.deepEqual(await (await fetch(`${url}/health`)).json(), { health: 'true', reason: '' });
    assert.equal(((await (await fetch(`${url}/version`)).json()) as { etcdserver: string }).etcdserver, '3.7.1');
    assert.match(await (await fetch(`${url}/metrics`)).text(), /^etcd_server_has_leader 1$/m);
    assert.equal((await fetch(`${url}/nothing`)).status, 404);
  } finally {
    await member.stop();
  }
});

test('open watches, of keys and of health, do not hold a stop up, and stopping twice is fine', {
  timeout: 5_000,
}, async () => {
  const member = await startQuorate({ inMemory: true });
  const client = clientOf(member.clientUrls[0] as string);
  const ends: Promise<number>[] = [];
  for (const [path, request] of [
    [services.Health.methods.Watch.path, bytes('')],
    [
      services.Watch.methods.Watch.path,
      WatchRequest.encode(WatchRequest.create({ createRequest: WatchCreateRequest.create({ key: bytes('a') }) })),
    ],
  ] as const) {
    const stream = client.stream(path);
    const answered = new Promise<void>((resolve) => stream.onMessage(() => resolve()));
    ends.push(new Promise((resolve) => stream.onEnd((status) => resolve(status.code))));
    stream.write(request);
    await answered;
  }
  await Promise.all([member.stop(), member.stop()]);
  assert.deepEqual(await Promise.all(ends), [14, 14]);
  client.close();
});

test('a start that fails on its second address gives up the first one', async () => {
  const taken = await startQuorate({ inMemory: true });
  const free = await startQuorate({ inMemory: true });
  const [freeUrl, takenUrl] = [free.clientUrls[0] as string, taken.clientUrls[0] as string];
  await free.stop();
  try {
    await assert.rejects(startQuorate({ inMemory: true, clientUrls: [freeUrl, takenUrl] }), { code: 'EADDRINUSE' });
    await (await startQuorate({ inMemory: true, clientUrls: [freeUrl] })).stop();
  } finally {
    await taken.stop();
  }
});

test('a flag that does not exist, or not with that value, is refused by its code', async () => {
  await assert.rejects(startQuorate({ inMemory: true, flags: { nonsense: '1' } }), { code: 'embed/flag' });
  await assert.rejects(startQuorate({ inMemory: true, flags: { 'snapshot-count': 'x' } }), { code: 'embed/flag' });
});

test('two members cannot use one directory', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'quorate-embed-'));
  const member = await startQuorate({ dataDir });
  try {
    await assert.rejects(startQuorate({ dataDir }), { code: 'datadir/locked' });
  } finally {
    await member.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test('an embedded member over TLS lets in who has a certificate', async () => {
  const files = new CertificateFolder();
  const authority = new Authority();
  const trustedCaFile = files.write(authority.certificate);
  const server = authority.issueFiles(files);
  const user = authority.issue({ commonName: 'user' });
  const member = await startQuorate({
    inMemory: true,
    clientUrls: ['https://127.0.0.1:0'],
    clientTls: { ...server, trustedCaFile, clientCertAuth: true },
  });
  const url = member.clientUrls[0] as string;
  const tlsClient = (tls: object) => {
    const deps = { clock: new NodeClock(), logger: silentLogger, random: new NodeRandom() };
    return createGrpcClient(deps, { address: url.replace('https://', ''), tls });
  };
  const clients = [
    tlsClient({ ca: authority.certificate, ...user }),
    tlsClient({ ca: authority.certificate }),
  ] as const;
  const [known, unknown] = clients;
  try {
    assert.match(url, /^https:/);
    assert.equal((await call(known, KV.Put, { key: bytes('a'), value: bytes('1') })).header?.revision, 2);
    await assert.rejects(call(unknown, KV.Range, { key: bytes('a') }));
    assert.equal((await call(known, KV.Range, { key: bytes('a') })).kvs.length, 1);
  } finally {
    for (const client of clients) client.close();
    await member.stop();
    files.remove();
  }
});

test('a member over TLS without a certificate does not start, and leaves nothing open', async () => {
  await assert.rejects(startQuorate({ inMemory: true, clientUrls: ['https://127.0.0.1:0'] }), { code: 'tls/config' });
});
