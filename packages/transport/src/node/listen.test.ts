import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import * as http2 from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { SeededRandom, silentLogger } from '@quorate/base';
import { NodeClock } from '@quorate/base/node';
import { createGrpcServer, type GrpcServer, type HttpFallback, type Peer } from '@quorate/transport';
import { createGrpcClient, gunzip, type Listener, listen } from '@quorate/transport/node';

const clock = new NodeClock();
const run = promisify(execFile);

function missing(command: string): string | false {
  try {
    execFileSync(command, ['version'], { stdio: 'ignore' });
    return false;
  } catch (error) {
    return (error as { code?: string }).code === 'ENOENT' ? `${command} is not installed` : false;
  }
}
const noCurl = missing('curl');
const noOpenssl = missing('openssl');

let lastPeer: Peer | null = null;

function newServer(): GrpcServer {
  const server = createGrpcServer({ clock, logger: silentLogger }, { gunzip });
  server.registerUnary('/t.T/Echo', (call, message) => {
    lastPeer = call.peer;
    call.reply(message, 0, message.length);
  });
  return server;
}

const onHttpRequest: HttpFallback = (request, response) => {
  let length = 0;
  request.onData((chunk) => {
    length += chunk.length;
  });
  request.onEnd(() => {
    const text = `h2 ${request.method} ${request.path} ${length}`;
    response.send(request.path === '/health' ? 200 : 404, [['content-type', 'text/plain']], Buffer.from(text));
  });
};

const httpServer = createServer((request, response) => {
  response.end(`h1 ${request.method} ${request.url}`);
});

function client(settings: Parameters<typeof createGrpcClient>[1]) {
  return createGrpcClient({ clock, logger: silentLogger, random: new SeededRandom(1) }, settings);
}

describe('one plain port', () => {
  const server = newServer();
  let listener: Listener;

  before(async () => {
    listener = await listen(server, { host: '127.0.0.1', httpServer, onHttpRequest });
  });
  after(async () => {
    server.close();
    await listener.close();
    httpServer.closeAllConnections();
  });

  test('HTTP/1.1 goes to the HTTP server', async () => {
    const body = await new Promise<string>((resolve, reject) => {
      const request = httpRequest(
        { host: '127.0.0.1', port: listener.port, path: '/version', method: 'PUT', agent: false },
        (response) => {
          let text = '';
          response.setEncoding('latin1').on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve(text));
        },
      );
      request.on('error', reject);
      request.end('hello');
    });
    assert.equal(body, 'h1 PUT /version');
  });

  test('HTTP/1.1 byte by byte, beginning as the preface does', async () => {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connectSocket(listener.port, '127.0.0.1');
      socket.setNoDelay(true);
      let seen = '';
      socket.on('data', (chunk) => {
        seen += chunk.toString('latin1');
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(seen));
      const bytes = Buffer.from('PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      let position = 0;
      const next = () => {
        if (position === bytes.length) return;
        socket.write(bytes.subarray(position, position + 1), () => setImmediate(next));
        position++;
      };
      next();
    });
    assert.match(text, /200 OK[\s\S]*h1 PROPFIND \//);
  });

  test('node:http2 as a client: gRPC and plain requests', async () => {
    const session = http2.connect(`http://127.0.0.1:${listener.port}`);
    const exchange = (headers: http2.OutgoingHttpHeaders, body: Uint8Array) =>
      new Promise<{ headers: http2.IncomingHttpHeaders; trailers: http2.IncomingHttpHeaders; body: Buffer }>(
        (resolve, reject) => {
          const stream = session.request(headers);
          const chunks: Buffer[] = [];
          let answer: http2.IncomingHttpHeaders = {};
          let trailers: http2.IncomingHttpHeaders = {};
          stream.on('response', (value) => {
            answer = value;
          });
          stream.on('trailers', (value) => {
            trailers = value;
          });
          stream.on('data', (chunk: Buffer) => chunks.push(chunk));
          stream.on('error', reject);
          stream.on('end', () => resolve({ headers: answer, trailers, body: Buffer.concat(chunks) }));
          stream.end(body);
        },
      );
    for (let i = 0; i < 3; i++) {
      const answer = await exchange(
        { ':method': 'POST', ':path': '/t.T/Echo', 'content-type': 'application/grpc', te: 'trailers' },
        Buffer.from([0, 0, 0, 0, 2, 65, 66]),
      );
      assert.equal(answer.headers[':status'], 200);
      assert.equal(answer.body.toString('hex'), '00000000024142');
      assert.equal(answer.trailers['grpc-status'], '0');
    }
    const plain = await exchange({ ':method': 'POST', ':path': '/health' }, Buffer.alloc(100_000));
    assert.equal(plain.body.toString(), 'h2 POST /health 100000');
    session.close();
  });

  test('curl --http2-prior-knowledge', { skip: noCurl }, async () => {
    const url = `http://127.0.0.1:${listener.port}/health`;
    const { stdout } = await run('curl', [
      '-sS',
      '--http2-prior-knowledge',
      '-w',
      ' %{http_version} %{http_code}',
      url,
    ]);
    assert.equal(stdout, 'h2 GET /health 0 2 200');
    const { stdout: first } = await run('curl', ['-sS', '--http1.1', '-w', ' %{http_version}', url]);
    assert.equal(first, 'h1 GET /health 1.1');
  });
});

