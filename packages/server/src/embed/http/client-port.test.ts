import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import * as http2 from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import type { RunningMember } from '../start-member.ts';
import { startQuorate } from '../start-quorate.ts';

const watchFoo = '{"create_request":{"key":"Zm9v"}}';
const waitMs = 10_000;

/** The lines of a stream as they come. */
class Lines {
  private text = '';
  private waiting: (() => void) | null = null;

  add(text: string): void {
    this.text += text;
    this.waiting?.();
  }

  async next(): Promise<Record<string, unknown>> {
    while (!this.text.includes('\n')) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('no line came')), waitMs);
        this.waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const end = this.text.indexOf('\n');
    const line = this.text.slice(0, end);
    this.text = this.text.slice(end + 1);
    return JSON.parse(line) as Record<string, unknown>;
  }
}

/** Resolves however it is closed. */
function whenClosed(stream: Readable): Promise<void> {
  stream.on('error', () => {});
  return new Promise((resolve) => stream.once('close', resolve));
}

async function put(url: string, value: string, key = 'foo'): Promise<void> {
  const body = JSON.stringify({
    key: Buffer.from(key).toString('base64'),
    value: Buffer.from(value).toString('base64'),
  });
  assert.equal((await fetch(`${url}/v3/kv/put`, { method: 'POST', body })).status, 200);
}

/** What of the first event of a line counts here. */
function firstValue(line: Record<string, unknown>): string {
  const { events } = line.result as { events: { kv: { value: string } }[] };
  return Buffer.from(events[0]?.kv.value ?? '', 'base64').toString();
}

describe('a plain port', () => {
  let member: RunningMember;
  let url: string;

  before(async () => {
    member = await startQuorate({ inMemory: true });
    url = member.clientUrls[0] as string;
  });
  after(() => member.stop());

  test('a watch answers while its request is still open, and takes more requests', { timeout: waitMs }, async () => {
    const request = httpRequest(`${url}/v3/watch`, { method: 'POST' });
    request.write(watchFoo);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    assert.equal(response.headers['grpc-metadata-content-type'], 'application/grpc');
    const lines = new Lines();
    response.on('data', (chunk) => lines.add(String(chunk)));
    assert.equal((await lines.next()).result && true, true);
    await put(url, 'one');
    assert.equal(firstValue(await lines.next()), 'one');
    request.write('{"cancel_request":{"watch_id":0}}');
    assert.equal(((await lines.next()).result as { canceled: boolean }).canceled, true);
    const closed = whenClosed(response);
    request.destroy();
    await closed;
  });

  test('an upgrade to what we do not speak is served without it', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const body = '{"key":"Zm9v"}';
    socket.write(
      `POST /v3/kv/range HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    let answer = '';
    while (!answer.includes('raft_term')) answer += String((await once(socket, 'data'))[0]);
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    // The connection goes on as any other.
    socket.write('GET /version HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(String((await once(socket, 'data'))[0]), /etcdserver/);
    socket.destroy();
  });

  test('a WebSocket: a frame a request, a frame an answer', { timeout: waitMs }, async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v3/watch`, ['Bearer', 'some-token']);
    const lines = new Lines();
    socket.on('message', (frame) => lines.add(`${String(frame)}\n`));
    await once(socket, 'open');
    assert.equal(socket.protocol, 'Bearer');
    socket.send(watchFoo);
    assert.equal(((await lines.next()).result as { created: boolean }).created, true);
    await put(url, 'two');
    assert.equal(firstValue(await lines.next()), 'two');
    // A malformed request half-closes the call, as the end of a body would.
    socket.send('x');
    await put(url, 'three');
    assert.equal(firstValue(await lines.next()), 'three');
    socket.close();
    await once(socket, 'close');
  });

  test('a large answer comes whole', { timeout: waitMs }, async () => {
    for (let i = 0; i < 3; i++) await put(url, 'x'.repeat(100_000), `large${i}`);
    const range = JSON.stringify({
      key: Buffer.from('large').toString('base64'),
      range_end: Buffer.from('largf').toString('base64'),
    });
    const response = await fetch(`${url}/v3/kv/range`, { method: 'POST', body: range });
    const text = await response.text();
    assert.deepEqual([response.status, response.headers.get('content-length')], [200, String(text.length)]);
    const { kvs } = JSON.parse(text) as { kvs: { value: string }[] };
    assert.deepEqual(
      kvs.map(({ value }) => Buffer.from(value, 'base64').length),
      [100_000, 100_000, 100_000],
    );
  });

  test('a WebSocket that is not read makes its watch fall behind, and loses nothing', { timeout: waitMs }, async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v3/watch`);
    const lines = new Lines();
    socket.on('message', (frame) => lines.add(`${String(frame)}\n`));
    await once(socket, 'open');
    socket.send(watchFoo);
    await lines.next();
    socket.pause();
    const isSlow = async () =>
      /^etcd_debugging_mvcc_slow_watcher_total 1$/m.test(await (await fetch(`${url}/metrics`)).text());
    let written = 0;
    while (!(await isSlow())) {
      assert.ok(written++ < 500, 'it falls behind');
      await put(url, `${written} ${'x'.repeat(200_000)}`);
    }
    socket.resume();
    for (let seen = 0; seen < written; ) {
      const { events } = (await lines.next()).result as { events: { kv: { value: string } }[] };
      for (const { kv } of events)
        assert.equal(Buffer.from(kv.value, 'base64').toString().split(' ')[0], String(++seen));
    }
    socket.terminate();
  });

  test('a WebSocket shows errors as lines and ends without a close frame', { timeout: waitMs }, async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v3/nothing`);
    const closed = once(socket, 'close');
    const [frame] = await once(socket, 'message');
    assert.deepEqual(JSON.parse(String(frame)), { code: 5, message: 'Not Found' });
    assert.equal((await closed)[0], 1006);
  });

  test('a WebSocket elsewhere is an ordinary request', async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/nothing`);
    const [error] = await once(socket, 'error');
    assert.match(String(error), /404/);
  });

  test('HTTP/2 without TLS is for gRPC alone', async () => {
    const session = http2.connect(url);
    const stream = session.request({ ':path': '/health' });
    const [headers] = await once(stream, 'response');
    assert.equal(headers[':status'], 415);
    session.destroy();
  });
});

test('open streams and idle connections do not hold a stop up', { timeout: waitMs }, async () => {
  const member = await startQuorate({ inMemory: true });
  const url = member.clientUrls[0] as string;
  const idle = connect(Number(new URL(url).port), '127.0.0.1');
  idle.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(idle, 'data');
  const watch = httpRequest(`${url}/v3/watch`, { method: 'POST' });
  watch.on('error', () => {});
  watch.end(watchFoo);
  const [response] = (await once(watch, 'response')) as [IncomingMessage];
  const closed = [whenClosed(idle), whenClosed(response)];
  response.resume();
  idle.resume();
  await member.stop();
  await Promise.all(closed);
});

function missingOpenssl(): string | false {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'openssl is not installed';
  }
}

test('HTTP/2 over TLS: the gateway and gRPC on one port', { skip: missingOpenssl(), timeout: waitMs }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-http-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-keyout', key, '-out', cert, '-subj', '/CN=x', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ],
    { stdio: 'ignore' },
  );
  const flags = { 'cert-file': cert, 'key-file': key };
  const member = await startQuorate({ inMemory: true, clientUrls: ['https://127.0.0.1:0'], flags });
  const session = http2.connect(member.clientUrls[0] as string, { rejectUnauthorized: false });
  try {
    const post = (path: string) => session.request({ ':method': 'POST', ':path': path });
    const watch = post('/v3/watch');
    const lines = new Lines();
    watch.on('data', (chunk) => lines.add(String(chunk)));
    watch.write(watchFoo);
    await lines.next();
    const putting = post('/v3/kv/put');
    putting.end('{"key":"Zm9v","value":"YQ=="}');
    const [headers] = await once(putting, 'response');
    assert.deepEqual([headers[':status'], headers['access-control-allow-origin']], [200, '*']);
    assert.equal(firstValue(await lines.next()), 'a');
    watch.write('{"cancel_request":{}}');
    assert.equal(((await lines.next()).result as { canceled: boolean }).canceled, true);
    const large = { key: 'Zg==', value: Buffer.alloc(200_000).toString('base64') };
    const putLarge = post('/v3/kv/put');
    putLarge.end(JSON.stringify(large));
    await once(putLarge, 'response');
    const range = post('/v3/kv/range');
    range.end('{"key":"Zg=="}');
    let text = '';
    for await (const chunk of range.setEncoding('utf8')) text += chunk;
    assert.equal((JSON.parse(text) as { kvs: { value: string }[] }).kvs[0]?.value, large.value);
    const grpc = session.request({
      ':method': 'POST',
      ':path': '/etcdserverpb.KV/Range',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    grpc.end(Buffer.from([0, 0, 0, 0, 3, 0x0a, 1, 0x61]));
    const [answered] = await once(grpc, 'response');
    assert.equal(answered['content-type'], 'application/grpc');
  } finally {
    session.destroy();
    await member.stop();
    rmSync(folder, { recursive: true });
  }
});