test('a port without an HTTP server cuts HTTP/1', async () => {
  const server = newServer();
  const listener = await listen(server, { host: '127.0.0.1' });
  const seen = await new Promise<number>((resolve) => {
    const socket = connectSocket(listener.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
    let bytes = 0;
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(bytes));
  });
  assert.equal(seen, 0);
  server.close();
  await listener.close();
});

test('a unix socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-'));
  const server = newServer();
  const listener = await listen(server, { path: join(folder, 's') });
  const caller = client({ address: `unix:${join(folder, 's')}` });
  assert.equal((await caller.unary('/t.T/Echo', new Uint8Array(3))).length, 3);
  caller.close();
  server.close();
  await listener.close();
  rmSync(folder, { recursive: true });
});

test('a port that is taken rejects', async () => {
  const server = newServer();
  const listener = await listen(server, { host: '127.0.0.1' });
  await assert.rejects(listen(server, { host: '127.0.0.1', port: listener.port }), { code: 'EADDRINUSE' });
  server.close();
  await listener.close();
});

describe(`one TLS port${noOpenssl === false ? '' : ` (${noOpenssl})`}`, { skip: noOpenssl }, () => {
  const server = newServer();
  const folder = mkdtempSync(join(tmpdir(), 'quorate-'));
  const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') };
  let listener: Listener;
  let key: Buffer;
  let cert: Buffer;

  before(async () => {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
        ...['-keyout', files.key, '-out', files.cert, '-subj', '/CN=root-user'],
        ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ],
      { stdio: 'ignore' },
    );
    key = readFileSync(files.key);
    cert = readFileSync(files.cert);
    const tls = { key, cert, ca: cert, requestCert: true, rejectUnauthorized: false };
    listener = await listen(server, { host: '127.0.0.1', httpServer, onHttpRequest, tls });
  });
  after(async () => {
    server.close();
    await listener.close();
    httpServer.closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  test('our client, with and without a certificate', async () => {
    const address = `127.0.0.1:${listener.port}`;
    const plain = client({ address, tls: { ca: cert } });
    assert.equal((await plain.unary('/t.T/Echo', new Uint8Array(100_000))).length, 100_000);
    assert.deepEqual([lastPeer?.secure, lastPeer?.certificate], [true, null]);
    plain.close();
    const known = client({ address, tls: { ca: cert, cert, key } });
    assert.equal((await known.unary('/t.T/Echo', new Uint8Array(1))).length, 1);
    assert.equal(lastPeer?.certificate?.commonName, 'root-user');
    assert.equal(lastPeer?.certificate?.verified, true);
    assert.deepEqual(lastPeer?.certificate?.alternativeNames, ['DNS:localhost', 'IP Address:127.0.0.1']);
    known.close();
  });

  test('a client that does not trust the server fails with status 14', async () => {
    const caller = client({ address: `127.0.0.1:${listener.port}`, tls: {} });
    await assert.rejects(caller.unary('/t.T/Echo', new Uint8Array(1)), { code: 14 });
    caller.close();
  });

  test('HTTP/1.1 by ALPN, and without ALPN', async () => {
    const body = await new Promise<string>((resolve, reject) => {
      const request = httpsRequest(
        { host: '127.0.0.1', port: listener.port, path: '/x', ca: cert, agent: false },
        (response) => {
          response.setEncoding('latin1').on('data', (chunk) => resolve(String(chunk)));
        },
      );
      request.on('error', reject);
      request.end();
    });
    assert.equal(body, 'h1 GET /x');
    const raw = await new Promise<string>((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port: listener.port, ca: cert }, () =>
        socket.write('GET /y HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
      );
      let seen = '';
      socket.on('data', (chunk) => {
        seen += chunk.toString('latin1');
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(seen));
    });
    assert.match(raw, /h1 GET \/y/);
  });

  test('curl over TLS takes h2', { skip: noCurl }, async () => {
    const url = `https://127.0.0.1:${listener.port}/health`;
    const { stdout } = await run('curl', ['-sS', '--cacert', files.cert, '-w', ' %{http_version}', url]);
    assert.equal(stdout, 'h2 GET /health 0 2');
  });
});
